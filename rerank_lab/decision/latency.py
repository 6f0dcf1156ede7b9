"""How fast a pipeline is, by the best evidence there is: a load study, else an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.evaluation.experiments.cells import of_another_system
from rerank_lab.evaluation.load.percentiles import percentile
from rerank_lab.evaluation.load.study import LoadStudy


@dataclass(frozen=True, slots=True)
class PipelineLatency:
    """The 95th percentile of latency in seconds, with its 95 % interval, and where it is from.

    `load` is a load study: queries came at `rate` a second, for `workers` at a time. `evaluation`
    are the times of an evaluation, one query after the other: under load it takes longer. `p95` is
    None when nothing was measured, and `why` then says so. `at_least`: queries that never finished
    stand above it. `queries` were measured.
    """

    pipeline: str
    p95: float | None
    low: float | None = None
    high: float | None = None
    at_least: bool = False
    source: Literal["load", "evaluation", ""] = ""
    rate: float | None = None
    workers: int = 1
    queries: int = 0
    why: str = ""


def pipeline_latency(
    evaluation: Evaluation, pipeline: str, load_studies: Sequence[LoadStudy] = ()
) -> PipelineLatency:
    """The p95 of a pipeline: of its newest load study, else of the evaluation's own times.

    Args:
        evaluation: The experiment.
        pipeline: One of its specs.
        load_studies: Its load studies, newest first.
    """
    for study in load_studies:
        step = study.at_rate
        if study.pipeline == pipeline and step is not None and step.p95 is not None:
            p95 = step.p95
            return PipelineLatency(
                pipeline,
                p95.seconds,
                p95.low,
                p95.high,
                p95.at_least,
                "load",
                step.rate,
                study.workers,
                step.answered,
            )
    cells = (evaluation.cells.get((query.id, pipeline)) for query in evaluation.design.queries)
    seconds = [cell.seconds for cell in cells if cell is not None and cell.seconds is not None]
    p95_alone = percentile(seconds, 0.95)
    if p95_alone is None:
        why = "no query was timed: its answers came from the score cache, or there are none"
        if of_another_system(pipeline):
            why = "its rankings come from another system, which did not say how long they took"
        return PipelineLatency(pipeline, None, why=why)
    return PipelineLatency(
        pipeline,
        p95_alone.seconds,
        p95_alone.low,
        p95_alone.high,
        source="evaluation",
        queries=len(seconds),
    )
