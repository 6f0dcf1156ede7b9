"""One call to a component: what it may use, and what it counts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rerank_lab.core.context import Context
from rerank_lab.core.types import Ranking, Spans, Trace


@dataclass(slots=True)
class Work:
    """One call's context and counts, handed to the family's method. One thread uses it."""

    ctx: Context
    before: Ranking | None = None
    """The candidates as the stage before ranked and scored them, when there was one."""
    trace: Trace = field(default_factory=Trace)
    truncated: set[int] = field(default_factory=set)
    """Indexes, into the texts handed over, of those that the model saw only a part of."""
    relevant_spans: dict[int, Spans] = field(default_factory=dict)
    """What the model calls relevant in texts handed over, by their index."""
    cut_texts: set[str] = field(default_factory=set)
    """Such texts themselves, where several are shown at once and in changing company."""
    problem: str = ""
    """When a question is asked again: why the first answer could not be used."""
    fallbacks: int = 0
    """Questions left without a usable answer, where the order from before was kept."""

    def checkpoint(self) -> None:
        """Call it between batches: raises when the caller cancelled or the deadline has passed."""
        self.ctx.checkpoint()

    def add(self, **counts: Any) -> None:
        """Add to the trace: `work.add(tokens_in=812, queue_s=0.02)`."""
        self.trace = self.trace + Trace(**counts)

    def warn(self, text: str) -> None:
        """Add a sentence for people to the trace."""
        self.add(warnings=(text,))

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Add the seconds spent inside to `part`, such as "queue_s" or "network_s"."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add(**{part: time.perf_counter() - start})
