"""Pipelines of this session as jobs: submitted once a topic, polled, released when replaced."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import streamlit as st

from rerank_lab.core.errors import Cancelled
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.core.types import Query
from rerank_lab.corpora import Corpus
from rerank_lab.jobs.table import Job
from rerank_lab.pipeline.results import Result
from rerank_lab.remote.recordings import Recording
from rerank_lab.services import compare
from rerank_lab.services.compare import CompareKey, CompareRequest
from rerank_lab.ui.shared import waiting
from rerank_lab.ui.shared.visitor import session
from rerank_lab.views import hosted
from rerank_lab.views.compare import PipelineOutcome
from rerank_lab.views.topic import Topic

_FIRST_PAINT_S = 0.15
"""How long a run waits for quick first stages, so that they are in the first picture."""


@dataclass(frozen=True, slots=True)
class Task:
    """One pipeline asked for one topic: a job, or what was kept of an earlier one."""

    spec: PipelineSpec
    job: Job[Result] | None = None
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
    specs: tuple[PipelineSpec, ...],
    depth: int,
    earlier_outcomes: Mapping[PipelineSpec, PipelineOutcome] = MappingProxyType({}),
) -> tuple[Task, ...]:
    """The jobs of a topic: those already there, new ones else. Older questions are let go.

    What failed or was cancelled is not started again until `again` is called for it. Nothing is
    started for what has an outcome in `earlier_outcomes`.
    """
    visitor_session = session()
    known: dict[CompareKey, Job[Result]] = st.session_state.get("compare_jobs", {})
    tasks: dict[CompareKey, Task] = {}
    for spec in specs:
        if spec in earlier_outcomes:
            continue
        request, attempt = _request(topic, spec, depth)
        key = compare.job_key(request, topic.corpus, visitor_session, attempt)
        if key not in known:
            waiting.come_back(key)
        tasks[key] = Task(
            spec,
            known.get(key)
            or compare.start(
                request,
                topic.corpus,
                visitor_session,
                attempt=attempt,
                describe=hosted.estimates_words,
            ),
        )
    for key in known.keys() - tasks.keys():
        visitor_session.jobs.release(key, visitor_session.waiter)
    st.session_state["compare_jobs"] = {key: task.job for key, task in tasks.items()}
    visitor_session.jobs.touch(visitor_session.waiter)
    by_spec = {task.spec: task for task in tasks.values()}
    return tuple(
        by_spec.get(spec) or Task(spec, earlier_outcome=earlier_outcomes[spec]) for spec in specs
    )


def recordings(tasks: Sequence[Task]) -> list[Recording]:
    """What providers answered to these tasks, as far as they were asked and not a cache."""
    contexts = [task.job.ctx.recording for task in tasks if task.job is not None]
    return [recording for recording in contexts if isinstance(recording, Recording)]


def _request(topic: Topic, spec: PipelineSpec, depth: int) -> tuple[CompareRequest, str]:
    """What to ask of a pipeline, and which attempt of this session it is."""
    attempts: dict[PipelineSpec, int] = st.session_state.get("attempts", {})
    afresh_mark = _afresh(topic)
    request = CompareRequest(topic.query, spec, depth, afresh=bool(afresh_mark))
    return request, f"{afresh_mark}/{attempts.get(spec, 0)}"


def again(spec: PipelineSpec) -> None:
    """Start this pipeline anew, whatever became of it. Call it from a callback only."""
    attempts: dict[PipelineSpec, int] = st.session_state.get("attempts", {})
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
    jobs: dict[CompareKey, Job[Result]] = st.session_state.get("compare_jobs", {})
    for key, job in jobs.items():
        result = job.result
        if result is None or not result.stages or result.stages[-1].ranking is None:
            continue
        if key.corpus_hash == corpus.content_hash and result.query.text == query.text:
            return result.stages[-1].ranking.doc_ids[:count]
    return ()


def wait_a_little(tasks: tuple[Task, ...]) -> None:
    """Give retrieval-only pipelines a moment, so that they do not appear one poll later."""
    until = time.monotonic() + _FIRST_PAINT_S
    for task in tasks:
        if task.job is not None and not task.spec.stages and not task.ended:
            task.job.finished.wait(max(0.0, until - time.monotonic()))


def pace(tasks: Sequence[Task]) -> float | None:
    """Seconds until a page should look at them again; None when all have ended."""
    ages = [task.job.age_s for task in tasks if task.job is not None and not task.ended]
    return waiting.pace(min(ages)) if ages else None


def outcome(task: Task) -> PipelineOutcome:
    """What is known of a pipeline now."""
    job = task.job
    if job is None:
        return task.earlier_outcome or PipelineOutcome(task.spec, error=Cancelled())
    if task.cancelled:
        return PipelineOutcome(task.spec, error=Cancelled())
    if job.finished.is_set():
        result = job.result
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


def cancel(spec: PipelineSpec) -> None:
    """Stop waiting for this session's pipeline; others that wait for the same job keep it."""
    jobs: dict[CompareKey, Job[Result]] = st.session_state.get("compare_jobs", {})
    for key, job in jobs.items():
        if key.request.pipeline == spec and not job.finished.is_set():
            waiting.leave(key)
