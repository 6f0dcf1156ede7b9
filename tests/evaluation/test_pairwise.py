"""All pairs of pipelines: the same test and correction as one pair against another."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import permutation_test

from rerank_lab.evaluation.pairwise import all_pairs, beats
from rerank_lab.evaluation.statistics import Settings, holm, paired


def values(count: int, seed: int = 0) -> dict[str, dict[str, float]]:
    """Three pipelines: a and b alike, c better than both."""
    draws = np.random.default_rng(seed).random((count, 3)).round(2)
    shifts = {"a": 0.0, "b": 0.02, "c": 0.4}
    return {
        name: {f"q{row}": float(draws[row, place] + shift) for row in range(count)}
        for place, (name, shift) in enumerate(shifts.items())
    }


@pytest.mark.parametrize("count", [2, 12, 16, 17, 60])
def test_p_values_are_those_of_the_one_test_that_the_lab_has(count: int) -> None:
    of = values(count)
    pairs = all_pairs(of)
    alone = [paired(of[one.a], of[one.b]).p for one in pairs]
    assert [one.p for one in pairs] == alone
    assert [one.p_holm for one in pairs] == holm([p for p in alone if p is not None])


def test_exact_p_values_equal_scipys() -> None:
    of = values(10)
    for one in all_pairs(of):
        deltas = [of[one.b][query] - of[one.a][query] for query in of[one.a]]
        theirs = permutation_test((deltas,), np.mean, permutation_type="samples", n_resamples=1024)
        assert one.p == pytest.approx(theirs.pvalue)


def test_only_significant_differences_count_as_beaten() -> None:
    assert beats(values(60)) == {"a": (), "b": (), "c": ("a", "b")}
    assert beats(values(60), Settings(level=1 - 1e-9)) == {"a": (), "b": (), "c": ()}


def test_equal_pipelines_and_too_few_queries_beat_nobody() -> None:
    same = {f"q{row}": 0.5 for row in range(20)}
    assert [one.p for one in all_pairs({"a": same, "b": dict(same)})] == [1.0]
    assert beats({"a": {"q": 0.0}, "b": {"q": 1.0}}) == {"a": (), "b": ()}
    assert all_pairs({"a": {"q": 0.0}, "b": {"other": 1.0}}) == []
