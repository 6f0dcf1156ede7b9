"""Questions that the rankings kept of an evaluation answer, as jobs: large ones take a while.

A job that is done is handed out again for the same question, so that a page may ask at every run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from rerank_lab.core.context import Context
from rerank_lab.evaluation.by_tag import ByTag, by_tag
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.evaluation.first_stage import Headroom, first_stage_headroom
from rerank_lab.evaluation.sensitivity import Sensitivity, sensitivity
from rerank_lab.evaluation.unjudged import FlipRisk, UnjudgedBounds, flip_risk, unjudged_bounds
from rerank_lab.jobs.keys import JobKey
from rerank_lab.jobs.table import Job
from rerank_lab.services.session import Session

R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True, slots=True)
class KeptRankingsKey(JobKey[R_co], Generic[R_co]):
    """One question with its options to the results that `stamp` stands for."""

    question: str
    stamp: str
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeptRankings:
    """The results of an evaluation to be asked.

    `stamp` changes with everything that an answer could depend on: cells, measures, columns of
    the queries.
    """

    evaluation: Evaluation
    stamp: str
    session: Session

    def headroom(self, measure: str) -> Job[tuple[Headroom, ...]]:
        """What the first stage leaves to gain."""

        def work(ctx: Context) -> tuple[Headroom, ...]:
            return first_stage_headroom(self.evaluation, measure, ctx)

        return self._job("What is left to gain", (measure,), work)

    def by_tag(self, group: str, measure: str, baseline: str) -> Job[ByTag]:
        """Results by the tags of a group."""

        def work(ctx: Context) -> ByTag:
            return by_tag(self.evaluation, group, measure, baseline, ctx=ctx)

        return self._job("Results by tag", (group, measure, baseline), work)

    def bounds(self, measure: str) -> Job[UnjudgedBounds | None]:
        """What unjudged documents could change."""

        def work(ctx: Context) -> UnjudgedBounds | None:
            return unjudged_bounds(self.evaluation, measure, ctx)

        return self._job("Measuring with other judgments", (measure,), work)

    def flip_risk(self, leader: str, challenger: str, measure: str) -> Job[FlipRisk]:
        """Which judgments could put the challenger ahead."""

        def work(ctx: Context) -> FlipRisk:
            ctx.report("measuring with each document relevant")
            return flip_risk(self.evaluation, leader, challenger, measure)

        return self._job("Documents that decide", (leader, challenger, measure), work)

    def sensitivity(self, measure: str, others: tuple[str, ...]) -> Job[Sensitivity | None]:
        """Who wins by other measures."""

        def work(ctx: Context) -> Sensitivity | None:
            return sensitivity(self.evaluation, measure, others, ctx=ctx)

        return self._job("Other measures", (measure, *others), work)

    def _job(
        self, name: str, options: tuple[str, ...], work: Callable[[Context], R_co]
    ) -> Job[R_co]:
        key: JobKey[R_co] = KeptRankingsKey(name, self.stamp, options)
        # A job that is done stays for its result; it must not hold all rankings with it.
        once = [work]
        return self.session.jobs.submit(
            key,
            lambda ctx: once.pop()(ctx),
            lane="light",
            name=name,
            waiter=self.session.waiter,
        )
