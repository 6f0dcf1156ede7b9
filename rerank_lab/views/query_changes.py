"""Which queries of an evaluation to look at, such as those worse than with the baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from rerank_lab.evaluation.statistics import Settings
from rerank_lab.views.evaluate import QueryLine

Change = Literal["all", "worse", "better", "same", "unanswered"]
CHANGES: tuple[Change, ...] = get_args(Change)
_NAMES: Mapping[Change, str] = {
    "all": "All",
    "worse": "Got worse",
    "better": "Got better",
    "same": "Same",
    "unanswered": "Not answered by all",
}


def by_change(lines: Sequence[QueryLine], change: Change, place: int) -> tuple[QueryLine, ...]:
    """The queries that changed so against the baseline, the largest change first.

    Args:
        lines: The queries of an evaluation.
        change: Which of them.
        place: The pipeline that is compared with the baseline, by its place.
    """
    chosen = [line for line in lines if change == "all" or _change(line, place) == change]
    if change in ("worse", "better"):
        chosen.sort(key=lambda line: -abs(line.differences[place] or 0.0))
    return tuple(chosen)


def change_name(lines: Sequence[QueryLine], change: Change, place: int) -> str:
    """`Got worse (9)`: a filter and how many queries it leaves."""
    return f"{_NAMES[change]} ({len(by_change(lines, change, place)):,})"


def _change(line: QueryLine, place: int) -> Change:
    difference = line.differences[place]
    if difference is None:
        return "unanswered"
    if abs(difference) <= Settings().tolerance:
        return "same"
    return "worse" if difference < 0 else "better"
