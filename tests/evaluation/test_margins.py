from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as reference

from rerank_lab.core.errors import InvalidInput
from rerank_lab.evaluation.margins import Claim, Verdict, margin_test, margin_tests
from rerank_lab.evaluation.statistics import Settings, one_sided_test, paired

BASE = {f"q{i}": 0.5 for i in range(40)}
FEW = Settings(resamples=2000)


def moved(mean: float, spread: float, seed: int = 1) -> dict[str, float]:
    noise = np.random.default_rng(seed).normal(0.0, spread, len(BASE))
    noise -= noise.mean()
    return {q: 0.5 + mean + float(e) for q, e in zip(BASE, noise, strict=True)}


@pytest.mark.parametrize(
    ("mean", "spread", "verdict"),
    [
        (0.0, 0.02, Verdict.SHOWN),
        (-0.01, 0.01, Verdict.SHOWN),
        (-0.01, 0.2, Verdict.NOT_SHOWN),
        (-0.06, 0.02, Verdict.SHOWN_OTHERWISE),
        (0.1, 0.02, Verdict.SHOWN),
    ],
)
def test_not_worse_than_the_baseline_by_more_than_two_hundredths(
    mean: float, spread: float, verdict: Verdict
) -> None:
    assert margin_test(BASE, moved(mean, spread), Claim.NOT_WORSE, 0.02).verdict is verdict


@pytest.mark.parametrize(
    ("mean", "verdict"),
    [(0.1, Verdict.SHOWN), (0.05, Verdict.NOT_SHOWN), (0.01, Verdict.SHOWN_OTHERWISE)],
)
def test_better_by_more_than_a_margin_is_more_than_better(mean: float, verdict: Verdict) -> None:
    b = moved(mean, 0.05)
    assert margin_test(BASE, b, Claim.BETTER, 0.05).verdict is verdict


def test_a_verdict_shown_never_contradicts_the_interval_of_the_comparison() -> None:
    for seed in range(20):
        b = moved(0.012, 0.05, seed)
        test = margin_test(BASE, b, Claim.BETTER, 0.0, settings=FEW)
        compared = paired(BASE, b, settings=FEW)
        assert (test.low, test.high) == (compared.low, compared.high)
        assert test.verdict is not Verdict.SHOWN or (compared.low or 0.0) > 0


def test_the_one_sided_p_is_that_of_scipy_and_exact_for_few_queries() -> None:
    deltas = np.array([0.3, -0.1, 0.2, 0.25, 0.05, -0.02, 0.4, 0.11])
    theirs = reference.permutation_test(
        (deltas,), np.sum, permutation_type="samples", n_resamples=np.inf, alternative="greater"
    )
    assert one_sided_test(deltas) == pytest.approx(theirs.pvalue)
    # Five equal answers cannot show at 2.5 % what one in 32 sign patterns gives by chance.
    five = dict(list(BASE.items())[:5])
    assert margin_test(five, five, Claim.NOT_WORSE, 0.02).verdict is Verdict.NOT_SHOWN
    assert margin_test(BASE, BASE, Claim.NOT_WORSE, 0.02).verdict is Verdict.SHOWN


def test_several_pipelines_at_once_are_corrected_together() -> None:
    values = {"base": BASE, "x": moved(0.0, 0.06), "y": moved(0.0, 0.06, 2)}
    values["z"] = moved(0.1, 0.01)
    alone = margin_test(BASE, values["x"], Claim.NOT_WORSE, 0.02)
    together = {one.b: one for one in margin_tests("base", values, Claim.NOT_WORSE, 0.02)}

    assert alone.verdict is Verdict.SHOWN
    assert (together["x"].p or 0) > (alone.p or 1)
    assert together["x"].verdict is Verdict.NOT_SHOWN
    assert together["z"].verdict is Verdict.SHOWN


def test_one_query_shows_nothing_and_bad_margins_are_refused() -> None:
    one = margin_test({"q": 0.1}, {"q": 0.9}, Claim.BETTER, 0.0)
    assert (one.verdict, one.p, one.low) == (Verdict.NOT_SHOWN, None, None)
    assert one.to_json()["verdict"] == "not shown"
    for margin in (-0.1, float("nan"), float("inf")):
        with pytest.raises(InvalidInput, match="no margin"):
            margin_test(BASE, BASE, Claim.BETTER, margin)
    with pytest.raises(InvalidInput, match="no query in common"):
        margin_test({"a": 1.0}, {"b": 1.0}, Claim.BETTER, 0.0)
