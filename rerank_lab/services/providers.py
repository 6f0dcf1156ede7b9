"""Providers as a use case: one small question that shows whether a key and an address work."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from rerank_lab.core.context import Context
from rerank_lab.jobs.keys import JobKey
from rerank_lab.jobs.table import Job
from rerank_lab.rerankers.base import Reranker
from rerank_lab.rerankers.hosted.probe import ProviderProbe, probe
from rerank_lab.services.access import Action, needs
from rerank_lab.services.session import Session


@dataclass(frozen=True, slots=True)
class ProviderTestKey(JobKey[ProviderProbe]):
    """One press of a session on the test of a provider, in nanoseconds since 1970."""

    provider: str
    session: str
    begun_ns: int


@needs(Action.SPEND, "name")
def start_test(
    name: str, title: str, make: Callable[[], Reranker], session: Session
) -> Job[ProviderProbe]:
    """Ask a provider with the session's keys. Always a new job.

    `make` gives the reranker to ask; a LabError that it raises is the job's.

    Keys typed into the session are sent even where a saved comparison named the host: whoever
    presses the test has the address in sight.
    """

    def work(ctx: Context) -> ProviderProbe:
        return probe(make(), ctx, title=title)

    return session.jobs.submit(
        ProviderTestKey(name, session.waiter, time.time_ns()),
        work,
        lane="network",
        name=f"Testing {title}",
        waiter=session.waiter,
        ctx=Context(secrets=session.secrets, spend=session.spend),
    )
