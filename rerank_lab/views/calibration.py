"""What the Calibrate page says: pure, from a calibration and what the visitor wants of it."""

from __future__ import annotations

from dataclasses import dataclass

from rerank_lab.components.registry import expand, resolve
from rerank_lab.core.spec import Node, PipelineSpec
from rerank_lab.evaluation.calibration import (
    MIN_KEPT,
    Calibration,
    Cut,
    Fitted,
    Method,
    threshold_for,
)
from rerank_lab.views.formatting import counted
from rerank_lab.views.labels import fraction

_ROUGH = 0.1
"""The mean calibration error from which on a probability is called rough."""
_LOW, _NARROW = 0.5, 0.05
"""Below the one no group is more likely relevant than not; groups nearer than the other are one."""
NAMES: dict[Method, str] = {"platt": "Platt (logistic)", "isotonic": "Isotonic (steps)"}


@dataclass(frozen=True, slots=True)
class CalibrationView:
    """Everything on the page below the controls. `spec` and `cut_spec` can be run as they are.

    `advised` is the one of them to take: without the threshold where it empties most queries.
    """

    answer: str
    cut_answer: str
    ground: str
    fitted: Fitted
    cut: Cut | None
    spec: PipelineSpec
    cut_spec: PipelineSpec | None
    advised: PipelineSpec
    rows: tuple[tuple[str, str, str, str], ...]


def view(calibration: Calibration, method: Method | None, precision: float) -> CalibrationView:
    """The page for a curve (None for the better one) and a wanted precision (0 to 1)."""
    fitted = calibration.of(method) if method else calibration.chosen
    cut = threshold_for(fitted, precision)
    spec = resolve(f"{calibration.judged.pipeline} >> {fitted.stage}")
    cut_spec = resolve(spec >> Node("threshold", (("min", cut.threshold),))) if cut else None
    return CalibrationView(
        _answer(calibration, fitted),
        _cut_answer(fitted, cut, precision),
        _ground(calibration),
        fitted,
        cut,
        spec,
        cut_spec,
        spec if cut_spec is None or (cut and cut.empties_most) else cut_spec,
        tuple(
            (NAMES[one.method], fraction(one.brier), fraction(one.log_loss), fraction(one.ece))
            for one in calibration.fitted
        ),
    )


def _answer(calibration: Calibration, fitted: Fitted) -> str:
    better = 1 - fitted.brier / calibration.base_brier
    base = f"always saying the base rate ({percent(calibration.base_rate)})"
    base_brier = fraction(calibration.base_brier)
    figures = f"Brier score {fraction(fitted.brier)} against {base_brier} for {base}"
    if better < 0.02:
        return f"The score says little about relevance here: {figures}."
    low, high = fitted.covered
    groups = len(fitted.bins)
    off = (
        f"it is off by {percent(fitted.ece)} on average, by {percent(fitted.worst)} at most in one "
        f"of {groups} groups"
    )
    between = f"between {low:.2f} and {high:.2f}"
    if high - low < _NARROW:
        reading = f"As a probability the score hardly tells candidates apart: they lie {between}"
    elif fitted.ece >= _ROUGH:
        reading = f"The score is a rough probability at best, {between}"
    elif high < _LOW:
        reading = f"The score can be read as a probability, but only as a low one, {between}"
    else:
        reading = f"The score can be read as a probability {between}"
    return f"{reading}; {off}.{_beyond(calibration, fitted)} {figures}."


def _beyond(calibration: Calibration, fitted: Fitted) -> str:
    """Which probabilities are given but not tested, and to how many candidates."""
    high = fitted.covered[1]
    if f"{fitted.highest:.2f}" == f"{high:.2f}":
        return " No candidate has a higher one."
    return (
        f" Higher ones, up to {fitted.highest:.2f}, are given to {fitted.beyond:,} of "
        f"{counted(len(calibration.judged.scores), 'candidate')}, which are no group of their own: "
        f"whether they hold is not shown."
    )


def _cut_answer(fitted: Fitted, cut: Cut | None, precision: float) -> str:
    if cut is None or cut.precision is None:
        reached = [c.precision or 0.0 for c in fitted.cuts if c.count >= MIN_KEPT]
        return (
            f"No threshold keeps a precision of {percent(precision)} here; the most that one with "
            f"at least {MIN_KEPT} candidates reaches is {percent(max(reached, default=0.0))}. Ask "
            "for less, or take a better reranker."
        )
    share = percent(cut.precision)
    figures = (
        f"{share} of what is kept is relevant (at least {percent(cut.precision_low)} with 95 % "
        f"confidence): {cut.kept_a_query:.1f} documents a query, {percent(cut.recall)} of the "
        f"relevant candidates. {_emptied(cut)}"
    )
    if cut.empties_most:
        return (
            f"From a probability of {cut.threshold:.2f} on a precision of {percent(precision)} is "
            f"reached, but most queries then have no answer: {figures} Ask for less, or take a "
            "better reranker."
        )
    return f"From a probability of {cut.threshold:.2f} on, {figures}"


def _emptied(cut: Cut) -> str:
    """Which queries keep nothing, and whether they should."""
    words = f"{percent(cut.empty)} of queries keep nothing"
    if cut.wrongly_empty is not None:
        words += f", {percent(cut.wrongly_empty)} of those with a relevant candidate"
    if cut.rightly_empty is None:
        return f"{words}; every query has one, so that none should."
    return f"{words}; of those without one, {percent(cut.rightly_empty)} do."


def _ground(calibration: Calibration) -> str:
    judged = calibration.judged
    sentences = [
        f"{counted(judged.query_count, 'judged query', 'judged queries')}, "
        f"{counted(len(judged.scores), 'judged candidate')}, of which "
        f"{sum(judged.relevant):,} with grade {judged.grade} or more count as relevant",
        "each query's probabilities come from a curve fitted without it "
        f"({calibration.folds} folds)",
    ]
    if judged.unjudged:
        sentences.append(
            f"{counted(judged.unjudged, 'candidate')} without a judgment took no part: if judged "
            "ones are the better ones, probabilities are too high"
        )
    if judged.failed:
        sentences.append(f"{counted(judged.failed, 'query', 'queries')} failed and took no part")
    return "; ".join(sentences) + "."


def percent(share: float) -> str:
    """`0 %`, `3.4 %`, `81 %`."""
    value = 100 * share
    return f"{value:.1f} %" if 0 < value < 9.95 else f"{value:.0f} %"


def offered(specs: tuple[PipelineSpec, ...]) -> tuple[PipelineSpec, ...]:
    """The pipelines whose last stage gives scores that are no probabilities yet."""
    return tuple(spec for spec in specs if _scale(spec) not in ("order", "probability"))


def _scale(spec: PipelineSpec) -> str:
    return expand(spec.nodes[-1], "reranker" if spec.stages else "retriever")[0].scale
