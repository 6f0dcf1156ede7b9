"""Tuning as a use case: options of a pipeline searched on one half of the queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from rerank_lab.core.context import Context
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.corpora import Corpus
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.evaluation.tuning.options import OptionRange, read_range
from rerank_lab.evaluation.tuning.run import MAX_TRIALS, SearchDesign, check_design, study_search
from rerank_lab.evaluation.tuning.study import SEARCH_KIND, SearchStudy
from rerank_lab.jobs.table import Job
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.services.access import Action, needs
from rerank_lab.services.cost_estimates import Estimates, query_set_estimates
from rerank_lab.services.judged_queries import judged_queries
from rerank_lab.services.session import Session
from rerank_lab.services.study_jobs import StudyKey, jobs_of_kind, kept_studies, start_study


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """Search options of a pipeline.

    Attributes:
        start: the pipeline as it is.
        ranges: options and the values to try.
        measure: what is to grow.
        limit: ask the first so many judged queries only.
        seed: of the split into train and held-out queries, and of the sample of combinations.
        trials: at most so many combinations.
    """

    start: PipelineSpec
    ranges: tuple[OptionRange, ...]
    measure: str = "nDCG@10"
    limit: int | None = None
    seed: int = 0
    trials: int = MAX_TRIALS

    def to_json(self) -> dict[str, object]:
        """What is kept of it with the study."""
        written: dict[str, object] = msgspec.to_builtins(self)
        return written | {"start": str(self.start)}


def request_for(
    pipeline: str,
    ranges: Sequence[Sequence[str]],
    measure: str = "nDCG@10",
    *,
    limit: int | None = None,
    seed: int = 0,
    trials: int = MAX_TRIALS,
) -> SearchRequest:
    """The request for ranges as text: each an option, such as `rrf.k`, followed by its values.

    Raises:
        InvalidInput: an option or a value that the pipeline does not have.
    """
    start = Pipeline(pipeline).spec
    read = tuple(read_range(start, option, values) for option, *values in ranges)
    return SearchRequest(start, read, measure, limit, seed, trials)


def designed(
    request: SearchRequest, corpus: Corpus, evaluation: Evaluation | None = None
) -> SearchDesign:
    """What a request asks for, checked without any work.

    Args:
        request: pipeline and ranges.
        corpus: the documents, and the queries where no evaluation is given.
        evaluation: asks the queries of an experiment by its judgments.

    Raises:
        InvalidInput: nothing to search, too few judged queries, or weights that do not fit.
    """
    queries, qrels = judged_queries(corpus, evaluation, request.measure, request.limit)
    design = SearchDesign(
        request.start,
        request.ranges,
        queries,
        qrels,
        request.measure,
        request.seed,
        request.trials,
    )
    check_design(design)
    return design


def _pipelines(design: SearchDesign) -> tuple[Pipeline, ...]:
    return tuple(map(Pipeline, design.candidates()))


def cost_estimates(
    request: SearchRequest,
    corpus: Corpus,
    depth: int,
    engine: Engine,
    evaluation: Evaluation | None = None,
) -> Mapping[str, Estimates]:
    """By trial, what it would take of the providers that it asks, no score being kept."""
    design = designed(request, corpus, evaluation)
    return query_set_estimates(tuple(design.candidates()), design.split()[0], corpus, depth, engine)


def run(
    request: SearchRequest,
    corpus: Corpus,
    ctx: Context,
    engine: Engine,
    evaluation: Evaluation | None = None,
) -> SearchStudy:
    """Search here and now.

    Raises:
        InvalidInput: as `designed`.
        LabError: the pipeline as it was fails.
        Cancelled: scores of models that were asked are kept.
    """
    return study_search(designed(request, corpus, evaluation), corpus, ctx, engine)


@dataclass(frozen=True, slots=True)
class SearchKey(StudyKey[SearchRequest, SearchStudy]):
    """A search of an experiment."""


@needs(Action.EDIT)
def start(
    request: SearchRequest, evaluation: Evaluation, corpus: Corpus, session: Session
) -> Job[SearchStudy]:
    """The job of a search, which is kept with the experiment once it is done.

    Raises:
        InvalidInput: as `designed`.
    """
    pipelines = _pipelines(designed(request, corpus, evaluation))
    engine = session.engine

    return start_study(
        SearchKey(evaluation.id, request, session.bound(pipelines)),
        lambda ctx: run(request, corpus, ctx, engine, evaluation),
        session,
        kind=SEARCH_KIND,
        name=f"Searching options on {corpus.name}",
        ctx=session.context(pipelines),
    )


def jobs_of(experiment_id: str, session: Session) -> list[Job[SearchStudy]]:
    """The searches of an experiment that are at work or have ended, oldest first."""
    return jobs_of_kind(SearchKey, experiment_id, session)


def search_studies(experiment_id: str, home: Path | None = None) -> tuple[SearchStudy, ...]:
    """The kept searches of an experiment, the newest first."""
    return kept_studies(SEARCH_KIND, SearchStudy.from_json, experiment_id, home)
