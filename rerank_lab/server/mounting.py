"""The API inside another application, such as the app: routes, and what runs beside them."""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from starlette.routing import BaseRoute

from rerank_lab.core.context import CancelToken, Context, LaneSlots
from rerank_lab.core.errors import Cancelled, LabError
from rerank_lab.core.spend import SpendMeter
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.pipeline.engine import Engine, default_engine
from rerank_lab.server.app import READY, RerankAPI, ServerStatus
from rerank_lab.server.batching import CallBatches
from rerank_lab.server.keys import ApiKeys
from rerank_lab.server.limits import RequestLimits
from rerank_lab.server.pipelines import ServedPipelines, served_pipelines
from rerank_lab.server.queue import WorkQueue

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
"""The names of this machine that no page of another site can have."""
_log = logging.getLogger("rerank_lab.server")


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How a server is bounded.

    Attributes:
        limits: Of one request.
        workers: Requests that are worked on at a time; they share batches of local models.
        waiting: Requests that wait behind them; further ones are refused.
        keys: Who may ask.
        hosts: Names that a request may call the server by; none at all: any.
        spend_limit: USD that providers may bill from the start to the end of the process; None:
            no limit.
    """

    limits: RequestLimits = field(default_factory=RequestLimits)
    workers: int = 2
    waiting: int = 64
    keys: ApiKeys = field(default_factory=ApiKeys)
    hosts: Sequence[str] = ()
    spend_limit: float | None = None


class MountedAPI(NamedTuple):
    """What another application needs: `Starlette(routes=..., lifespan=...)`, `st.App(...)`."""

    routes: list[BaseRoute]
    lifespan: Callable[[object], AbstractAsyncContextManager[None]]
    status: Callable[[], ServerStatus]


def mounted_api(
    specs: Mapping[str, str],
    *,
    engine: Engine | None = None,
    corpus: Corpus | None = None,
    settings: ServerSettings | None = None,
    slots: Callable[[], LaneSlots] | None = None,
) -> MountedAPI:
    """The API over pipelines, for an application that has pages or routes of its own.

    Models load once the application runs, in a thread; `/ready` answers 503 until then, and with
    what went wrong where loading failed. Requests that come before wait for their own model.

    Args:
        specs: Pipelines by the name that clients ask for as `model`.
        engine: Holds models and indexes; by default that of this process.
        corpus: What `/v1/search` searches.
        settings: Bounds, keys, host names.
        slots: The hold on lanes of each request, where jobs go on beside it.

    Raises:
        InvalidInput: a pipeline cannot be understood, or would fail here.
    """
    settings = settings or ServerSettings()
    engine = engine or default_engine()
    pipelines = served_pipelines(specs, settings.limits.documents)
    problems = [error for served in pipelines for error in served.problems(corpus, engine)]
    if problems:
        raise problems[0]
    loading = _Loading(pipelines, corpus, engine)
    api = api_of(pipelines, engine, corpus, settings, lambda: loading.state, slots)

    @asynccontextmanager
    async def lifespan(application: object) -> AsyncIterator[None]:
        loading.start()
        async with api.lifespan(application):
            try:
                yield
            finally:
                loading.cancel()

    return MountedAPI(api.routes(), lifespan, api.status)


def api_of(
    pipelines: ServedPipelines,
    engine: Engine,
    corpus: Corpus | None,
    settings: ServerSettings,
    state: Callable[[], str] = lambda: READY,
    slots: Callable[[], LaneSlots] | None = None,
) -> RerankAPI:
    """The API with its queue, by the settings; see RerankAPI for `state`, WorkQueue for `slots`."""
    spend = SpendMeter(settings.spend_limit)
    base = Context(sharing=CallBatches(), spend=spend)
    return RerankAPI(
        pipelines,
        engine,
        WorkQueue(settings.workers, settings.waiting, base, slots),
        limits=settings.limits,
        keys=settings.keys,
        corpus=corpus,
        hosts=settings.hosts,
        spend=spend,
        state=state,
    )


class _Loading:
    """Brings models and indexes into memory beside a running application."""

    def __init__(self, pipelines: ServedPipelines, corpus: Corpus | None, engine: Engine) -> None:
        self.state = "loading"
        self._pipelines = pipelines
        self._corpus = corpus
        self._engine = engine
        self._cancel = CancelToken()

    def start(self) -> None:
        threading.Thread(target=self._load, name="rerank-lab-load", daemon=True).start()

    def cancel(self) -> None:
        self._cancel.cancel()

    def _load(self) -> None:
        try:
            for served in self._pipelines:
                served.load(self._corpus, Context(cancel=self._cancel), self._engine)
        except Cancelled:
            self.state = "closing"
        except LabError as error:
            self.state = f"failed: {error.message}"
            _log.error("A pipeline cannot be loaded: %s", error)
        else:
            self.state = READY
