"""What became of one pipeline: means, how its queries ended, how long it took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rerank_lab.core.types import Status
from rerank_lab.evaluation.experiments.cells import Failure

Means = Mapping[str, float | None]
"""Measure -> mean; None where nothing could be measured."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Median and 95th percentile in seconds a query, loading apart, over `cells` measured ones.

    Cells answered from the score cache are not among them; None when none was measured.
    """

    p50: float | None
    p95: float | None
    cells: int


@dataclass(frozen=True, slots=True)
class ErrorGroup:
    """One error and the queries that it cost."""

    failure: Failure
    status: Status
    query_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one pipeline.

    `queries` were asked; `measures` are means over the `measured` ones (judged, and answered by
    the pipeline itself; a fallback is not an answer), None when there are none. `status` counts
    cells; it adds up to `queries` once nothing is `pending`.
    """

    pipeline: str
    queries: int
    measured: int
    measures: Means
    status: Mapping[Status, int]
    latency: Latency
    errors: tuple[ErrorGroup, ...]
    warnings: Mapping[str, int] = field(default_factory=dict)
    """What its answers warn of, and how many of them do."""

    @property
    def pending(self) -> int:
        """Queries not asked yet, because the experiment was cancelled or is still running."""
        return self.queries - sum(self.status.values())

    @property
    def answered(self) -> int:
        """Queries for which the pipeline gave a ranking, empty ones included."""
        return sum(count for status, count in self.status.items() if status.answered)
