"""Pipelines of this session as jobs: submitted once a topic, polled, released when replaced."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import streamlit as st

from rerank_lab.core.context import Context, Progress
from rerank_lab.core.errors import Cancelled, LabError
from rerank_lab.core.spec import Node
from rerank_lab.core.storage import MEMORY
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora import Corpus
from rerank_lab.jobs.keys import JobKey
from rerank_lab.jobs.table import Job
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.pipeline.results import Result, StageStarted, result_of
from rerank_lab.pipeline.stages import RETRIEVAL_LANE
from rerank_lab.remote.recordings import Recording
from rerank_lab.services.cost_estimates import calls_out, stage_estimates
from rerank_lab.ui.shared import keys, resources, spending, waiting
from rerank_lab.views import hosted, prompts
from rerank_lab.views.compare import PipelineOutcome, Topic
from rerank_lab.views.saved import addresses

_FIRST_PAINT_S = 0.15
"""How long a run waits for quick first stages, so that they are in the first picture."""


@dataclass(frozen=True, slots=True)
class CompareKey(JobKey):
    """One pipeline for one question. `session` keeps jobs that work with keys of a session apart:
    its id, and how often its keys were changed; () when no provider is asked."""

    corpus_hash: str
    query_id: str
    query_text: str
    spec: str
    depth: int
    afresh: str
    attempt: int
    prompts: tuple[str, ...]
    session: tuple[str, ...]
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Task:
    """One pipeline asked for one topic: a job, or what was kept of an earlier one."""

    spec: str
    job: Job | None = None
    earlier_outcome: PipelineOutcome | None = None

    @property
    def cancelled(self) -> bool:
        """This session wants it no longer; others may."""
        return self.job is not None and self.job.key in waiting.left()

    @property
    def ended(self) -> bool:
        """Nothing more will come of it here."""
        return self.cancelled or self.job is None or self.job.finished.is_set()


def submit(
    topic: Topic,
    specs: tuple[str, ...],
    depth: int,
    earlier_outcomes: Mapping[str, PipelineOutcome] = MappingProxyType({}),
) -> tuple[Task, ...]:
    """The jobs of a topic: those already there, new ones else. Older questions are let go.

    What failed or was cancelled is not started again until `again` is called for it. Nothing is
    started for what has an outcome in `earlier_outcomes`.
    """
    table, me = resources.jobs(), resources.waiter()
    known: dict[CompareKey, Job] = st.session_state.get("compare_jobs", {})
    tasks: dict[CompareKey, Task] = {}
    for spec in specs:
        if spec in earlier_outcomes:
            continue
        key = _key(topic, spec, depth)
        if key not in known:
            waiting.come_back(key)
        tasks[key] = Task(spec, known.get(key) or _submit(topic, spec, depth, key))
    for key in known.keys() - tasks.keys():
        table.release(key, me)
    st.session_state["compare_jobs"] = {key: task.job for key, task in tasks.items()}
    table.touch(me)
    by_spec = {task.spec: task for task in tasks.values()}
    return tuple(
        by_spec.get(spec) or Task(spec, earlier_outcome=earlier_outcomes[spec]) for spec in specs
    )


def recordings(tasks: Sequence[Task]) -> list[Recording]:
    """What providers answered to these tasks, as far as they were asked and not a cache."""
    contexts = [task.job.ctx.recording for task in tasks if task.job is not None]
    return [recording for recording in contexts if isinstance(recording, Recording)]


def _submit(topic: Topic, spec: str, depth: int, key: CompareKey) -> Job:
    engine = resources.engine()
    pipeline = Pipeline(spec).at_depth(depth)
    cache = None if _afresh(topic) else engine.scores

    calls = calls_out(pipeline)

    def work(ctx: Context) -> Result:
        if calls:
            return _run_with_estimates(pipeline, topic, ctx)
        return pipeline.run(topic.query, topic.corpus, ctx, engine)

    return resources.jobs().submit(
        key,
        work,
        lane=RETRIEVAL_LANE,
        by_stage=True,
        name=spec,
        waiter=resources.waiter(),
        ctx=Context(
            cache=cache,
            secrets=keys.secrets_for(addresses([spec])),
            spend=spending.meter(),
            recording=Recording(MEMORY, whole=False),
        )
        if calls
        else Context(cache=cache),
    )


def _run_with_estimates(pipeline: Pipeline, topic: Topic, ctx: Context) -> Result:
    """As `Pipeline.run`, telling before each hosted stage what it would take."""
    engine, query, corpus = resources.engine(), topic.query, topic.corpus
    ahead = ""

    def progress(now: Progress) -> None:
        ctx.progress(replace(now, message=f"{now.message} ({ahead})") if ahead else now)

    stages = []
    reporting = replace(ctx, progress=progress)
    for event in pipeline.events(query, corpus, reporting, engine):
        if not isinstance(event, StageStarted):
            stages.append(event.result)
            continue
        before = stages[-1].ranking if stages else None
        docs = [corpus.by_id[doc_id] for doc_id in before.doc_ids] if before else []
        ahead = _estimate_words(event.node, query, docs, engine)
        if ahead:
            reporting.report("asking")
    return result_of(str(pipeline), query, stages, corpus)


def _estimate_words(node: Node, query: Query, docs: Sequence[Document], engine: Engine) -> str:
    """What a stage would take of its provider; "" when it cannot run: its own error says why."""
    try:
        return hosted.estimates_words(stage_estimates([node], query, docs, engine)) if docs else ""
    except LabError:
        return ""


def _key(topic: Topic, spec: str, depth: int) -> CompareKey:
    attempts: dict[str, int] = st.session_state.get("attempts", {})
    session_bound = calls_out(Pipeline(spec))
    return CompareKey(
        topic.corpus.content_hash,
        topic.query.id,
        topic.query.text,
        spec,
        depth,
        _afresh(topic),
        attempts.get(spec, 0),
        prompts.digests(spec, resources.engine()),
        (resources.waiter(), str(keys.version())) if session_bound else (),
        tuple(sorted(topic.query.excluded)),
    )


def again(spec: str) -> None:
    """Start this pipeline anew, whatever became of it. Call it from a callback only."""
    attempts: dict[str, int] = st.session_state.get("attempts", {})
    st.session_state["attempts"] = attempts | {spec: time.time_ns()}
    st.rerun()


def afresh(topic: Topic) -> None:
    """Run this topic without any cache, to measure. Call it from a callback only."""
    st.session_state["afresh"] = (topic.query.text, str(time.time_ns()))
    st.rerun()


def _afresh(topic: Topic) -> str:
    """The mark of a run without cache, "" when this topic may use it."""
    text, mark = st.session_state.get("afresh", ("", ""))
    return str(mark) if text == topic.query.text else ""


def first_documents(corpus: Corpus, query: Query, count: int) -> tuple[str, ...]:
    """What stands on top of the first finished column of this query here; () without one."""
    jobs: dict[CompareKey, Job] = st.session_state.get("compare_jobs", {})
    for key, job in jobs.items():
        result: Result | None = job.result
        if result is None or not result.stages or result.stages[-1].ranking is None:
            continue
        if key.corpus_hash == corpus.content_hash and result.query.text == query.text:
            return result.stages[-1].ranking.doc_ids[:count]
    return ()


def wait_a_little(tasks: tuple[Task, ...]) -> None:
    """Give retrieval-only pipelines a moment, so that they do not appear one poll later."""
    until = time.monotonic() + _FIRST_PAINT_S
    for task in tasks:
        retrieves_only = not Pipeline(task.spec).spec.stages
        if task.job is not None and retrieves_only and not task.ended:
            task.job.finished.wait(max(0.0, until - time.monotonic()))


def outcome(task: Task) -> PipelineOutcome:
    """What is known of a pipeline now."""
    job = task.job
    if job is None:
        return task.earlier_outcome or PipelineOutcome(task.spec, error=Cancelled())
    if task.cancelled:
        return PipelineOutcome(task.spec, error=Cancelled())
    if job.finished.is_set():
        result: Result | None = job.result
        if result is not None and result.ranking is None and result.error is None:
            return PipelineOutcome(task.spec, error=Cancelled())
        return PipelineOutcome(task.spec, result=result, error=job.error)
    now = job.progress
    return PipelineOutcome(
        task.spec, doing=now.message, done=now.done, total=now.total, elapsed_s=job.seconds
    )


def outcomes(tasks: Sequence[Task]) -> list[PipelineOutcome]:
    """What is known of each pipeline now, in their order on screen."""
    return [outcome(task) for task in tasks]


def cancel(spec: str) -> None:
    """Stop waiting for this session's pipeline; others that wait for the same job keep it."""
    jobs: dict[CompareKey, Job] = st.session_state.get("compare_jobs", {})
    for key, job in jobs.items():
        if key.spec == spec and not job.finished.is_set():
            waiting.leave(key)
