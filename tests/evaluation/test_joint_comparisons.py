"""One family, one correction: intervals and p-values of Train give one verdict."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rerank_lab.evaluation.joint_comparisons import compare_jointly
from rerank_lab.evaluation.statistics import Settings, randomisation_test

QUICK = Settings(resamples=999)


def values(deltas: list[float]) -> dict[str, float]:
    return {f"q{place}": delta for place, delta in enumerate(deltas)}


def zeros(count: int) -> dict[str, float]:
    return values([0.0] * count)


differences = st.lists(st.sampled_from([-0.5, -0.25, 0.0, 0.1, 0.3, 0.631, 1.0]), min_size=2,
                       max_size=40)  # fmt: skip


# p is exactly 0.05 here: 25 of 1,000 patterns, times 2.
_ON_THE_EDGE = [
    0.631, -0.5, 0.631, 1.0, -0.5, 0.0, 0.3, 0.1, 0.0, 0.3, 1.0, 0.0, 0.0, 0.1, 0.1, -0.5, -0.25,
    1.0, 0.631, 0.1, 0.631, -0.25, -0.5, 0.0, 0.3, 0.631, 0.0, 0.0, 1.0, 0.3, -0.25,
]  # fmt: skip


@given(differences)
@example(_ON_THE_EDGE)
def test_an_interval_leaves_out_zero_exactly_where_p_is_small(deltas: list[float]) -> None:
    named = {"mine": values(deltas), "first": zeros(len(deltas)), "second": zeros(len(deltas))}
    for one in compare_jointly("mine", named, QUICK):
        assert one.p is not None
        inside = (one.low is None or one.low <= 0) and (one.high is None or one.high >= 0)
        assert inside == (one.p >= 0.05)
        assert (one.verdict() == 0) == inside
        assert one.low is None or one.low <= one.difference + 1e-12
        assert one.high is None or one.high >= one.difference - 1e-12


@given(differences)
def test_p_is_that_of_the_sign_flip_test_times_the_comparisons(deltas: list[float]) -> None:
    single = randomisation_test(np.array(deltas), QUICK)
    named = {"mine": values(deltas), "first": zeros(len(deltas)), "second": zeros(len(deltas))}
    [first, second] = compare_jointly("mine", named, QUICK)
    assert single is not None
    assert first.p == second.p == pytest.approx(min(1.0, 2 * single))
    [alone] = compare_jointly("mine", {"mine": values(deltas), "first": zeros(len(deltas))}, QUICK)
    assert alone.p == pytest.approx(single)


def test_the_interval_holds_what_the_test_does_not_reject() -> None:
    deltas = np.random.default_rng(3).normal(0.05, 0.2, 30)
    named = {"mine": values(deltas.tolist()), "first": zeros(30), "second": zeros(30)}
    one = compare_jointly("mine", named)[0]
    assert one.low is not None
    assert one.high is not None
    for shift, rejected in ((one.low - 1e-6, True), (one.low + 1e-6, False),
                            (one.high - 1e-6, False), (one.high + 1e-6, True)):  # fmt: skip
        p = randomisation_test(deltas - shift)
        assert p is not None
        assert (2 * p < 0.05) == rejected


def test_the_family_covers_the_truth_together_as_often_as_it_claims() -> None:
    generator = np.random.default_rng(0)
    held = 0
    for _ in range(200):
        noise = generator.normal(0.3, 1.0, (2, 25))
        named = {"mine": zeros(25)} | {
            str(k): values((-row).tolist()) for k, row in enumerate(noise)
        }
        joint = compare_jointly("mine", named, QUICK)
        held += all((one.low or -9) <= 0.3 <= (one.high or 9) for one in joint)
    assert held >= 182


def test_few_queries_leave_the_interval_open_and_nothing_shown() -> None:
    [one] = compare_jointly("mine", {"mine": values([0.4, 0.5, 0.6]), "first": zeros(3)})
    assert (one.low, one.high, one.verdict()) == (None, None, 0)
    [one] = compare_jointly("mine", {"mine": values([0.4]), "first": zeros(1)})
    assert (one.p, one.verdict()) == (None, 0)


def test_one_that_shares_no_query_is_no_part_of_the_family() -> None:
    named = {"mine": values([0.4, 0.5]), "first": zeros(2), "apart": {"x": 1.0}}
    assert [(one.a, one.family) for one in compare_jointly("mine", named)] == [("first", 1)]
