"""Calibrations as a use case: what the scores of a pipeline are worth, by judgments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from rerank_lab.core.context import Context
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.core.types import Query
from rerank_lab.corpora import Corpus
from rerank_lab.evaluation.calibration import (
    Calibration,
    judged_scores,
    require_judgments,
)
from rerank_lab.evaluation.calibration import calibrate as fitted
from rerank_lab.evaluation.calibration.requirements import FOLDS
from rerank_lab.jobs.keys import JobKey
from rerank_lab.jobs.table import Job
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.pipeline.stages import RETRIEVAL_LANE
from rerank_lab.services.access import Action, needs
from rerank_lab.services.cost_estimates import Estimates, query_set_estimates
from rerank_lab.services.session import Bound, Session


@dataclass(frozen=True, slots=True)
class CalibrationRequest:
    """Fit curves from the scores of a pipeline to probabilities, and test them by query.

    A document counts as relevant from `grade` on. `limit` takes only the first so many judged
    queries. `folds` is how many parts they are split into, by `seed`.
    """

    pipeline: PipelineSpec
    grade: int = 1
    limit: int | None = None
    folds: int = FOLDS
    seed: int = 0

    def queries(self, corpus: Corpus) -> tuple[Query, ...]:
        """The judged queries to ask."""
        judged = [query for query in corpus.queries if corpus.qrels.get(query.id)]
        return tuple(judged[: self.limit])


def cost_estimates(
    request: CalibrationRequest, corpus: Corpus, depth: int, engine: Engine
) -> Mapping[str, Estimates]:
    """By pipeline, what it would take of the providers that it asks, from `depth` candidates."""
    return query_set_estimates([request.pipeline], request.queries(corpus), corpus, depth, engine)


def check(request: CalibrationRequest, corpus: Corpus) -> None:
    """Raises InvalidInput when the judgments alone rule the calibration out."""
    require_judgments(corpus, request.queries(corpus), request.grade, request.folds)


def run(request: CalibrationRequest, corpus: Corpus, ctx: Context, engine: Engine) -> Calibration:
    """Calibrate here and now.

    Raises:
        InvalidInput: Too little is judged, or the pipeline gives no scores.
        Cancelled: Scores of models that were asked are kept.
    """
    check(request, corpus)
    judged = judged_scores(
        corpus,
        Pipeline(request.pipeline),
        queries=request.queries(corpus),
        grade=request.grade,
        ctx=ctx,
        engine=engine,
    )
    return fitted(judged, folds=request.folds, seed=request.seed)


@dataclass(frozen=True, slots=True)
class CalibrateKey(JobKey[Calibration]):
    """A calibration on these documents and judgments.

    `judgments` is a digest of all grades, of where they come from, and of what queries leave out.
    """

    request: CalibrationRequest
    corpus_hash: str
    judgments: str
    session: Bound


def job_key(request: CalibrationRequest, corpus: Corpus, session: Session) -> CalibrateKey:
    """The key of the job that `start` would give."""
    excluded = [(query.id, sorted(query.excluded)) for query in corpus.queries if query.excluded]
    grades = sorted((q, sorted(grades.items())) for q, grades in corpus.qrels.items())
    rows = (grades, excluded, corpus.basis)
    digest = sha256(repr(rows).encode("utf-8", "backslashreplace")).hexdigest()
    bound = session.bound([Pipeline(request.pipeline)])
    return CalibrateKey(request, corpus.content_hash, digest, bound)


@needs(Action.EDIT)
def start(request: CalibrationRequest, corpus: Corpus, session: Session) -> Job[Calibration]:
    """The job of a calibration: the one at work or done, else a new one.

    Raises:
        InvalidInput: The judgments alone rule it out.
    """
    check(request, corpus)
    engine = session.engine

    def work(ctx: Context) -> Calibration:
        return run(request, corpus, ctx, engine)

    return session.jobs.submit(
        job_key(request, corpus, session),
        work,
        lane=RETRIEVAL_LANE,
        by_stage=True,
        name=f"Calibrating on {corpus.name}",
        ctx=session.context([Pipeline(request.pipeline)]),
        waiter=session.waiter,
    )
