"""Depth curves in words and rows: where more candidates stop to pay, and where they harm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rerank_lab.evaluation.depth.study import KNEE_SHARE, DepthCurve, DepthPoint, DepthStudy
from rerank_lab.views.formatting import counted
from rerank_lab.views.hosted import money
from rerank_lab.views.labels import fraction, seconds
from rerank_lab.views.results_table import p_words, signed

FEW = 25
"""Fewer judged queries than this leave wide intervals, which is said."""


@dataclass(frozen=True, slots=True)
class DepthRow:
    """One pipeline at one depth, as texts of a table."""

    label: str
    depth: int
    value: str
    interval: str
    oracle: str
    recall: str
    p50: str
    p95: str
    price: str
    remark: str


@dataclass(frozen=True, slots=True)
class DepthView:
    """What a depth study says.

    Attributes:
        answer: a sentence for each pipeline, the most important things first.
        rows: all points, pipeline by pipeline.
        notes: how to read the numbers.
        problems: pipelines without a curve, and why.
    """

    answer: tuple[str, ...]
    rows: tuple[DepthRow, ...]
    notes: tuple[str, ...]
    problems: tuple[str, ...]


def depth_view(study: DepthStudy, labels: Mapping[str, str]) -> DepthView:
    """The study in words. `labels` are names of pipelines by their spec."""

    def name(curve: DepthCurve) -> str:
        return labels.get(curve.pipeline, curve.pipeline)

    drawn = [curve for curve in study.curves if curve.points]
    return DepthView(
        tuple(_sentence(study, curve, name(curve)) for curve in drawn if curve.reranks)
        or ("No pipeline here has a reranker, so that depth decides only what is found.",),
        tuple(_row(curve, point, name(curve)) for curve in drawn for point in curve.points),
        _notes(study, labels),
        tuple(f"{name(one)}: {one.problem}" for one in study.curves if not one.points),
    )


def _sentence(study: DepthStudy, curve: DepthCurve, label: str) -> str:
    knee, best, drowning = curve.knee, curve.best, curve.drowning
    if knee is None or best is None:
        return f"{label}: {curve.problem}"
    said = f"{label}: {knee.depth:,} candidates are enough"
    if knee.depth != best.depth:
        said += (
            f" ({study.measure} {fraction(knee.value)}, "
            f"{fraction(best.value)} at best with {best.depth:,})"
        )
    else:
        said += f" ({study.measure} {fraction(knee.value)}, the best of all depths)"
    deepest = curve.points[-1]
    if drowning is not None:
        return f"{said}. More make it worse: {_drop(drowning, deepest)}."
    if knee.depth == deepest.depth:
        more = "; more may help" if knee.candidates >= knee.depth else ""
        return (
            f"{label}: {knee.depth:,} candidates, the most tried, rank best "
            f"({study.measure} {fraction(knee.value)}){more}."
        )
    return f"{said}. No loss from more of them is shown."


def _drop(better: DepthPoint, deepest: DepthPoint) -> str:
    paired = better.against_deepest
    if paired is None:
        return ""
    between = ""
    if paired.low is not None and paired.high is not None:
        between = f" [{signed(-paired.high)}, {signed(-paired.low)}]"
    return (
        f"{signed(-paired.difference)}{between} with {deepest.depth:,} against {better.depth:,} "
        f"(Holm {p_words(paired.p_holm)})"
    )


def _row(curve: DepthCurve, point: DepthPoint, label: str) -> DepthRow:
    best = curve.best
    remarks = []
    if point is curve.knee or point == curve.knee:
        remarks.append("knee")
    if point == best:
        remarks.append("best")
    paired = point.against_deepest
    if paired is not None and paired.p_holm is not None and paired.p_holm < 0.05:
        remarks.append("better than the deepest" if paired.difference > 0 else "worse")
    interval = ""
    if point.low is not None and point.high is not None:
        interval = f"{point.low:.3f} to {point.high:.3f}"
    about = "≈ " if curve.timing == "estimated" else ""
    return DepthRow(
        label,
        point.depth,
        fraction(point.value),
        interval,
        fraction(point.oracle),
        fraction(point.recall),
        "–" if point.p50 is None else about + seconds(point.p50),
        "–" if point.p95 is None else about + seconds(point.p95),
        "unknown" if point.usd is None else money(point.usd),
        ", ".join(remarks),
    )


def _notes(study: DepthStudy, labels: Mapping[str, str]) -> tuple[str, ...]:
    drawn = [curve for curve in study.curves if curve.points]
    notes = [
        f"Over {counted(study.queries, 'judged query', 'judged queries')} that every pipeline "
        "answered at every depth. All candidates are reranked; rerankers after the first keep "
        f"their own number. The knee is the smallest depth that reaches {KNEE_SHARE:.0%} of the "
        "best mean."
    ]
    again = [labels.get(one.pipeline, one.pipeline) for one in drawn if not one.replayed]
    if any(one.replayed and one.reranks for one in drawn):
        notes.append(
            "A pointwise reranker scores each document by itself: it was asked once, and smaller "
            "depths follow exactly from these scores."
        )
    if again:
        notes.append(f"Asked again at every depth: {', '.join(again)}.")
    if any(one.timing == "estimated" for one in drawn):
        notes.append("Times with ≈ are estimated from the time that one candidate takes.")
    if any(not one.timing for one in drawn):
        notes.append(
            "Where no time is given, all answers came from the score cache; measure times afresh "
            "to have them."
        )
    notes.append("The price is what providers bill for 1,000 queries; own hardware is not in it.")
    if 0 < study.queries < FEW:
        notes.append(
            f"{study.queries} queries are few: the intervals say how far each point may be off."
        )
    return tuple(notes)
