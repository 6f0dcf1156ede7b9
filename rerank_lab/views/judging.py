"""What uneven judgments do to a comparison: unjudged documents count as not relevant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rerank_lab.evaluation.experiments.columns import ResultRow

_UNEVEN = 0.1
"""Shares of unjudged documents that differ by more than this put a comparison in doubt."""


@dataclass(frozen=True, slots=True)
class JudgedTop:
    """The first `depth` documents of a pipeline: the share, 0 to 1, that nobody judged."""

    label: str
    unjudged: float | None
    depth: int

    @classmethod
    def of(cls, row: ResultRow, label: str) -> JudgedTop:
        """That of a row of results."""
        return cls(label, row.unjudged, row.judging_depth)


def judging_caveat(better: JudgedTop, worse: JudgedTop) -> str:
    """The sentence behind one that calls a pipeline better; "" where judgments are about even."""
    if better.unjudged is None or worse.unjudged is None:
        return ""
    if abs(better.unjudged - worse.unjudged) <= _UNEVEN:
        return ""
    more, less = (better, worse) if better.unjudged > worse.unjudged else (worse, better)
    shares = (
        f"of the top {more.depth} of {more.label} {more.unjudged:.0%} is unjudged, of {less.label} "
        f"{less.unjudged:.0%}, and unjudged documents count as not relevant"
    )
    if more is better:
        return f"But {shares}, so {more.label} may be better still."
    return f"But {shares}, so the difference may be one of judging."
