"""Who asks a service, and with what: engine, job table, keys and spend meter of one visitor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from rerank_lab.components.registry import expand
from rerank_lab.core.context import Context
from rerank_lab.core.errors import LabError
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.core.spend import CostEstimate, SpendMeter
from rerank_lab.jobs.table import JobTable
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.remote.urls import host_of
from rerank_lab.services.access import (
    Action,
    Visitor,
    current_visitor,
    may,
    refused,
    require,
)
from rerank_lab.services.cost_estimates import calls_out


class RefusedSpend(SpendMeter):
    """The meter of a visitor who may not spend: it refuses every call before it is sent."""

    def __init__(self, visitor: Visitor) -> None:
        super().__init__(0.0)
        self._visitor = visitor

    def reserve(self, estimate: CostEstimate, what: str) -> float:
        """Raises NotAllowed."""
        raise refused(self._visitor, Action.SPEND, "spend.reserve", what)


Bound = tuple[str, ...]
"""The part of a job's key that keeps it to one session; () for a job that everybody shares."""


@dataclass(frozen=True, slots=True)
class Session:
    """One visitor of the app. The engine and the job table are shared by all of them.

    `waiter` names the visitor in the job table. `secrets` are the keys typed into the session by
    the name of their environment variable; `key_version` changes whenever one of them does, so that
    what failed for want of a key is tried again. No key is sent to `distrusted_hosts`.
    """

    engine: Engine
    jobs: JobTable
    waiter: str = ""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    key_version: int = 0
    distrusted_hosts: frozenset[str] = frozenset()
    spend: SpendMeter = field(default_factory=SpendMeter, repr=False)

    def __post_init__(self) -> None:
        """Whoever may not spend has a meter that refuses, and brings no keys."""
        visitor = current_visitor()
        if not visitor.may(Action.SPEND):
            object.__setattr__(self, "spend", RefusedSpend(visitor))
        if not visitor.may(Action.SET_KEYS):
            object.__setattr__(self, "secrets", {})

    def bound(self, pipelines: Iterable[Pipeline]) -> Bound:
        """What keeps a job of these pipelines to this session: () when none asks a provider."""
        asks = any(calls_out(pipeline.spec) for pipeline in pipelines)
        return (self.waiter, str(self.key_version)) if asks else ()

    def context(self, pipelines: Iterable[Pipeline], *, afresh: bool = False) -> Context:
        """What these pipelines run with: keys and meter only when one of them asks a provider.

        Args:
            afresh: take no score from the cache, so that every model is asked and timed.
        """
        pipelines = tuple(pipelines)
        ctx = Context(cache=None if afresh else self.engine.scores)
        if not any(calls_out(pipeline.spec) for pipeline in pipelines):
            return ctx
        if may(Action.SPEND):
            hosted = sorted({node.name for one in pipelines for node, _ in one.leaves})
            require(Action.SPEND, "session.context", ", ".join(hosted), once=True)
        return replace(ctx, secrets=self.secrets_for(pipelines), spend=self.spend)

    def secrets_for(self, pipelines: Iterable[Pipeline]) -> Mapping[str, str]:
        """The keys of the session; none when one of the pipelines names a host it distrusts."""
        return {} if self.distrusted_hosts & named_hosts(pipelines) else self.secrets


def named_hosts(pipelines: Iterable[Pipeline]) -> frozenset[str]:
    """The hosts that pipelines name themselves, in place of a provider's own."""
    hosts = {
        host_of(str(expand(node, kind)[1].get("base_url", "")).strip())
        for pipeline in pipelines
        for node, kind in pipeline.leaves
    }
    return frozenset(hosts - {""})


def hosts_in(specs: Iterable[PipelineSpec | str]) -> frozenset[str]:
    """`named_hosts` of pipelines, also as text; those that cannot be read here name none."""
    pipelines = []
    for spec in specs:
        try:
            pipelines.append(Pipeline(spec))
        except LabError:
            continue
    return named_hosts(pipelines)
