"""The letters of significance are those that ranx prints, where its test comes to the same."""

from __future__ import annotations

import random

import numpy as np
from ranx.data_structures.report import Report
from ranx.statistical_tests import compute_statistical_significance

from rerank_lab.views.evaluate_tables import beaten_letters, letter
from tests.views.evaluations import evaluation

QUERIES = 40
SPECS = ("bm25", "bm25 >> identity", "bm25 >> overlap", "bm25 >> mmr")
SUPERSCRIPTS = dict(zip("ᵃᵇᶜᵈ", "abcd", strict=True))


def test_letters_are_those_that_ranx_prints() -> None:
    generator = random.Random(0)
    # The first is worst; the second and third are as good; the last is best.
    places = {
        SPECS[0]: [generator.randint(5, 9) for _ in range(QUERIES)],
        SPECS[1]: [generator.randint(2, 4) for _ in range(QUERIES)],
        SPECS[2]: [generator.randint(2, 4) for _ in range(QUERIES)],
        SPECS[3]: [1] * QUERIES,
    }
    done = evaluation(places, measures=("RR@10", "nDCG@10"))
    # The values are those of the lab: what ranx compiles to compute them takes half a minute.
    scores = {
        spec: {"mrr@10": np.array([*done.values(spec, "RR@10").values()]),
               "ndcg@10": np.array([*done.values(spec, "nDCG@10").values()])}
        for spec in SPECS
    }  # fmt: skip
    report = Report(
        list(SPECS),
        {spec: {name: values.mean() for name, values in scores[spec].items()} for spec in SPECS},
        compute_statistical_significance(list(SPECS), scores, "student", max_p=0.05),
        ["mrr@10", "ndcg@10"],
        max_p=0.05,
        win_tie_loss={},
    )
    for ours, theirs in (("RR@10", "mrr@10"), ("nDCG@10", "ndcg@10")):
        marks = {
            spec: tuple(SUPERSCRIPTS[one] for one in report.get_superscript_for_table(spec, theirs))
            for spec in SPECS
        }
        assert beaten_letters(done, ours) == marks
        assert marks[SPECS[3]] == ("a", "b", "c")
        assert marks[SPECS[2]] == ("a",)
    printed = [line.split()[:2] for line in str(report).splitlines()[2:]]
    assert [row[0] for row in printed] == [letter(place) for place in range(len(SPECS))]
