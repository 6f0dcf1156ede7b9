"""When a pipeline is given up: every further query would fail as those before did.

Queries may be answered in any order; what counts is the order in which they were handed out, so
that a pipeline is given up after the same query whoever runs it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from rerank_lab.core.errors import (
    BackendError,
    MissingExtra,
    MissingKey,
    ModelUnavailable,
    SpendLimit,
)
from rerank_lab.core.types import Query, Status
from rerank_lab.evaluation.experiments.cell_work import AnsweredCell
from rerank_lab.evaluation.experiments.cells import Cell, Failure

_HOPELESS = (MissingExtra, MissingKey, ModelUnavailable, SpendLimit)
"""Errors that the next query would meet as well."""
_SAME_FAILURES = 3
"""A pipeline whose first so many queries fail alike, and not for a passing reason, is given up."""


@dataclass(slots=True)
class _Standing:
    """How a pipeline does.

    Attributes:
        open: places of queries whose turn has come and that have no answer.
        waiting: answers that wait for those of earlier places.
        works: whether a query has been answered, in order.
        alike: its failures so far, while every query has failed for no passing reason.
        passing: whether a query failed for a reason that may pass.
        reason: why it was given up.
    """

    open: set[int] = field(default_factory=set)
    waiting: dict[int, AnsweredCell] = field(default_factory=dict)
    works: bool = False
    passing: bool = False
    alike: list[Failure] = field(default_factory=list)
    reason: Failure | None = None

    def settled(self) -> Iterator[AnsweredCell]:
        """Those of `waiting` that no earlier query can change."""
        earliest = min(self.open, default=math.inf)
        while self.waiting and (place := min(self.waiting)) < earliest:
            yield self._looked_at(self.waiting.pop(place))

    def _looked_at(self, answer: AnsweredCell) -> AnsweredCell:
        cell, error = answer.cell, answer.error
        if self.reason is not None:
            skipped = Cell(cell.query_id, cell.pipeline, Status.SKIPPED, failure=self.reason)
            return answer if self.works and error is None else replace(answer, cell=skipped)
        if error is None or cell.failure is None:
            self.works = True
        elif isinstance(error, _HOPELESS):
            self.reason = cell.failure
        elif isinstance(error, BackendError) and error.retryable:
            self.passing = True
        elif not (self.works or self.passing):
            self.alike.append(cell.failure)
            if len(self.alike) >= _SAME_FAILURES and len(set(self.alike)) == 1:
                self.reason = cell.failure
        return answer


@dataclass(slots=True)
class GivingUp:
    """Every pipeline of an experiment."""

    _standings: defaultdict[str, _Standing] = field(default_factory=lambda: defaultdict(_Standing))

    def working(self, specs: Iterable[str]) -> None:
        """These have answered before."""
        for spec in specs:
            self._standings[spec].works = True

    def turn(self, place: int, specs: Iterable[str]) -> None:
        """The turn of the query of this place has come, with all of these pipelines."""
        for spec in specs:
            self._standings[spec].open.add(place)

    def taken_over(self, place: int, spec: str) -> None:
        """Another process has answered this query."""
        self._standings[spec].open.discard(place)

    def skips(self, place: int, query: Query, spec: str) -> bool:
        """Whether a query need not be asked, because its pipeline was given up."""
        standing = self._standings[spec]
        if standing.reason is None:
            return False
        standing.open.discard(place)
        cell = Cell(query.id, spec, Status.SKIPPED, failure=standing.reason)
        standing.waiting[place] = AnsweredCell(cell)
        return True

    def answered(self, place: int, answer: AnsweredCell) -> Iterator[AnsweredCell]:
        """The answers that are settled by this one, which may be among them."""
        standing = self._standings[answer.cell.pipeline]
        standing.open.discard(place)
        if answer.error is None and standing.works:
            yield answer
        else:
            standing.waiting[place] = answer
        yield from self.rest()

    def rest(self) -> Iterator[AnsweredCell]:
        """Answers that nothing holds back any more."""
        for standing in self._standings.values():
            yield from standing.settled()
