"""Health checks of the rerankers on screen, as jobs; results are kept for the process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from rerank_lab.components.registry import expand
from rerank_lab.core.context import Context
from rerank_lab.core.errors import LabError
from rerank_lab.core.spec import Literal, Node
from rerank_lab.jobs.keys import JobKey
from rerank_lab.jobs.table import Job
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.rerankers.health import Health, check
from rerank_lab.ui.shared import resources
from rerank_lab.views.compare import CompareView
from rerank_lab.views.health import Badge, Orders, badge, kept_order, orders, worst

Checks = Mapping[str, tuple[Job, ...]]
"""Canonical pipeline spec -> one job for each of its rerankers."""

_QUERIES_KEPT = 20


def submit(specs: tuple[str, ...]) -> Checks:
    """Check each reranker once a process; the same model in two pipelines is one check."""
    known: dict[HealthKey, Job] = st.session_state.setdefault("health_jobs", {})
    checks: dict[str, tuple[Job, ...]] = {}
    for spec in specs:
        jobs = []
        for node in _rerankers(spec):
            try:
                key = _key(node)
            except LabError:
                continue
            jobs.append(known.get(key) or _submit(key, node))
            known[key] = jobs[-1]
        checks[spec] = tuple(jobs)
    return checks


def jobs_of(spec: str) -> tuple[Job, ...]:
    """The checks of a pipeline's rerankers that anybody has started; starts none."""
    jobs = []
    for node in _rerankers(spec):
        try:
            jobs.append(resources.jobs().get(_key(node)))
        except LabError:
            continue
    return tuple(job for job in jobs if job is not None)


def known(spec: str) -> Badge | None:
    """The badge as far as checks were started; None when there was none."""
    jobs = jobs_of(spec)
    return of({spec: jobs}, spec) if jobs else None


def _rerankers(spec: str) -> list[Node]:
    """The rerankers with something to check: reading scores or counting words takes no model."""
    rerankers = [node for node, kind in Pipeline(spec).leaves if kind == "reranker"]
    return [node for node in rerankers if expand(node, "reranker")[0].has_model]


@dataclass(frozen=True, slots=True)
class HealthKey(JobKey):
    """The health of a reranker with its options, however many candidates it takes."""

    reranker: str
    options: tuple[tuple[str, Literal], ...]


def _key(node: Node) -> HealthKey:
    info, options = expand(node, "reranker")
    return HealthKey(info.name, tuple(item for item in sorted(options.items()) if item[0] != "top"))


def _submit(key: HealthKey, node: Node) -> Job:
    engine = resources.engine()

    def work(ctx: Context) -> Health:
        return check(engine.reranker(node), ctx)

    name = str(expand(node, "reranker")[1].get("model") or node.name)
    return resources.jobs().submit(
        key,
        work,
        lane="cpu",
        name=f"Checking {name}",
        waiter=resources.waiter(),
        detached=True,
    )


def pending(checks: Checks) -> bool:
    """Whether a check has not come to its end."""
    return any(not job.finished.is_set() for jobs in checks.values() for job in jobs)


def of(checks: Checks, spec: str) -> Badge | None:
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


def _orders() -> dict[str, dict[str, Orders]]:
    """By pipeline and query: the orders seen in this session."""
    known_orders: dict[str, dict[str, Orders]] = st.session_state.setdefault("orders_seen", {})
    return known_orders
