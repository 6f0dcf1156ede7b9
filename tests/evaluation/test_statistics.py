from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as reference

from rerank_lab.core.errors import InvalidInput
from rerank_lab.evaluation.statistics import (
    Settings,
    against,
    best_group,
    bootstrap_interval,
    detectable_difference,
    differences,
    holm,
    mean_interval,
    paired,
    paired_all,
    queries_needed,
    randomisation_test,
    t_test,
)

RNG = np.random.default_rng(3)
SKEWED = RNG.exponential(0.2, 40) - 0.1
SHORT = np.array([0.3, -0.1, 0.2, 0.25, 0.05, -0.02, 0.4, 0.11])


def by_query(values: object) -> dict[str, float]:
    return {f"q{i}": float(value) for i, value in enumerate(values)}  # type: ignore[call-overload]


def test_only_shared_queries_are_paired_whatever_their_order() -> None:
    a, b = {"q1": 0.5, "q2": 0.2, "only-a": 1.0}, {"only-b": 0.0, "q2": 0.6, "q1": 0.5}

    assert differences(a, b) == {"q1": 0.0, "q2": pytest.approx(0.4)}
    found = paired(a, b, ("bm25", "l12"))
    assert (found.a, found.b, found.queries) == ("bm25", "l12", 2)
    assert (found.mean_a, found.mean_b) == (0.35, 0.55)
    assert (found.wins, found.losses, found.ties) == (1, 0, 1)


def test_nothing_shared_is_refused_and_one_query_gives_no_test() -> None:
    with pytest.raises(InvalidInput, match="no query in common"):
        paired({"q1": 1.0}, {"q2": 1.0})
    one = paired({"q1": 0.0}, {"q1": 1.0})
    assert (one.difference, one.low, one.high, one.p, one.p_t) == (1.0, None, None, None, None)
    assert one.detectable is None


def test_tolerance_decides_what_a_tie_is() -> None:
    a, b = by_query([0.5, 0.5, 0.5]), by_query([0.5 + 1e-12, 0.52, 0.4])

    strict = paired(a, b)
    assert (strict.wins, strict.losses, strict.ties) == (1, 1, 1)
    loose = paired(a, b, settings=Settings(tolerance=0.05))
    assert (loose.wins, loose.losses, loose.ties) == (0, 1, 2)


def test_exact_randomisation_test_agrees_with_scipy() -> None:
    theirs = reference.permutation_test(
        (SHORT,), np.mean, permutation_type="samples", n_resamples=np.inf
    ).pvalue
    assert randomisation_test(SHORT) == pytest.approx(theirs)


def test_random_sign_flips_come_near_scipy_and_are_seeded() -> None:
    theirs = reference.permutation_test(
        (SKEWED,), np.mean, permutation_type="samples", n_resamples=20_000, rng=1
    ).pvalue
    ours = randomisation_test(SKEWED)
    assert ours == pytest.approx(theirs, abs=0.01)
    assert ours == randomisation_test(SKEWED)
    assert ours != randomisation_test(SKEWED, Settings(seed=1))


def test_p_is_1_without_any_difference_and_never_0() -> None:
    assert randomisation_test(np.zeros(30)) == 1.0
    assert randomisation_test(np.full(30, 0.2)) == pytest.approx(1 / 10_001)
    assert t_test(np.zeros(30)) is None
    assert t_test(np.full(30, 0.2)) is None


def test_t_test_agrees_with_scipy() -> None:
    for deltas in (SHORT, SKEWED):
        theirs = reference.ttest_rel(deltas, np.zeros_like(deltas)).pvalue
        assert t_test(deltas) == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize("method", ["bca", "percentile"])
def test_bootstrap_intervals_come_near_scipy(method: str) -> None:
    theirs = reference.bootstrap(
        (SKEWED,), np.mean, n_resamples=20_000, method=method, rng=5
    ).confidence_interval
    ours = bootstrap_interval(SKEWED, Settings(interval=method))  # type: ignore[arg-type]
    assert ours == pytest.approx(tuple(theirs), abs=0.004)
    assert ours == bootstrap_interval(SKEWED, Settings(interval=method))  # type: ignore[arg-type]


def test_intervals_hold_the_truth_about_as_often_as_they_claim() -> None:
    generator = np.random.default_rng(0)
    settings = Settings(resamples=500, level=0.9)
    inside = 0
    for _ in range(200):
        low, high = bootstrap_interval(generator.exponential(1.0, 40) - 1.0, settings)
        assert low is not None
        assert high is not None
        inside += low <= 0 <= high
    assert 0.82 <= inside / 200 <= 0.97


@pytest.mark.parametrize("queries", [5, 10, 20, 99, 100])
def test_intervals_of_few_queries_hold_the_truth(queries: int) -> None:
    generator = np.random.default_rng(1)
    settings = Settings(resamples=500)
    inside = 0
    for _ in range(300):
        ties = generator.random(queries) < 0.4
        deltas = np.where(ties, 0.0, generator.normal(0, 0.2, queries))
        low, high = bootstrap_interval(deltas, settings)
        assert low is not None
        assert high is not None
        inside += low <= 0 <= high
    assert inside / 300 >= 0.92  # BCa alone: 0.79, 0.85, 0.89 of 5, 10, 20 queries


def test_of_few_values_the_interval_is_student_s() -> None:
    few = SKEWED[:12]
    error = few.std(ddof=1) / math.sqrt(len(few))
    theirs = reference.t.interval(0.95, len(few) - 1, few.mean(), error)
    assert bootstrap_interval(few) == pytest.approx(theirs, rel=1e-9)
    assert bootstrap_interval(few, weights=np.full(12, 3.0)) == pytest.approx(theirs, rel=1e-9)


