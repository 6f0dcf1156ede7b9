"""Latency under load as a use case: measure, keep what came of it, read it again."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.evaluation.load.address import address_call
from rerank_lab.evaluation.load.run import DEFAULT_PLAN, LoadPlan, measure_call, measure_load
from rerank_lab.evaluation.load.study import LOAD, LoadStudy
from rerank_lab.evaluation.studies import save_study, studies
from rerank_lab.jobs.keys import JobKey
from rerank_lab.jobs.table import Job
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.services.access import Action, needs
from rerank_lab.services.session import Bound, Session


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """Measure a pipeline under load, with the queries of a corpus.

    The study is kept with the experiment of that id; with "" it is kept nowhere. `limit` takes only
    the first so many queries, which are asked in turn, again and again.
    """

    pipeline: PipelineSpec
    plan: LoadPlan = DEFAULT_PLAN
    experiment_id: str = ""
    limit: int | None = None


def run(request: LoadRequest, corpus: Corpus, ctx: Context, engine: Engine) -> LoadStudy:
    """Measure here and now.

    Raises:
        InvalidInput, Cancelled, LabError: as `measure_load`.
    """
    pipeline = Pipeline(request.pipeline)
    queries = corpus.queries[: request.limit]
    study = measure_load(pipeline, request.plan, corpus, queries, ctx, engine)
    if request.experiment_id:
        asked = {"pipeline": study.pipeline, "plan": msgspec.to_builtins(request.plan)}
        save_study(request.experiment_id, LOAD, asked, study.to_json(), engine.home)
    return study


def run_address(
    address: str, plan: LoadPlan, corpus: Corpus, depth: int, ctx: Context, key: str = ""
) -> LoadStudy:
    """Measure the rerank API at an address with `depth` documents a query, evenly spaced.

    Raises:
        InvalidInput: The plan, the address, or a corpus without queries or documents.
        Cancelled: Nothing is kept of what was measured by then.
    """
    if not corpus.queries or not corpus.examples:
        raise InvalidInput(
            f"{corpus.name!r} has no queries or no documents to send.",
            hint="Choose a corpus that has both.",
        )
    step = max(1, len(corpus.examples) // depth)
    documents = corpus.examples[::step][:depth]
    call = address_call(address, corpus.queries, documents, key)
    return measure_call(plan, call, address, ctx)


@dataclass(frozen=True, slots=True)
class LoadKey(JobKey[LoadStudy]):
    """One measurement; `turn` tells a repetition from the one before."""

    request: LoadRequest
    corpus_hash: str
    turn: int
    session: Bound


@needs(Action.EDIT)
def start(request: LoadRequest, corpus: Corpus, session: Session) -> Job[LoadStudy]:
    """The job that measures, in a lane of its own. One that is at work already is joined.

    Raises:
        InvalidInput: The plan cannot be measured.
    """
    request.plan.check()
    earlier = jobs_of(request.experiment_id, session)
    for job in earlier:
        if not job.state.ended and isinstance(job.key, LoadKey) and job.key.request == request:
            session.jobs.join(job.key, session.waiter)
            return job
    engine, pipelines = session.engine, (Pipeline(request.pipeline),)
    bound = session.bound(pipelines)
    return session.jobs.submit(
        LoadKey(request, corpus.content_hash, len(earlier), bound),
        lambda ctx: run(request, corpus, ctx, engine),
        lane="load",
        name=f"Measuring under load on {corpus.name}",
        ctx=session.context(pipelines, afresh=True),
        waiter=session.waiter,
        detached=True,
    )


def jobs_of(experiment_id: str, session: Session) -> list[Job[LoadStudy]]:
    """The measurements for an experiment that are at work or have ended, oldest first."""
    return session.jobs.jobs(LoadKey, lambda key: key.request.experiment_id == experiment_id)


def load_studies(experiment_id: str, home: Path | None = None) -> tuple[LoadStudy, ...]:
    """The load studies of an experiment, newest first; what cannot be read is left out."""
    readable = []
    for study in studies(experiment_id, LOAD, home):
        with suppress(msgspec.ValidationError):
            readable.append(LoadStudy.from_json(study.result))
    return tuple(readable)
