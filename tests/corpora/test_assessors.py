"""The second assessment of the samples: what was kept, what the READMEs say of it."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from benchmarks._assessed import agreement, cohen_kappa, kept_grades
from rerank_lab.core.paths import samples_home
from rerank_lab.corpora import load_corpus
from rerank_lab.services.presets import SAMPLE_QUERIES

SAMPLES = sorted(SAMPLE_QUERIES)


def readme(name: str) -> str:
    text = (samples_home() / name / "README.md").read_text("utf-8")
    return " ".join(text.split())


@pytest.mark.parametrize("name", SAMPLES)
def test_kept_grades_are_those_of_sixty_zeros_and_sixty_relevant_pairs(name: str) -> None:
    rows, qrels = kept_grades(name), load_corpus(name).qrels
    assert len({(row["query-id"], row["corpus-id"]) for row in rows}) == 120
    assert Counter(row["first"] == "0" for row in rows) == {True: 60, False: 60}
    assert all(row["corpus-id"] in qrels[row["query-id"]] for row in rows)
    assert {row["second"] for row in rows} <= {"0", "1", "2", "3"}


@pytest.mark.parametrize("name", SAMPLES)
def test_the_readme_tells_the_agreement_that_is_computed(name: str) -> None:
    found, text = agreement(name), readme(name)
    assert f"Of 120 grades {found['equal']} were equal" in text
    assert f"raw agreement {found['raw']:.3f}" in text
    assert f"Cohen's kappa {found['kappa']:.3f}" in text
    told = re.search(r"(\d+) grades? of the draw (?:was|were) changed", text)
    assert told is not None
    assert int(told[1]) == found["changed"]


@pytest.mark.parametrize("name", SAMPLES)
def test_the_readme_tells_the_judgments_that_there_are(name: str) -> None:
    grades = Counter(g for judged in load_corpus(name).qrels.values() for g in judged.values())
    text = readme(name).replace(",", "")
    for grade, count in grades.items():
        assert f"{count} of grade {grade}" in text or f"| {grade} | {count} |" in text


def test_kappa_of_a_worked_example() -> None:
    """Observed 0.7, by chance 0.5 (the fifty grants of the usual example), hence 0.4."""
    first = [1] * 25 + [0] * 25
    second = [1] * 20 + [0] * 5 + [1] * 10 + [0] * 15
    assert cohen_kappa(first, second) == pytest.approx(0.4)
    assert cohen_kappa(first, first) == 1
    assert cohen_kappa([0, 0], [0, 0]) == 1
