"""What pipelines cost at a team's own load, from what they were measured to do and dated prices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import msgspec

from rerank_lab.components.registry import expand, pipeline_leaves, resolve
from rerank_lab.core.errors import InvalidInput, LabError
from rerank_lab.core.spec import Node, PipelineSpec
from rerank_lab.core.spend import CostEstimate
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.decision.cost import (
    COST,
    DEFAULT_TERMS,
    NO_MACHINE,
    Capacity,
    CostStudy,
    CostTerms,
    PipelineCost,
    ProviderCost,
    TypedPrice,
)
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.evaluation.load.study import LoadStudy
from rerank_lab.evaluation.studies import save_study, studies
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.resolution import candidate_limit
from rerank_lab.services.access import Action, needs
from rerank_lab.services.cost_estimates import calls_out
from rerank_lab.services.own_pipelines import runs_here

SAMPLE = 12
"""So many queries, evenly spaced, are looked at for what a provider would bill."""
_DEPTH = 100
"""Candidates where a pipeline does not say its own number."""

PRICE_OPTIONS = ("price", "price_in", "price_out")
"""The options by which components let a user state a price."""

NOT_TIMED = (
    "how long a query takes: none was timed (measure times afresh, measure under load, or type it)"
)
NOT_MEASURED = "how many queries a second one machine answers: nothing was measured"

Candidates = Sequence[tuple[Query, Sequence[Document]]]
"""Queries, each with the documents that the rerankers of a pipeline are given."""


def pipeline_costs(
    evaluation: Evaluation,
    engine: Engine,
    terms: CostTerms = DEFAULT_TERMS,
    *,
    corpus: Corpus | None = None,
    load_studies: Sequence[LoadStudy] = (),
) -> Mapping[str, PipelineCost]:
    """What each pipeline of an evaluation costs, by its spec, at the depth that the spec says.

    Args:
        evaluation: The experiment: its candidates and its times.
        engine: Where components come from; nothing is sent and no model is loaded.
        terms: The load, and what the user typed.
        corpus: The documents of the experiment; without them, what providers bill is unknown.
        load_studies: Load studies of the experiment, newest first.
    """
    costs = {}
    for spec in evaluation.design.pipelines:
        if not runs_here(spec):
            why = "what it runs on: it is the run of another system"
            costs[spec] = PipelineCost(spec, terms, (), Capacity(None, why=why))
            continue
        candidates = _candidates(evaluation, spec, corpus)
        providers = _of_providers(spec, candidates, terms.prices, engine)
        capacity = _capacity(evaluation, spec, terms, load_studies, providers)
        size = _mean_candidates(evaluation, spec)
        costs[spec] = PipelineCost(spec, terms, providers, capacity, size)
    return costs


@dataclass(frozen=True, slots=True)
class CostRequest:
    """What pipelines would cost on a corpus, before anything was measured.

    `candidates` are evenly spaced documents; `limit` takes only the first so many queries.
    """

    pipelines: tuple[PipelineSpec, ...]
    terms: CostTerms = DEFAULT_TERMS
    limit: int | None = None


def run(request: CostRequest, corpus: Corpus, engine: Engine) -> CostStudy:
    """What each pipeline would cost, by typed capacities; nothing is sent and no model is loaded.

    Raises:
        InvalidInput: The corpus has no documents.
    """
    if not corpus.examples:
        raise InvalidInput(f"{corpus.name!r} has no documents.", hint="Choose a corpus that has.")
    queries = corpus.queries[: request.limit] or (Query.of("a query of a few words"),)
    costs = []
    for pipeline in request.pipelines:
        spec, terms = str(pipeline), request.terms
        candidates = spaced_candidates(spec, _sample(queries), corpus)
        providers = _of_providers(spec, candidates, terms.prices, engine)
        capacity = _typed_capacity(spec, terms) or Capacity(None, why=NOT_MEASURED)
        depth = candidate_limit(spec) or _DEPTH
        size = float(depth if corpus.size is None else min(corpus.size, depth))
        costs.append(PipelineCost(spec, terms, providers, capacity, size))
    return CostStudy(request.terms, tuple(costs))


@needs(Action.EDIT, "experiment_id")
def keep(study: CostStudy, experiment_id: str, home: Path | None = None) -> None:
    """Keep what an experiment's pipelines cost, in the place of what was kept before."""
    save_study(experiment_id, COST, {}, study.to_json(), home)


def cost_study(experiment_id: str, home: Path | None = None) -> CostStudy | None:
    """What was kept of an experiment; None when nothing was, or it cannot be read."""
    for study in studies(experiment_id, COST, home):
        with suppress(msgspec.ValidationError):
            return CostStudy.from_json(study.result)
    return None


