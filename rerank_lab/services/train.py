"""Training as a use case: a learned fusion from judgments."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from rerank_lab.core.context import Context
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.core.types import Query
from rerank_lab.corpora import Corpus
from rerank_lab.fusion.learned.model import LearnedModel
from rerank_lab.fusion.learned.settings import DEFAULT_SETTINGS, LearnerSettings
from rerank_lab.fusion.learned.store import delete_model
from rerank_lab.jobs.keys import JobKey
from rerank_lab.jobs.table import Job
from rerank_lab.learning import MIN_QUERIES, Plan, plan
from rerank_lab.learning import train as trained
from rerank_lab.learning.requirements import usable
from rerank_lab.pipeline.engine import Engine
from rerank_lab.services.access import Action, needs
from rerank_lab.services.cost_estimates import Estimates, query_set_estimates
from rerank_lab.services.session import Session


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """Train the learned fusion at the end of a pipeline, and keep the model under a name.

    `limit` takes only the first so many queries that have something to teach, `folds` is how many
    parts they are split into for validation, `language` whose stemmer the word features use.
    `replace` lets the model take the place of one of the same name.
    """

    pipeline: PipelineSpec
    name: str
    settings: LearnerSettings = DEFAULT_SETTINGS
    folds: int = 5
    language: str = "english"
    replace: bool = False
    limit: int | None = None

    def queries(self, corpus: Corpus) -> tuple[Query, ...]:
        """The queries to learn from: those with a relevant document."""
        return useful_queries(corpus)[: self.limit]


LEAST_QUERIES = MIN_QUERIES
"""So many queries with a relevant document are needed at the very least."""


def useful_queries(corpus: Corpus) -> tuple[Query, ...]:
    """The queries of a corpus that have something to teach: those with a relevant document."""
    return usable(corpus.queries, corpus.qrels)


def planned(request: TrainingRequest, corpus: Corpus, engine: Engine) -> Plan:
    """What a request would train, checked without any work.

    Raises:
        InvalidInput: The name is taken, the pipeline has nothing to train, or too little is judged.
        LabError: Whatever stops a source here.
    """
    return plan(
        corpus,
        request.pipeline,
        request.name,
        queries=request.queries(corpus),
        settings=request.settings,
        folds=request.folds,
        language=request.language,
        replace=request.replace,
        engine=engine,
    )


def cost_estimates(
    request: TrainingRequest, corpus: Corpus, depth: int, engine: Engine
) -> Mapping[str, Estimates]:
    """By pipeline, what it would take of the providers that it asks, from `depth` candidates."""
    return query_set_estimates([request.pipeline], request.queries(corpus), corpus, depth, engine)


def run(request: TrainingRequest, corpus: Corpus, ctx: Context, engine: Engine) -> LearnedModel:
    """Train here and now, and keep the model.

    Raises:
        LabError: As `planned`, and the errors of sources; nothing is kept then but scores.
        Cancelled: Scores of models that were asked are kept.
    """
    return trained(planned(request, corpus, engine), ctx, engine)


@dataclass(frozen=True, slots=True)
class TrainKey(JobKey[str]):
    """The training of a model, begun at that moment in nanoseconds since 1970."""

    model: str
    begun_ns: int


def jobs_of(model: str, session: Session) -> list[Job[str]]:
    """The trainings of a model of this name, oldest first."""
    return session.jobs.jobs(TrainKey, lambda key: key.model == model)


@needs(Action.EDIT)
def start(request: TrainingRequest, corpus: Corpus, session: Session) -> Job[str]:
    """The job of a training: the one at work under that name, else a new one.

    Its result is the name of the model.

    Raises:
        LabError: As `planned`.
    """
    engine, checked = session.engine, planned(request, corpus, session.engine)
    for job in jobs_of(checked.name, session):
        if not job.state.ended:
            session.jobs.join(job.key, session.waiter)
            return job

    def work(ctx: Context) -> str:
        return trained(checked, ctx, engine).name

    return session.jobs.submit(
        TrainKey(checked.name, time.time_ns()),
        work,
        lane="batch",
        name=f"Training {checked.name} on {corpus.name}",
        ctx=Context(
            cache=engine.scores,
            secrets=session.secrets_for([checked.pipeline]),
            spend=session.spend,
        ),
        waiter=session.waiter,
        detached=True,
    )


@needs(Action.DELETE, "model")
def delete(model: str) -> None:
    """Delete a learned fusion; one that is not there is no matter."""
    delete_model(model)
