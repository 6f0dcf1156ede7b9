"""What is known of a pipeline for a decision, each fact with where it comes from.

What is not known is said, with the reason, and never guessed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from rerank_lab.core.types import Bounded, Status
from rerank_lab.decision.cost import PipelineCost
from rerank_lab.decision.latency import PipelineLatency
from rerank_lab.evaluation.experiments import Cell, Evaluation
from rerank_lab.evaluation.memory import MemoryPeak
from rerank_lab.evaluation.statistics import mean_interval

T = TypeVar("T")

MANY_LANGUAGES = "multilingual"
"""The language code of models for many languages."""
_FOREIGN_RUN = "These rankings come from another system; the lab does not know how it made them."


@dataclass(frozen=True, slots=True)
class KnownFact(Generic[T]):
    """One fact: `value` is None when it is not known.

    `source` says where it is from, or why it is not known.
    """

    value: T | None
    source: str

    @property
    def known(self) -> bool:
        """Whether there is a value."""
        return self.value is not None


@dataclass(frozen=True, slots=True)
class ModelLicence:
    """The licence of one model of a pipeline, by its SPDX name where it has one."""

    model: str
    licence: str


@dataclass(frozen=True, slots=True)
class PipelineFacts:
    """Everything that a decision asks of a pipeline.

    Attributes:
        pipeline: The canonical spec.
        quality: The mean of the measure over the queries that all pipelines answered.
        p95: Seconds a query, under load where a load study measured it.
        price: USD for 1,000 queries at the team's load.
        licences: Of its models; empty for a pipeline without a model.
        languages: ISO 639-1 codes that all its models know; `multilingual` for many, and for a
            pipeline without a model.
        sends_to: Names of the providers that texts are sent to; empty when they stay in the house.
        gpu: Whether it ran on a GPU, or asks for one.
        memory: Bytes that a process with it takes at its peak where that was measured, else those
            of its models' files.
        under_load: Whether p95 is of a load study; else it is of one query at a time.
        queries: How many it was asked so far.
        failed: Those of them that it gave no answer of its own to.
    """

    pipeline: str
    quality: KnownFact[Bounded]
    p95: KnownFact[Bounded]
    price: KnownFact[float]
    licences: KnownFact[tuple[ModelLicence, ...]]
    languages: KnownFact[tuple[str, ...]]
    sends_to: KnownFact[tuple[str, ...]]
    gpu: KnownFact[bool]
    memory: KnownFact[int]
    under_load: bool = False
    queries: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class StageFacts:
    """What is known of one component of a pipeline that does work.

    Attributes:
        model: The model that it runs or asks, "" for none.
        remote: It calls a provider or a server.
        asks_for_gpu: Its options say so.
        licence: Of the model, "" when it is not known.
        languages: Codes of the languages that the model knows; empty when that is not known.
        receivers: Who gets the texts that it sends; empty when its server is in the house.
        size: Bytes of the model's files, 0 when it is not known.
    """

    model: str = ""
    remote: bool = False
    asks_for_gpu: bool = False
    licence: str = ""
    languages: frozenset[str] = frozenset()
    receivers: tuple[str, ...] = ()
    size: int = 0


def pipeline_facts(
    evaluation: Evaluation,
    measure: str,
    latency: PipelineLatency,
    cost: PipelineCost,
    stages: Sequence[StageFacts],
    peak: MemoryPeak | None = None,
) -> PipelineFacts:
    """What is known of one pipeline of an evaluation.

    Args:
        evaluation: Finished or not.
        measure: One of its measures.
        latency: Of the pipeline.
        cost: Of the same pipeline.
        stages: Its components; empty for a pipeline that is not of this lab.
        peak: The memory that it was measured to take, None where it was not.
    """
    pipeline = latency.pipeline
    cells = [c for (_, spec), c in evaluation.cells.items() if spec == pipeline and c.answered]
    outcome = evaluation.by_pipeline[pipeline]
    n_queries = outcome.queries - outcome.pending - outcome.status.get(Status.CANCELLED, 0)
    return PipelineFacts(
        pipeline,
        quality=_quality(evaluation, pipeline, measure),
        p95=_p95(latency),
        price=_price(cost),
        licences=_licences(stages),
        languages=_languages(stages),
        sends_to=_sends_to(stages),
        gpu=_gpu(stages, cells),
        memory=_memory(stages) if peak is None else _measured_memory(peak),
        under_load=latency.source == "load",
        queries=n_queries,
        failed=n_queries - outcome.answered,
    )


def _quality(evaluation: Evaluation, pipeline: str, measure: str) -> KnownFact[Bounded]:
    values = list(evaluation.values(pipeline, measure, common=True).values())
    if not values:
        judged = any(query.id in evaluation.design.qrels for query in evaluation.design.queries)
        return KnownFact(
            None,
            "It answered none of the judged queries." if judged else "No query is judged here.",
        )
    low, high = mean_interval(np.array(values, dtype=np.float64))
    return KnownFact(
        Bounded(math.fsum(values) / len(values), low, high),
        f"mean {measure} over the {len(values):,} queries that all pipelines answered",
    )


def _p95(latency: PipelineLatency) -> KnownFact[Bounded]:
    if latency.p95 is None:
        return KnownFact(None, f"{latency.why[:1].upper()}{latency.why[1:]}.")
    if latency.source == "load":
        source = (
            f"a load study: {latency.rate:g} queries a second, {latency.workers} at a time, "
            f"{latency.queries:,} answered"
        )
    else:
        source = f"{latency.queries:,} timed answers of this evaluation, one query at a time"
    if latency.high is None:
        source += "; too few to bound it from above"
    return KnownFact(Bounded(latency.p95, latency.low, latency.high), source)


def _price(cost: PipelineCost) -> KnownFact[float]:
    amount = cost.usd_per_thousand
    if amount is None:
        return KnownFact(None, f"Missing: {'; '.join(cost.unknown)}.")
    terms = cost.terms
    parts = [f"{terms.queries_per_month:,} queries a month"]
    if cost.machines and not cost.left_out:
        noun = "machine" if cost.machines == 1 else "machines"
        parts.append(f"{cost.machines:,} {noun} at {terms.usd_per_hour:g} USD an hour")
    if cost.provider_usd:
        parts.append(f"listed prices as of {cost.as_of}" if cost.as_of else "prices typed in")
    if cost.left_out:
        parts.append("without the hardware of your own, whose price nobody typed")
    return KnownFact(amount, ", ".join(parts))


def _licences(stages: Sequence[StageFacts]) -> KnownFact[tuple[ModelLicence, ...]]:
    if not stages:
        return KnownFact(None, _FOREIGN_RUN)
    licences = {stage.model: stage.licence for stage in stages if stage.model}
    unknown = [model for model, licence in licences.items() if not licence]
    if unknown:
        return KnownFact(None, f"The catalogue does not know the licence of {_listed(unknown)}.")
    return KnownFact(
        tuple(ModelLicence(model, licence) for model, licence in licences.items()),
        "the catalogue of models" if licences else "it has no model",
    )


def _languages(stages: Sequence[StageFacts]) -> KnownFact[tuple[str, ...]]:
    if not stages:
        return KnownFact(None, _FOREIGN_RUN)
    by_model = {stage.model: stage.languages for stage in stages if stage.model}
    unknown = [model for model, languages in by_model.items() if not languages]
    if unknown:
        return KnownFact(None, f"The catalogue does not know the languages of {_listed(unknown)}.")
    codes: frozenset[str] | None = None
    for languages in by_model.values():
        if MANY_LANGUAGES not in languages:
            codes = languages if codes is None else codes & languages
    return KnownFact(
        (MANY_LANGUAGES,) if codes is None else tuple(sorted(codes)),
        "the catalogue of models" if by_model else "it has no model",
    )


def _sends_to(stages: Sequence[StageFacts]) -> KnownFact[tuple[str, ...]]:
    if not stages:
        return KnownFact(None, _FOREIGN_RUN)
    receivers = [receiver for stage in stages if stage.remote for receiver in stage.receivers]
    return KnownFact(tuple(dict.fromkeys(receivers)), "the stages of the pipeline")


def _gpu(stages: Sequence[StageFacts], cells: Sequence[Cell]) -> KnownFact[bool]:
    if not stages:
        return KnownFact(None, _FOREIGN_RUN)
    if any(stage.asks_for_gpu for stage in stages):
        return KnownFact(True, "its options ask for one")
    if all(stage.remote or not stage.model for stage in stages):
        return KnownFact(False, "no model of it runs here")
    backends = {cell.trace.backend for cell in cells if cell.trace.backend}
    if not backends:
        return KnownFact(None, "No answer of this evaluation says what it ran on.")
    if any("cuda" in backend for backend in backends):
        return KnownFact(True, "its answers and times here were made on one")
    return KnownFact(False, "its answers here were made without one")


def _measured_memory(peak: MemoryPeak) -> KnownFact[int]:
    return KnownFact(
        peak.peak,
        f"measured: the peak of a process of its own, all included, over {peak.queries} queries on "
        f"{peak.processor}",
    )


def _memory(stages: Sequence[StageFacts]) -> KnownFact[int]:
    if not stages:
        return KnownFact(None, _FOREIGN_RUN)
    sizes = {stage.model: stage.size for stage in stages if stage.model and not stage.remote}
    unknown = [model for model, size in sizes.items() if not size]
    if unknown:
        return KnownFact(None, f"The size of {_listed(unknown)} is not known here.")
    return KnownFact(
        sum(sizes.values()),
        "the files of its models; the index and the work itself come on top, and are not measured"
        if sizes
        else "no model of it runs here; its index is not measured",
    )


def _listed(names: Sequence[str]) -> str:
    return " and ".join(names)