def test_the_tails_of_bca_are_widened_by_student_s_quantile() -> None:
    many = RNG.exponential(0.2, 120) - 0.1
    tail = reference.norm.cdf(reference.t.ppf(0.025, 119) * math.sqrt(120 / 119))
    wider = Settings(level=1 - 2 * float(tail), interval="bca")
    assert bootstrap_interval(many) == pytest.approx(bootstrap_interval(many, wider), rel=1e-9)


def test_an_interval_of_a_mean_stays_where_means_can_be() -> None:
    values = np.array([1.0, 1.0, 0.9, 1.0, 0.2])
    low, high = bootstrap_interval(values)
    assert high is not None
    assert high > 1
    assert mean_interval(values) == (low, 1.0)
    assert mean_interval(1 - values)[0] == 0.0
    assert mean_interval(values * 3)[1] == pytest.approx(high * 3)


def test_an_interval_of_equal_differences_is_a_point() -> None:
    assert bootstrap_interval(np.full(9, 0.25)) == (0.25, 0.25)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_never_lowers_a_p_and_keeps_the_order(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(p <= q <= 1 for p, q in zip(p_values, adjusted, strict=True))
    by_p = sorted(range(len(p_values)), key=lambda i: p_values[i])
    assert [adjusted[i] for i in by_p] == sorted(adjusted)


def test_comparisons_with_a_baseline_are_corrected_together() -> None:
    base = by_query(RNG.uniform(0, 1, 30))
    values = {
        "bm25": base,
        "better": {q: v + 0.1 + 0.01 * i for i, (q, v) in enumerate(base.items())},
        "same": {q: v + (0.01 if i % 2 else -0.01) for i, (q, v) in enumerate(base.items())},
        "elsewhere": {"other": 1.0},
    }
    found = {one.b: one for one in against("bm25", values)}

    assert list(found) == ["better", "same"]
    assert found["better"].p_holm == pytest.approx(2 * (found["better"].p or 0))
    assert (found["same"].p_holm or 0) > 0.9
    assert found["better"].wins == 30


def test_the_best_group_holds_what_cannot_be_told_from_the_best() -> None:
    base = by_query(RNG.uniform(0, 0.5, 30))
    values = {
        "bm25": base,
        "best": {q: v + 0.30 for q, v in base.items()},
        "near": {q: v + 0.30 + (0.2 if i % 2 else -0.21) for i, (q, v) in enumerate(base.items())},
    }
    assert best_group(values) == ["best", "near"]
    assert best_group({}) == []
    assert best_group({"a": {"q1": 1.0}, "b": {"q2": 1.0}}) == []


def test_smallest_detectable_difference_finds_what_it_says() -> None:
    generator = np.random.default_rng(0)
    size = detectable_difference(generator.normal(0, 0.2, 50))
    assert size is not None
    found = [(t_test(generator.normal(size, 0.2, 50)) or 1) < 0.05 for _ in range(400)]
    assert 0.7 <= float(np.mean(found)) <= 0.95


def test_queries_needed_are_those_for_which_the_observed_difference_is_detectable() -> None:
    deltas = np.array([0.2, -0.1, 0.3, 0.0, 0.05, -0.15, 0.25, 0.1])
    needed = queries_needed(deltas) or 0

    sd, mean = float(deltas.std(ddof=1)), float(deltas.mean())
    z = reference.norm.ppf(0.975)
    power = [reference.norm.sf(z - mean / sd * np.sqrt(n)) for n in (needed - 1, needed)]
    assert power[0] < 0.8 <= power[1]
    assert (detectable_difference(deltas) or 0) > mean
    assert (queries_needed(deltas, comparisons=5) or 0) > needed
    assert queries_needed(np.zeros(8)) is None
    assert queries_needed(deltas[:1]) is None


def test_values_that_differ_in_their_last_digit_alone_have_an_interval() -> None:
    deltas = np.array([-5.0] * 20 + [np.nextafter(-5.0, 0)] * 20)
    assert bootstrap_interval(deltas) == pytest.approx((-5, -5))


def test_equal_pipelines_leave_the_best_group_no_more_often_than_stated() -> None:
    settings, generator = Settings(resamples=1000), np.random.default_rng(11)
    outside = 0
    for _ in range(200):
        table = np.clip(generator.normal(0.5, 0.2, (30, 6)), 0, 1)
        values = {f"p{place}": by_query(table[:, place]) for place in range(6)}
        outside += len(best_group(values, settings)) < 6
    # Corrected over the five tests of the best alone, it is one experiment in ten.
    assert outside <= 14


def test_many_pairs_at_once_have_the_numbers_that_each_has_alone() -> None:
    values = [by_query(RNG.random(n)) for n in (2, 16, 40, 40, 16)]
    values.append(by_query([1.0] * 40))
    pairs = [((str(i), str(j)), a, b) for i, a in enumerate(values) for j, b in enumerate(values)]

    assert paired_all(pairs) == [paired(a, b, names) for names, a, b in pairs]


def test_no_difference_of_shares_lies_beyond_one() -> None:
    a, b = {"q1": 1.0, "q2": 0.0}, {"q1": 0.0, "q2": 0.9}
    result = paired(a, b)
    assert (result.low, result.high) == (-1.0, 1.0)
    ranks = paired({"q1": 3.0, "q2": 1.0}, {"q1": 1.0, "q2": 3.0})
    assert ranks.low is not None
    assert ranks.low < -10  # ranks are no shares: nothing bounds their differences by 1
