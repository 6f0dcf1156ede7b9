"""Evaluations as a use case: a query set through several pipelines, measured by judgments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import cast

from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.core.types import Query
from rerank_lab.corpora import Corpus
from rerank_lab.evaluation.experiments import (
    Evaluation,
    Experiment,
    asked_queries,
    load_experiment,
    plan,
)
from rerank_lab.evaluation.experiments import run as run_experiment
from rerank_lab.evaluation.experiments.store import ExperimentRecord, RecordState
from rerank_lab.evaluation.measures import DEFAULT_MEASURES
from rerank_lab.jobs.claims import claimed
from rerank_lab.jobs.keys import JobKey
from rerank_lab.jobs.table import Job, JobTable
from rerank_lab.jobs.workers import Workers
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.services.access import Action, needs
from rerank_lab.services.cost_estimates import Estimates, calls_out, query_set_estimates
from rerank_lab.services.language_notes import language_notes
from rerank_lab.services.session import Bound, Session
from rerank_lab.services.workers import ONE, WorkersChoice, preset_workers

_GIVES_WAY_S = 1.0
"""So long, at most, an answer of an experiment waits for what somebody waits for on a page."""


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """Run the judged queries of a corpus through pipelines, and measure.

    `limit` takes only the first so many of them. `afresh` asks every model again, so that all
    answers have a time; earlier answers are then not taken over. `workers` of a job run its cells;
    the rankings are the same whoever does.
    """

    pipelines: tuple[PipelineSpec, ...]
    measures: tuple[str, ...] = DEFAULT_MEASURES
    limit: int | None = None
    afresh: bool = False
    workers: WorkersChoice = ONE

    def queries(self, corpus: Corpus) -> tuple[Query, ...]:
        """The queries to ask. Raises InvalidInput for an id that is there twice."""
        return asked_queries(corpus.queries, corpus.qrels)[: self.limit]


def planned(request: EvaluationRequest, corpus: Corpus, engine: Engine) -> Experiment:
    """The experiment that a request asks for, checked without any work.

    Raises:
        InvalidInput: A measure, the queries or the judgments do not allow it.
    """
    return plan(
        corpus,
        request.pipelines,
        queries=request.queries(corpus),
        measures=request.measures,
        engine=engine,
    )


def cost_estimates(
    request: EvaluationRequest, corpus: Corpus, depth: int, engine: Engine
) -> Mapping[str, Estimates]:
    """By pipeline, what it would take of the providers that it asks, from `depth` candidates."""
    return query_set_estimates(request.pipelines, request.queries(corpus), corpus, depth, engine)


def notes_on_languages(request: EvaluationRequest, corpus: Corpus) -> tuple[str, ...]:
    """A sentence for each model that was not made for the languages of corpus or queries."""
    return language_notes(request.pipelines, corpus, request.queries(corpus))


def run(
    request: EvaluationRequest,
    corpus: Corpus,
    ctx: Context,
    engine: Engine,
    workers: Workers | None = None,
) -> Evaluation:
    """Evaluate here and now. Where results cannot be kept, `Evaluation.unkept` says why.

    Args:
        request: What to evaluate.
        corpus: Documents, queries and judgments.
        ctx: Cancel, cache, spend limit.
        engine: Where components come from.
        workers: Who runs the cells; by default this thread.

    Raises:
        InvalidInput: As `planned`.
        Cancelled: What was answered by then is kept; the same request goes on from there.
    """
    return run_experiment(planned(request, corpus, engine), ctx, engine, workers=workers)


@dataclass(frozen=True, slots=True)
class EvaluateKey(JobKey[str]):
    """An experiment from where it stands."""

    experiment_id: str
    measures: tuple[str, ...]
    state: RecordState
    afresh: bool
    session: Bound


@needs(Action.EDIT)
def start(request: EvaluationRequest, corpus: Corpus, session: Session) -> Job[str]:
    """The job of an evaluation; `experiment_of` says under which id its results are kept.

    The same evaluation that is at work already is joined; one that stopped goes on. While another
    process is at work on it, the job waits and shows how far that one is.

    Raises:
        InvalidInput: As `planned`.
    """
    experiment = planned(request, corpus, session.engine)
    return _start(experiment, session, request.workers, afresh=request.afresh)


@needs(Action.EDIT, "experiment_id")
def resume(experiment_id: str, corpus: Corpus, session: Session) -> Job[str]:
    """Go on with a kept experiment that stopped, by the workers that the environment sets.

    Raises:
        InvalidInput: There is none of this id, the corpus is not the one it was run on, or the
            environment says nothing of workers that is understood.
    """
    design = load_experiment(experiment_id, session.engine.home).design
    if corpus.content_hash != design.corpus_hash:
        raise InvalidInput(
            f"{design.corpus} holds other documents now.",
            hint="Evaluate again to ask them; the results of before stay as they are.",
        )
    return _start(Experiment(corpus, design), session, preset_workers())


def experiment_of(job: Job[str]) -> str:
    """The id of the experiment that a job of this service runs."""
    return cast(EvaluateKey, job.key).experiment_id


def jobs_of(experiment_id: str, session: Session) -> list[Job[str]]:
    """The jobs of an experiment that are at work or have ended, oldest first."""
    return session.jobs.jobs(EvaluateKey, lambda key: key.experiment_id == experiment_id)


def _start(
    experiment: Experiment, session: Session, workers: WorkersChoice, *, afresh: bool = False
) -> Job[str]:
    for job in jobs_of(experiment.id, session):
        if not job.state.ended:
            session.jobs.join(job.key, session.waiter)
            return job
    engine, design = session.engine, experiment.design
    pipelines = tuple(map(Pipeline, design.pipelines))
    state = ExperimentRecord(experiment.id, engine.home).state()
    bound = session.bound(pipelines)

    def work(ctx: Context) -> str:
        return claimed(f"evaluation {experiment.id}", ctx, evaluated, engine.home)

    def evaluated(ctx: Context, waited: bool) -> str:
        def turn(pipeline: Pipeline) -> AbstractContextManager[None]:
            return _turn(session.jobs, ctx, asks_provider=calls_out(pipeline.spec))

        if waited:  # what the other process has answered need not be asked again
            ctx = replace(ctx, cache=engine.scores)
        run_experiment(experiment, ctx, engine, must_keep=True, turn=turn, workers=workers.opened())
        return experiment.id

    count = f"{len(pipelines)} pipeline{'s' if len(pipelines) > 1 else ''}"
    return session.jobs.submit(
        EvaluateKey(experiment.id, design.measures, state, afresh, bound),
        work,
        lane="experiments",
        name=f"Evaluating {count} on {experiment.corpus.name}",
        ctx=session.context(pipelines, afresh=afresh),
        waiter=session.waiter,
        detached=True,
    )


@contextmanager
def _turn(jobs: JobTable, ctx: Context, *, asks_provider: bool) -> Iterator[None]:
    """Around each answer of an experiment: the page goes first, and experiments take turns.

    Local answers are had one at a time, so that no time is of a machine that another experiment
    uses. Who mostly waits for a provider takes no turn: several of these go on at once.
    """
    jobs.give_way(ctx.checkpoint, _GIVES_WAY_S)
    if asks_provider:
        yield
        return
    with jobs.turns.turn(ctx.checkpoint):
        yield
