"""Fitted curves against independent optimisers, and the figures against counts by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import binomtest

from rerank_lab.components.registry import resolve
from rerank_lab.core.errors import InvalidInput
from rerank_lab.evaluation.calibration.curves import MAX_POINTS, fit_isotonic, fit_platt
from rerank_lab.evaluation.calibration.figures import (
    cut_at,
    measured,
    reliability,
    threshold_for,
    wilson,
)
from rerank_lab.rerankers.rules.score_stages import Isotonic, Platt


def drawn(count: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores, and relevance drawn from a logistic curve of slope 0.7 and intercept -1."""
    chance = np.random.default_rng(seed)
    scores = chance.normal(0, 4, count)
    truth = chance.random(count) < 1 / (1 + np.exp(1 - 0.7 * scores))
    return scores, truth.astype(np.float64)


def stage_options(stage: str) -> dict[str, object]:
    return dict(resolve(f"bm25 >> {stage}").stages[0].values)


def test_platt_minimises_the_loss_of_the_paper() -> None:
    scores, truth = drawn()
    positive = truth.sum()
    high, low = (positive + 1) / (positive + 2), 1 / (len(truth) - positive + 2)
    target = np.where(truth > 0, high, low)

    def loss(line: np.ndarray) -> float:
        logit = line[0] * scores + line[1]
        return float(np.sum(np.logaddexp(0, logit) - target * logit))

    best = minimize(loss, [1.0, 0.0], method="BFGS", options={"gtol": 1e-8}).x
    options = stage_options(fit_platt(scores, truth).stage)
    assert options["slope"] == pytest.approx(best[0], rel=1e-4)
    assert options["intercept"] == pytest.approx(best[1], rel=1e-4)


def test_platt_finds_the_curve_that_the_data_were_drawn_from() -> None:
    options = stage_options(fit_platt(*drawn(40_000)).stage)
    assert options["slope"] == pytest.approx(0.7, abs=0.03)
    assert options["intercept"] == pytest.approx(-1.0, abs=0.06)


def test_scores_that_speak_against_relevance_are_refused() -> None:
    scores, truth = drawn()
    with pytest.raises(InvalidInput, match="do not go with relevance"):
        fit_platt(-scores, truth)


def pooled(truth: list[float]) -> list[float]:
    """Pool adjacent violators, written plainly: the means of blocks that never fall."""
    blocks: list[list[float]] = []
    for value in truth:
        blocks.append([value])
        while len(blocks) > 1 and np.mean(blocks[-2]) >= np.mean(blocks[-1]):
            last = blocks.pop()
            blocks[-1] += last
    return [float(np.mean(block)) for block in blocks for _ in block]


@settings(max_examples=50)
@given(st.lists(st.booleans(), min_size=2, max_size=60))
def test_isotonic_pools_adjacent_violators(relevant: list[bool]) -> None:
    scores = np.arange(len(relevant), dtype=np.float64)
    truth = np.asarray(relevant, np.float64)
    curve = fit_isotonic(scores, truth)
    np.testing.assert_allclose(curve.apply(scores), pooled(list(truth)), atol=1e-5)


def test_the_stage_says_what_the_curve_says() -> None:
    scores, truth = drawn(3000)
    for fit, made in ((fit_platt, Platt), (fit_isotonic, Isotonic)):
        curve = fit(scores, truth)
        stage = made(**stage_options(curve.stage))
        assert not stage.problems()
        expected = [stage.probability(float(score)) for score in scores[:200]]
        np.testing.assert_allclose(curve.apply(scores[:200]), expected, atol=2e-5)


def test_a_long_isotonic_curve_is_thinned_to_what_a_spec_has_room_for() -> None:
    chance = np.random.default_rng(0)
    scores = np.sort(chance.normal(size=20_000))
    truth = (chance.random(20_000) < np.linspace(0, 1, 20_000)).astype(float)
    points = str(stage_options(fit_isotonic(scores, truth).stage)["points"]).split()
    assert 10 < len(points) <= MAX_POINTS


@given(st.integers(0, 50), st.integers(1, 50))
def test_intervals_of_a_share_are_wilsons(right: int, more: int) -> None:
    total = right + more
    expected = binomtest(right, total).proportion_ci(0.95, method="wilson")
    low, high = wilson(right, total)
    assert low == pytest.approx(expected.low, abs=1e-4)
    assert high == pytest.approx(expected.high, abs=1e-4)


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.5, 0.9]), st.booleans()), min_size=1))
def test_bins_hold_everything_once_and_never_part_equals(rows: list[tuple[float, bool]]) -> None:
    said = np.asarray([p for p, _ in rows])
    truth = np.asarray([float(t) for _, t in rows])
    bins = reliability(said, truth)
    assert sum(one.count for one in bins) == len(rows)
    assert len({one.predicted for one in bins}) == len(bins)
    assert sum(one.observed * one.count for one in bins) == pytest.approx(truth.sum())


SAID = np.asarray([0.9, 0.6, 0.4, 0.8, 0.3, 0.2])
TRUTH = np.asarray([1.0, 0.0, 1.0, 1.0, 0.0, 0.0])
QUERIES = ("a", "a", "a", "b", "b", "c")


def test_a_threshold_is_counted_by_hand() -> None:
    cut = cut_at(0.6, SAID, TRUTH, QUERIES)
    assert cut.precision == pytest.approx(2 / 3)
    assert cut.recall == pytest.approx(2 / 3)
    assert cut.kept_a_query == 1.0
    assert cut.empty == pytest.approx(1 / 3)
    assert cut.rightly_empty == 1.0  # "c" has nothing relevant, and keeps nothing
    nothing = cut_at(0.95, SAID, TRUTH, QUERIES)
    assert nothing.precision is None
    assert nothing.empty == 1.0
    everything = cut_at(0.0, SAID, TRUTH, QUERIES)
    assert everything.rightly_empty == 0.0
    assert everything.recall == 1.0


def test_the_threshold_is_the_lowest_that_keeps_its_word_from_there_on() -> None:
    found = measured("platt", "platt", SAID, TRUTH, QUERIES)
    cut = threshold_for(found, 0.9, 1)
    assert cut is not None
    assert cut.threshold == 0.61
    assert cut.precision == 1.0
    # From 0.31 to 0.40 three of four are right, but precision dips to 2 of 3 above.
    steady = threshold_for(found, 0.75, 1)
    assert steady is not None
    assert steady.threshold == 0.61
    assert threshold_for(measured("platt", "p", SAID, 1 - TRUTH, QUERIES), 0.9, 1) is None
    assert threshold_for(found, 0.9, 3) is None  # two candidates are not enough to believe it


def test_brier_and_calibration_error_are_those_of_the_definitions() -> None:
    found = measured("platt", "platt", SAID, TRUTH, QUERIES)
    assert found.brier == pytest.approx(np.mean((SAID - TRUTH) ** 2))
    assert found.ece == pytest.approx(np.mean(np.abs(SAID - TRUTH)))  # each is a bin of its own
