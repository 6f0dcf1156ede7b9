"""Depth as a use case: how many candidates pipelines should rerank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from rerank_lab.components.registry import expand
from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput, LabError
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.core.types import Query
from rerank_lab.corpora import Corpus
from rerank_lab.evaluation.depth.run import DepthDesign, study_depth
from rerank_lab.evaluation.depth.study import DEPTH_KIND, DepthStudy
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.jobs.table import Job
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.pipeline.replay import with_candidates
from rerank_lab.pipeline.results import ranking_of
from rerank_lab.services.access import Action, needs
from rerank_lab.services.cost_estimates import (
    Estimates,
    calls_out,
    query_set_estimates,
    stage_estimates,
)
from rerank_lab.services.judged_queries import judged_queries
from rerank_lab.services.own_pipelines import own_pipelines
from rerank_lab.services.session import Session
from rerank_lab.services.study_jobs import StudyKey, jobs_of_kind, kept_studies, start_study

DEPTHS = (5, 10, 20, 50, 100, 200, 500, 1000)
"""The depths that are offered."""
DEFAULT_DEPTHS = DEPTHS[:5]
_PRICED = 12
"""So many queries, evenly spaced, are looked at for what providers would bill."""


@dataclass(frozen=True, slots=True)
class DepthRequest:
    """Try pipelines at several depths.

    Attributes:
        measure: by which depths are compared.
        depths: numbers of candidates, 1 to 1,000, in any order.
        limit: ask the first so many judged queries only.
        afresh: ask every model again, so that all times are measured.
    """

    pipelines: tuple[PipelineSpec, ...]
    measure: str = "nDCG@10"
    depths: tuple[int, ...] = DEFAULT_DEPTHS
    limit: int | None = None
    afresh: bool = False

    def to_json(self) -> dict[str, object]:
        """What is kept of it with the study: the question, not how times were taken."""
        return {
            "pipelines": [str(spec) for spec in self.pipelines],
            "measure": self.measure,
            "depths": sorted(self.depths),
            "limit": self.limit,
        }


def request_for(
    evaluation: Evaluation,
    measure: str = "",
    depths: Sequence[int] = DEFAULT_DEPTHS,
    *,
    afresh: bool = False,
) -> DepthRequest:
    """The request for the pipelines of an evaluation that run here, by one of its measures."""
    measure = measure or evaluation.measures_of_quality[0]
    return DepthRequest(own_pipelines(evaluation), measure, tuple(depths), afresh=afresh)


def designed(
    request: DepthRequest, corpus: Corpus, evaluation: Evaluation | None = None
) -> DepthDesign:
    """What a request asks for, checked without any work.

    Args:
        request: pipelines and depths.
        corpus: the documents, and the queries where no evaluation is given.
        evaluation: asks the queries of an experiment by its judgments, and knows its times.

    Raises:
        InvalidInput: there is no judged query or no pipeline, or a depth or measure is none.
    """
    if not request.pipelines:
        raise InvalidInput("No pipeline is given.", hint="Give one with a reranker.")
    depths = tuple(sorted(set(request.depths)))
    if not depths or depths[0] < 1 or depths[-1] > DEPTHS[-1]:
        raise InvalidInput(
            f"Depths are 1 to {DEPTHS[-1]:,} candidates.", hint="Give some, such as 10,50,100."
        )
    judged, qrels = judged_queries(corpus, evaluation, request.measure, request.limit)
    for spec in request.pipelines:
        with_candidates(spec, depths[-1])
    rates = _seconds_a_candidate(evaluation) if evaluation is not None else {}
    return DepthDesign(request.pipelines, judged, qrels, request.measure, depths, rates)


def _seconds_a_candidate(evaluation: Evaluation) -> dict[str, float]:
    """By pipeline with one reranker, from the cells of which all work was really done."""
    rates = {}
    for spec in own_pipelines(evaluation):
        if len(spec.stages) != 1:
            continue
        top = int(expand(spec.stages[0], "reranker")[1].get("top", DEPTHS[-1]))
        cells = (evaluation.cells.get((q.id, str(spec))) for q in evaluation.design.queries)
        timed = [
            (cell.seconds, min(top, len(cell.ranking)))
            for cell in cells
            if cell is not None and cell.seconds is not None and cell.ranking is not None
        ]
        if candidates := sum(n for _, n in timed):
            rates[str(spec)] = sum(seconds for seconds, _ in timed) / candidates
    return rates


def cost_estimates(
    request: DepthRequest, corpus: Corpus, engine: Engine
) -> Mapping[str, Estimates]:
    """By pipeline, what the greatest depth would take of the providers that it asks.

    A model that is asked again at every depth takes more: up to that for each of them.
    """
    deepest = max(request.depths)
    specs = [with_candidates(spec, deepest) for spec in request.pipelines]
    queries = [query for query in corpus.queries if corpus.qrels.get(query.id)][: request.limit]
    return query_set_estimates(specs, queries, corpus, deepest, engine)


def run(
    request: DepthRequest,
    corpus: Corpus,
    ctx: Context,
    engine: Engine,
    evaluation: Evaluation | None = None,
) -> DepthStudy:
    """Try every depth here and now.

    Raises:
        InvalidInput: as `designed`.
        Cancelled: scores of models that were asked are kept.
    """
    design = designed(request, corpus, evaluation)
    study = study_depth(design, corpus, ctx, engine)
    queries = design.queries[:: max(1, len(design.queries) // _PRICED)][:_PRICED]
    for spec in request.pipelines:
        usd = [
            _usd(with_candidates(spec, depth), queries, corpus, engine) for depth in study.depths
        ]
        study = study.with_prices(str(spec), usd)
    return study


def _usd(
    spec: PipelineSpec, queries: Sequence[Query], corpus: Corpus, engine: Engine
) -> float | None:
    """What providers bill for 1,000 queries; None where that cannot be told."""
    if not calls_out(spec):
        return 0.0
    if calls_out(spec.prefix(1)):
        return None  # no first stage says what it bills
    first = Pipeline(spec.prefix(1))
    amounts: list[float] = []
    try:
        for query in queries:
            result = first.run(query, corpus, engine.context(), engine)
            candidates = ranking_of(result.stages[0]).doc_ids
            docs = [corpus.by_id[doc_id] for doc_id in candidates]
            estimates = stage_estimates(spec.stages, query, docs, engine)
            known = [
                one.amount
                for one in estimates
                if one.amount is not None and (not one.amount or one.currency == "USD")
            ]
            if len(known) < len(estimates):
                return None
            amounts.append(sum(known))
    except LabError:
        return None
    return 1000 * fmean(amounts)


@dataclass(frozen=True, slots=True)
class DepthKey(StudyKey[DepthRequest, DepthStudy]):
    """A depth study of an experiment."""


@needs(Action.EDIT)
def start(
    request: DepthRequest, evaluation: Evaluation, corpus: Corpus, session: Session
) -> Job[DepthStudy]:
    """The job of a study, which is kept with the experiment once it is done.

    Raises:
        InvalidInput: as `designed`.
    """
    designed(request, corpus, evaluation)
    engine = session.engine
    pipelines = tuple(map(Pipeline, request.pipelines))

    return start_study(
        DepthKey(evaluation.id, request, session.bound(pipelines)),
        lambda ctx: run(request, corpus, ctx, engine, evaluation),
        session,
        kind=DEPTH_KIND,
        name=f"Trying depths on {corpus.name}",
        ctx=session.context(pipelines, afresh=request.afresh),
    )


def jobs_of(experiment_id: str, session: Session) -> list[Job[DepthStudy]]:
    """The depth jobs of an experiment, oldest first."""
    return jobs_of_kind(DepthKey, experiment_id, session)


def depth_studies(experiment_id: str, home: Path | None = None) -> tuple[DepthStudy, ...]:
    """The kept studies of an experiment, the newest first."""
    return kept_studies(DEPTH_KIND, DepthStudy.from_json, experiment_id, home)
