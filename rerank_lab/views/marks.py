"""The small marks beside documents and names: grades, moves, the judged quality of a column."""

from __future__ import annotations

from dataclasses import dataclass

from rerank_lab.views.compare import JUDGED_DEPTH, MEASURE, Quality
from rerank_lab.views.formatting import counted
from rerank_lab.views.labels import fraction
from rerank_lab.views.rank_changes import Movement

GRADES = {0: "not relevant", 1: "slightly", 2: "relevant", 3: "perfect"}
"""What a grade means, as TREC's passage judgments name them."""
MOVES_EXPLAINED = "ranks gained or lost against the pipeline's own first stage"


@dataclass(frozen=True, slots=True)
class GradeMark:
    """A grade as a chip: its text, the sentence behind it, and a shade from 0 to 3."""

    text: str
    meaning: str
    shade: int


@dataclass(frozen=True, slots=True)
class MoveMark:
    """A move as a sign: `kind` is up, down, same or new, `before` says where it came from."""

    text: str
    before: str
    kind: str


@dataclass(frozen=True, slots=True)
class QualityMark:
    """The judged quality of one column. `reach` and `share` are the widths of its bar, 0 to 1.

    `reach` is the part of the bar that these candidates allow, `share` the part of that reached.
    """

    measure: str
    value: str
    note: str
    reach: float
    share: float


def grade_mark(value: int | None) -> GradeMark | None:
    """The chip of a grade; None when it is not judged."""
    if value is None:
        return None
    meaning = f"Grade {value}: {GRADES.get(value, '')}"
    return GradeMark(f"grade {value}", meaning, max(0, min(3, value)))


def legend_grades(judged: bool) -> tuple[int, ...]:
    """The grades to explain on a page, the best first; none where nothing is judged."""
    return tuple(sorted(GRADES, reverse=True)) if judged else ()


def move_mark(move: Movement | None) -> MoveMark | None:
    """The sign of a move; None for a pipeline without a reranker."""
    if move is None:
        return None
    up = move.up
    kind = "new" if up is None else "same" if up == 0 else "up" if up > 0 else "down"
    before = "not in the first stage" if move.before is None else f"rank {move.before} before"
    return MoveMark(move.shown, before, kind)


def quality_mark(quality: Quality | None) -> QualityMark | None:
    """nDCG@10 with the ceiling that these candidates allow; None for an unjudged query."""
    if quality is None or quality.ndcg is None:
        return None
    judged = "" if quality.judged == quality.of else f" · {quality.judged} of {quality.of} judged"
    few = f" · from {counted(quality.of, 'document')}" if quality.of < JUDGED_DEPTH else ""
    possible = fraction(quality.ceiling)
    note = f"of {possible} possible · headroom {fraction(quality.headroom)}{judged}{few}"
    return QualityMark(
        MEASURE,
        fraction(quality.ndcg),
        note,
        reach=_between(quality.ceiling or 0.0),
        share=_between(quality.ndcg / quality.ceiling) if quality.ceiling else 0.0,
    )


def _between(value: float) -> float:
    return max(0.0, min(1.0, value))
