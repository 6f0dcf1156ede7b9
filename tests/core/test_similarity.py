from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.similarity import kendall_tau, overlap_at, rbo, tied_ranks
from rerank_lab.core.types import Ranking

ids = st.permutations([f"d{i}" for i in range(9)]).flatmap(
    lambda order: st.integers(1, 9).map(lambda n: order[:n])
)
scored = st.dictionaries(
    st.sampled_from([f"d{i}" for i in range(9)]), st.integers(0, 4).map(float), min_size=1
).map(lambda scores: Ranking.from_scores("q", scores, "bm25"))


def by_definition(a: list[str], b: list[str], p: float, depth: int = 3000) -> float:
    """RBO summed term by term, unseen ranks agreeing as the seen ones did (Webber et al. 4.3)."""
    short, long = sorted((a, b), key=len)
    s, n = len(short), len(long)
    agreement_at_s = len(set(short) & set(long[:s])) / s
    total = 0.0
    agreement = 0.0
    for d in range(1, depth + 1):
        if d <= n:
            common = len(set(short[:d]) & set(long[:d])) + max(0, d - s) * agreement_at_s
            agreement = common / d
        total += (1 - p) * p ** (d - 1) * agreement
    return total


def test_overlap_at_k() -> None:
    assert overlap_at(["a", "b", "c"], ["c", "b", "x"], 2) == 0.5
    assert overlap_at(["a", "b"], ["b", "a"], 10) == 1.0
    assert overlap_at(["a"], ["a", "b"], 10) == 0.5
    assert overlap_at([], [], 10) is None
    assert overlap_at([], ["a"], 10) == 0.0
    with pytest.raises(InvalidInput):
        overlap_at(["a"], ["a"], 0)


def test_rbo_by_hand() -> None:
    # agreements 1, 1/2, 1 over depths 1, 2, 3
    expected = 0.1 / 0.9 * (0.9 * 1 + 0.81 * 0.5 + 0.729 * 1) + 0.729 * 1
    assert rbo(["1", "2", "3"], ["1", "3", "2"], 0.9) == pytest.approx(expected)
    assert rbo(["a", "b"], ["x", "y"]) == 0.0
    assert rbo([], ["a"]) is None
    for p in (0.0, 1.0, -1.0, math.nan):
        with pytest.raises(InvalidInput):
            rbo(["a"], ["a"], p)


def test_rbo_weights_the_top() -> None:
    base = list("abcdefghij")
    top, bottom = list("bacdefghij"), list("abcdefghji")
    assert rbo(base, top) < rbo(base, bottom) < 1  # type: ignore[operator]


def test_rbo_of_lists_of_different_length_by_hand() -> None:
    # S = a b, L = a x b: A1 = 1, A2 = 1/2, A3 = (2 + 1 * 1/2) / 3
    third = 2.5 / 3
    expected = 0.5 / 0.5 * (0.5 * 1 + 0.25 * 0.5 + 0.125 * third) + 0.125 * third
    assert rbo(["a", "b"], ["a", "x", "b"], 0.5) == pytest.approx(expected)


def test_tied_documents_share_a_rank() -> None:
    tied = Ranking.from_scores("q", {"a": 2.0, "b": 1.0, "c": 1.0, "d": 0.5}, "bm25")
    other = Ranking.from_scores(
        "q", {"a": 2.0, "b": 1.0, "c": 1.0, "d": 0.5}, "bm25", previous=["a", "c", "b", "d"]
    )

    assert tied_ranks(tied) == {"a": 1, "b": 2, "c": 2, "d": 4}
    assert tied_ranks(tied.top(1).followed_by(["x", "y"])) == {"a": 1, "x": 2, "y": 3}
    assert tied.doc_ids != other.doc_ids
    assert rbo(tied, other) == pytest.approx(1.0)
    assert kendall_tau(tied, other) == pytest.approx(1.0)


def test_tied_rbo_by_hand() -> None:
    # S = {a, b} tied, c; L = a, b, c. S has 2, 2, 3 documents at depths 1, 2, 3; L 1, 2, 3.
    tied = Ranking.from_scores("q", {"a": 2.0, "b": 2.0, "c": 1.0}, "bm25")
    expected = 0.1 / 0.9 * (0.9 * (2 * 1 / 3) + 0.81 + 0.729) + 0.729
    assert rbo(tied, ["a", "b", "c"], 0.9) == pytest.approx(expected)


def test_kendall_tau_is_undefined_without_two_decided_documents() -> None:
    flat = Ranking.from_scores("q", {"a": 1.0, "b": 1.0}, "bm25")
    assert kendall_tau(["a"], ["a"]) is None
    assert kendall_tau(["a", "b"], ["a", "x"]) is None
    assert kendall_tau(flat, ["a", "b"]) is None
    assert kendall_tau(["a", "b", "c"], ["c", "b", "a"]) == -1.0


@given(ids, ids, st.floats(0.05, 0.98))
def test_rbo_agrees_with_its_definition(a: list[str], b: list[str], p: float) -> None:
    assert rbo(a, b, p) == pytest.approx(by_definition(a, b, p), abs=1e-9)


@given(scored, scored, st.sampled_from([0.5, 0.9, 0.98]))
def test_rbo_is_a_symmetric_share_and_1_for_the_same(a: Ranking, b: Ranking, p: float) -> None:
    value = rbo(a, b, p)
    assert value is not None
    assert 0 <= value <= 1
    assert value == pytest.approx(rbo(b, a, p))
    assert rbo(a, a, p) == pytest.approx(1.0)


@given(scored, scored)
def test_kendall_tau_agrees_with_scipy(a: Ranking, b: Ranking) -> None:
    x, y = tied_ranks(a), tied_ranks(b)
    shared = sorted(x.keys() & y.keys())
    ours = kendall_tau(a, b)
    if len(shared) < 2:
        assert ours is None
        return
    theirs = kendalltau([x[d] for d in shared], [y[d] for d in shared]).statistic
    if ours is None:
        assert math.isnan(theirs)
    else:
        assert ours == pytest.approx(theirs)
