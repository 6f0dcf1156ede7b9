"""Health checks of the rerankers on screen, as jobs; results are kept for the process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import streamlit as st

from rerank_lab.core.spec import PipelineSpec
from rerank_lab.jobs.table import Job
from rerank_lab.rerankers.health import Health
from rerank_lab.services import health
from rerank_lab.ui.shared import resources, waiting
from rerank_lab.ui.shared.visitor import session
from rerank_lab.views.compare import CompareView
from rerank_lab.views.health import Badge, Orders, badge, kept_order, orders, worst

Checks = Mapping[PipelineSpec, tuple[Job[Health], ...]]
"""Pipeline -> one job for each of its rerankers."""

_QUERIES_KEPT = 20


def submit(specs: Iterable[PipelineSpec]) -> Checks:
    """Check each reranker once a process; the same model in two pipelines is one check."""
    started: dict[health.HealthRequest, Job[Health]] = st.session_state.setdefault(
        "health_jobs", {}
    )
    visitor_session = session()
    checks: dict[PipelineSpec, tuple[Job[Health], ...]] = {}
    for spec in specs:
        requests = health.requests(spec)
        for request in requests:
            if request not in started:
                started[request] = health.start(request, visitor_session)
        checks[spec] = tuple(started[request] for request in requests)
    return checks


def jobs_of(spec: PipelineSpec) -> tuple[Job[Health], ...]:
    """The checks of a pipeline's rerankers that anybody has started; starts none."""
    jobs = map(resources.jobs().get, health.requests(spec))
    return tuple(job for job in jobs if job is not None)


def known(spec: PipelineSpec) -> Badge | None:
    """The badge as far as checks were started; None when there was none."""
    jobs = jobs_of(spec)
    return of({spec: jobs}, spec) if jobs else None


def pending(checks: Checks) -> bool:
    """Whether a check has not come to its end."""
    return any(not job.finished.is_set() for jobs in checks.values() for job in jobs)


def pace(checks: Checks) -> float | None:
    """Seconds until a page should look at them again; None when all have ended."""
    ages = [job.age_s for jobs in checks.values() for job in jobs if not job.finished.is_set()]
    return waiting.pace(min(ages)) if ages else None


def of(checks: Checks, spec: PipelineSpec) -> Badge | None:
    """The badge of a pipeline: its least healthy reranker's; None for a first stage alone."""
    jobs = checks.get(spec, ())
    badges = [badge(job.result if job.finished.is_set() else None, error=job.error) for job in jobs]
    return worst([*badges, kept_order(_orders().get(spec, {}).values())])


def remember_orders(view: CompareView) -> None:
    """Note what each pipeline made of this query, so that one that never moves anything shows."""
    topic, known = view.topic, _orders()
    for column in view.ready:
        if column.outcome.result is None:
            continue
        seen = known.setdefault(column.spec, {})
        seen[f"{topic.corpus.content_hash} {topic.query.text}"] = orders(column.outcome.result)
        while len(seen) > _QUERIES_KEPT:
            del seen[next(iter(seen))]


def _orders() -> dict[PipelineSpec, dict[str, Orders]]:
    """By pipeline and query: the orders seen in this session."""
    known_orders: dict[PipelineSpec, dict[str, Orders]] = st.session_state.setdefault(
        "orders_seen", {}
    )
    return known_orders