def _sample(queries: Sequence[Query]) -> Sequence[Query]:
    return queries[:: max(1, len(queries) // SAMPLE)][:SAMPLE]


def _candidates(evaluation: Evaluation, spec: str, corpus: Corpus | None) -> Candidates:
    """What the rerankers of a pipeline were given for some of the queries, or would be given.

    A ranking holds the candidates of each stage in front, in a new order. () without the documents.
    """
    if corpus is None or corpus.content_hash != evaluation.design.corpus_hash:
        return ()
    sample = _sample(evaluation.design.queries)
    cells = [(query, evaluation.cells.get((query.id, spec))) for query in sample]
    candidates = [
        (query, [corpus.by_id[doc_id] for doc_id in cell.ranking.doc_ids if doc_id in corpus.by_id])
        for query, cell in cells
        if cell is not None and cell.ranking is not None
    ]
    # Rankings speak of documents, where rerankers read passages; and a pipeline may have failed,
    # such as for want of a key.
    if corpus.parent_of or not candidates:
        return spaced_candidates(spec, sample, corpus)
    return candidates


def spaced_candidates(spec: str, queries: Sequence[Query], corpus: Corpus) -> Candidates:
    """As many evenly spaced documents of the corpus as the first stage hands over, for each."""
    depth = candidate_limit(spec) or _DEPTH
    step = max(1, len(corpus.examples) // depth)
    return [(query, corpus.examples[::step][:depth]) for query in queries]


def _mean_candidates(evaluation: Evaluation, spec: str) -> float | None:
    cells = (evaluation.cells.get((query.id, spec)) for query in evaluation.design.queries)
    sizes = [len(one.ranking) for one in cells if one is not None and one.ranking is not None]
    return fmean(sizes) if sizes else None


def _of_providers(
    spec: str, candidates: Candidates, prices: Sequence[TypedPrice], engine: Engine
) -> tuple[ProviderCost, ...]:
    """What each stage of a pipeline that asks a provider takes for one query on average."""
    pipeline = resolve(spec)
    if not calls_out(pipeline):
        return ()
    costs = []
    for node, kind in pipeline_leaves(pipeline):
        component, options = expand(node, kind)
        if component.lane_of(options) != "network":
            continue
        if kind != "reranker":
            name = str(options.get("model") or node.name)
            costs.append(_unknown(name, f"what {name} bills for a query"))
            continue
        costs.append(_of_stage(node, candidates, prices, engine))
    return tuple(costs)


def _of_stage(
    node: Node, candidates: Candidates, prices: Sequence[TypedPrice], engine: Engine
) -> ProviderCost:
    name = engine.reranker(node).name
    options = {one.option: one.amount for one in prices if one.model == name}
    reranker = engine.reranker(node.with_options(**options))
    top = int(expand(node, "reranker")[1]["top"])
    if not candidates:
        return _unknown(name, f"what {name} is asked: the documents are not here as they were")
    try:
        estimates = [reranker.cost_estimate(query, docs[:top]) for query, docs in candidates]
    except LabError as error:
        return _unknown(name, f"what {name} bills: {error.message}")
    known = [one for one in estimates if one is not None]
    if not known:
        return _unknown(name, f"what {name} bills")
    return _mean_cost(name, known, typed=any(o in node.values | options for o in PRICE_OPTIONS))


def _mean_cost(name: str, estimates: Sequence[CostEstimate], *, typed: bool) -> ProviderCost:
    first = estimates[0]
    amounts = [one.amount for one in estimates if one.amount is not None]
    usd = fmean(amounts) if len(amounts) == len(estimates) else None
    unknown = first.unknown
    if usd and first.currency != "USD":
        unknown = (f"the price of {name} in USD: it is listed in {first.currency}",)
        usd = None
    return ProviderCost(
        name,
        fmean(one.calls for one in estimates),
        fmean(one.units for one in estimates),
        first.unit,
        usd,
        first.as_of if usd else "",
        "" if usd is None else "typed" if typed else "price list" if usd else "own server",
        unknown,
        first.price_options,
        len(estimates),
    )


def _unknown(name: str, missing: str) -> ProviderCost:
    return ProviderCost(name, 0.0, 0.0, "", None, unknown=(missing,))


def _capacity(
    evaluation: Evaluation,
    spec: str,
    terms: CostTerms,
    load_studies: Sequence[LoadStudy],
    providers: Sequence[ProviderCost],
) -> Capacity:
    """How many queries a second one machine answers with a pipeline."""
    typed = _typed_capacity(spec, terms)
    if typed is not None:
        return typed
    hosted = {provider.model: provider.source for provider in providers}
    study = next((one for one in load_studies if one.pipeline == spec), None)
    if study is not None and study.capacity and set(hosted.values()) <= {"own server"}:
        return Capacity(study.capacity, "load")
    for model, source in hosted.items():
        if source == "own server":
            return Capacity(None, why=f"how many queries a second your server of {model} answers")
    cells = (evaluation.cells.get((query.id, spec)) for query in evaluation.design.queries)
    seconds = [one.trace.compute_s for one in cells if one is not None and one.seconds is not None]
    if not seconds:
        return Capacity(None, why=NOT_TIMED)
    mean = fmean(seconds)
    return Capacity(1 / mean, "evaluation") if mean > 0 else NO_MACHINE


def _typed_capacity(spec: str, terms: CostTerms) -> Capacity | None:
    typed = next((one for one in terms.capacities if one.pipeline == spec), None)
    return None if typed is None else Capacity(typed.queries_per_s, "typed")
