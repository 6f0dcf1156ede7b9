"""What is known of a pipeline for a decision, each fact with where it comes from.

What is not known is said, with the reason, and never guessed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from rerank_lab.components.catalogue import catalogue
from rerank_lab.components.registry import expand, pipeline_leaves, resolve
from rerank_lab.core.errors import LabError
from rerank_lab.core.spec import Literal as Value
from rerank_lab.core.types import Status
from rerank_lab.decision.cost import PipelineCost
from rerank_lab.decision.latency import PipelineLatency
from rerank_lab.evaluation.experiments import Cell, Evaluation
from rerank_lab.evaluation.statistics import mean_interval
from rerank_lab.models.locate.resolve import availability
from rerank_lab.remote import urls
from rerank_lab.remote.providers import providers
from rerank_lab.rerankers.llm.chat import chat_provider

T = TypeVar("T")

MANY_LANGUAGES = "multilingual"
"""The language code of models for many languages."""
_PROVIDER_TERMS = "the provider's terms"
"""The licence of a hosted model whose weights are not open."""
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
class Bounded:
    """A number with its 95 % interval; None for an end that the data cannot bound."""

    value: float
    low: float | None = None
    high: float | None = None


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
        memory: Bytes that its models take.
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
class _Part:
    """One component of a pipeline that does work, with its options in full."""

    name: str
    family: str
    lane: str
    options: dict[str, Value]

    @property
    def model(self) -> str:
        """The model that it runs or asks, "" for none."""
        return str(self.options.get("model") or "")

    @property
    def remote(self) -> bool:
        """Whether it calls a provider or a server."""
        return self.lane == "network"


def pipeline_facts(
    evaluation: Evaluation, measure: str, latency: PipelineLatency, cost: PipelineCost
) -> PipelineFacts:
    """What is known of one pipeline of an evaluation.

    Args:
        evaluation: Finished or not.
        measure: One of its measures.
        latency: Of the pipeline.
        cost: Of the same pipeline.
    """
    pipeline = latency.pipeline
    cells = [c for (_, spec), c in evaluation.cells.items() if spec == pipeline and c.answered]
    parts = _parts(pipeline)
    outcome = evaluation.by_pipeline[pipeline]
    n_queries = outcome.queries - outcome.pending - outcome.status.get(Status.CANCELLED, 0)
    return PipelineFacts(
        pipeline,
        quality=_quality(evaluation, pipeline, measure),
        p95=_p95(latency),
        price=_price(cost),
        licences=_licences(parts),
        languages=_languages(parts),
        sends_to=_sends_to(parts),
        gpu=_gpu(parts, cells),
        memory=_memory(parts),
        under_load=latency.source == "load",
        queries=n_queries,
        failed=n_queries - outcome.answered,
    )


def _parts(pipeline: str) -> tuple[_Part, ...]:
    """The components of a pipeline; empty for one that is not of this lab."""
    try:
        expanded = [expand(node, kind) for node, kind in pipeline_leaves(resolve(pipeline))]
    except LabError:
        return ()
    if any(info.name == "run" for info, _ in expanded):
        return ()
    return tuple(_Part(i.name, i.family, i.lane_of(o), o) for i, o in expanded)


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


def _licences(parts: Sequence[_Part]) -> KnownFact[tuple[ModelLicence, ...]]:
    if not parts:
        return KnownFact(None, _FOREIGN_RUN)
    licences = {part.model: _licence(part) for part in parts if part.model}
    unknown = [model for model, licence in licences.items() if not licence]
    if unknown:
        return KnownFact(None, f"The catalogue does not know the licence of {_listed(unknown)}.")
    return KnownFact(
        tuple(ModelLicence(model, licence) for model, licence in licences.items()),
        "the catalogue of models" if licences else "it has no model",
    )


def _licence(part: _Part) -> str:
    """The licence of the model of a part, "" when it is not known."""
    if part.name in providers():
        return providers()[part.name].model(part.model).licence or _PROVIDER_TERMS
    if part.remote:
        address = str(part.options.get("base_url") or "")
        return "" if urls.is_private(address) and address else _PROVIDER_TERMS
    entry = catalogue().get(part.model)
    return entry.licence if entry else ""


def _languages(parts: Sequence[_Part]) -> KnownFact[tuple[str, ...]]:
    if not parts:
        return KnownFact(None, _FOREIGN_RUN)
    models = list(dict.fromkeys(part.model for part in parts if part.model))
    by_model = {m: set(catalogue()[m].languages) if m in catalogue() else set() for m in models}
    unknown = [model for model, languages in by_model.items() if not languages]
    if unknown:
        return KnownFact(None, f"The catalogue does not know the languages of {_listed(unknown)}.")
    codes: set[str] | None = None
    for languages in by_model.values():
        if MANY_LANGUAGES not in languages:
            codes = languages if codes is None else codes & languages
    return KnownFact(
        (MANY_LANGUAGES,) if codes is None else tuple(sorted(codes)),
        "the catalogue of models" if models else "it has no model",
    )


def _sends_to(parts: Sequence[_Part]) -> KnownFact[tuple[str, ...]]:
    if not parts:
        return KnownFact(None, _FOREIGN_RUN)
    receivers = [receiver for part in parts if part.remote for receiver in _receiver(part)]
    return KnownFact(tuple(dict.fromkeys(receivers)), "the stages of the pipeline")


def _receiver(part: _Part) -> tuple[str, ...]:
    """Who gets the texts that a part sends; () when its server is in the house."""
    address = str(part.options.get("base_url") or "").strip()
    if address and urls.is_private(address):
        return ()
    if part.name in providers():
        return (urls.host_of(address) if address else providers()[part.name].title,)
    if part.family == "llm":
        key = str(part.options.get("key_variable") or "")
        return (chat_provider(address, key).title or urls.host_of(address),)
    return (urls.host_of(address) if address else part.name,)


def _gpu(parts: Sequence[_Part], cells: Sequence[Cell]) -> KnownFact[bool]:
    if not parts:
        return KnownFact(None, _FOREIGN_RUN)
    if any(part.lane == "gpu" or part.options.get("device") == "cuda" for part in parts):
        return KnownFact(True, "its options ask for one")
    if all(part.remote or not part.model for part in parts):
        return KnownFact(False, "no model of it runs here")
    backends = {cell.trace.backend for cell in cells if cell.trace.backend}
    if not backends:
        return KnownFact(None, "No answer of this evaluation says what it ran on.")
    if any("cuda" in backend for backend in backends):
        return KnownFact(True, "its answers and times here were made on one")
    return KnownFact(False, "its answers here were made without one")


def _memory(parts: Sequence[_Part]) -> KnownFact[int]:
    if not parts:
        return KnownFact(None, _FOREIGN_RUN)
    models = list(dict.fromkeys(p.model for p in parts if p.model and not p.remote))
    sizes = {model: _model_size(model) for model in models}
    unknown = [model for model, size in sizes.items() if not size]
    if unknown:
        return KnownFact(None, f"The size of {_listed(unknown)} is not known here.")
    return KnownFact(
        sum(sizes.values()),
        "the files of its models; the index and the work itself come on top, and are not measured"
        if models
        else "no model of it runs here; its index is not measured",
    )


def _model_size(model: str) -> int:
    entry = catalogue().get(model)
    return entry.size if entry and entry.size else availability(model).size


def _listed(names: Sequence[str]) -> str:
    return " and ".join(names)
