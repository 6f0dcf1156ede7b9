"""Experiment files: read strictly, with the line of whatever is not understood."""

from __future__ import annotations

from pathlib import Path

import pytest

from rerank_lab.core.errors import InvalidInput
from rerank_lab.services.experiment_files import (
    ExperimentFile,
    ExperimentTerms,
    parse_experiment_file,
    read_experiment_file,
)

WHOLE = """\
corpus: helpdesk
pipelines:
  bm25: bm25
  wide: bm25(k1=3.0)
measures: [RR@10]
baseline: bm25
gates:
  - R@5 >= 0.4
  - not worse than baseline by 0.01
seed: 7
load: {queries_per_month: 5000, usd_per_hour: 0.5}
"""


def parsed(text: str, folder: Path = Path("/nowhere")) -> ExperimentFile:
    return parse_experiment_file(text.encode(), folder / "exp.yaml")


def problems(text: str, folder: Path = Path("/nowhere")) -> tuple[str, ...]:
    with pytest.raises(InvalidInput) as error:
        parsed(text, folder)
    assert "exp.yaml" in error.value.message
    return error.value.problems


def test_a_whole_file_is_read() -> None:
    terms = parsed(WHOLE).terms
    assert terms.pipelines == {"bm25": "bm25", "wide": "bm25(k1=3.0)"}
    assert terms.names["bm25(k1=3.0)"] == "wide"
    assert terms.all_measures == ("RR@10", "R@5")
    assert (terms.baseline, terms.seed) == ("bm25", 7)
    assert (terms.load.queries_per_month, terms.load.usd_per_hour) == (5000, 0.5)
    assert ExperimentTerms.from_json(terms.to_json()) == terms


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    for name in ("q.tsv", "j.tsv", "mine.run"):
        (tmp_path / name).write_text("")
    (tmp_path / "corpus").mkdir()
    file = tmp_path / "exp.yaml"
    file.write_text(
        "corpus: corpus\nqueries: q.tsv\nqrels: j.tsv\n"
        "pipelines:\n  theirs: 'run(path=\"mine.run\")'\n"
    )
    read = read_experiment_file(file)
    assert read.corpus == str(tmp_path / "corpus")
    assert (read.queries, read.qrels) == (tmp_path / "q.tsv", tmp_path / "j.tsv")
    assert read.terms.pipelines["theirs"] == f'run(path="{tmp_path}/mine.run")'


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("seed: 7", "sede: 7", "line 10: there is no key 'sede'; did you mean seed"),
        ("seed: 7", "seed: x", "line 10: seed: expected a whole number"),
        ("seed: 7", "seed: 7\nseed: 8", "line 11: the key 'seed' stands on line 10 already"),
        ("  wide: bm25(k1=3.0)", "  bm25: dense", "line 4: the key 'bm25' stands on line 3"),
        ("bm25(k1=3.0)", "bm26", "line 4: wide: "),
        ("bm25(k1=3.0)", "bm25()", "line 4: wide is the same pipeline as bm25"),
        ("bm25(k1=3.0)", "[bm25]", "line 4: pipelines.wide: expected a text"),
        ("  wide:", "  baseline:", "line 4: 'baseline' cannot name a pipeline"),
        ("  wide:", "  no:", "line 4: put the key no in quotes"),
        ("[RR@10]", "[RR@10, nDGC]", "line 5: there is no measure 'nDGC'"),
        ("[RR@10]", "[RR@10, 3]", "line 5: measures: expected a text"),
        ("baseline: bm25", "baseline: bm52", "line 6: 'bm52' is none of the pipelines"),
        ("R@5 >= 0.4", "R@5 >= high", "line 8: The gate 'R@5 >= high' cannot be read at char"),
        ("than baseline", "than narrow", "line 9: The gate 'not worse than narrow by 0.01' names"),
        ("usd_per_hour", "usd", "line 11: load: object contains unknown field `usd`"),
        ("seed: 7", "seed: -1", "line 10: the seed must be 0 to"),
        ("0.5", ".inf", "line 11: queries_per_month and peak must be 1 or more"),
        ("5000", "0", "line 11: queries_per_month and peak must be 1 or more"),
        ("corpus: helpdesk", "corpus:", "line 1: corpus: expected a text"),
        ("corpus: helpdesk\n", "", "the key 'corpus' is missing"),
        ("seed: 7", "queries: none.tsv", "line 10: there is no file 'none.tsv' beside exp.yaml"),
        ("seed: 7", "seed: &a 7\nqrels: *a", "anchors and aliases"),
        ("seed: 7", "seed: {7", "it is not valid YAML"),
        ("seed: 7", "seed: !!python/name:os.system 7", "it is not valid YAML"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_line(old: str, new: str, expected: str) -> None:
    assert old in WHOLE
    assert any(expected in one for one in problems(WHOLE.replace(old, new))), problems(
        WHOLE.replace(old, new)
    )


def test_every_problem_is_listed_at_once() -> None:
    text = WHOLE.replace("bm25(k1=3.0)", "bm26").replace("seed", "sede")
    assert len(problems(text)) == 2


@pytest.mark.parametrize("text", ["", "- a list", "just words", "\x00", "a: " + "[" * 400])
def test_what_is_no_experiment_file_is_refused(text: str) -> None:
    assert problems(text)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no experiment file"):
        read_experiment_file(tmp_path / "none.yaml")


def test_the_example_of_the_guide_is_an_experiment_file() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "gates.md").read_text()
    example = guide.partition("```yaml\n")[2].partition("```")[0]
    terms = parsed(example).terms
    assert list(terms.pipelines) == ["bm25", "overlap"]
    assert len(terms.parsed_gates) == 4
