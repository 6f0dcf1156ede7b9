"""The routes of the API, as a Starlette application."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from rerank_lab.core.context import Context
from rerank_lab.core.errors import LabError
from rerank_lab.core.spend import SpendMeter
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.pipeline.engine import Engine
from rerank_lab.server import metrics, shapes
from rerank_lab.server.connections import connections_of
from rerank_lab.server.decoding import fields_of
from rerank_lab.server.keys import METRICS, RERANK, SEARCH, ApiKeys
from rerank_lab.server.limits import ArrivingBytes, RequestLimits
from rerank_lab.server.metrics import ServerMetrics
from rerank_lab.server.openapi import openapi
from rerank_lab.server.pipelines import ServedPipelines
from rerank_lab.server.queue import NO_TIMES, QueueTimes, WorkQueue
from rerank_lab.server.refusals import CLIENT_LEFT, RequestRefused, refusal_of
from rerank_lab.server.reranking import RerankAnswer, rerank_given
from rerank_lab.server.search import read_search, search
from rerank_lab.server.shapes import RerankShape

JSON = "application/json"
READY = "ready"
WORK_ROUTES = ("/v2/rerank", "/v1/rerank", "/rerank", "/infinity/rerank", "/v1/search")
"""Routes that rerank or search."""
_log = logging.getLogger("rerank_lab.server")
Refusal = Callable[[int, str], Mapping[str, Any]]
"""The body of an error, of its status and message."""


@dataclass(slots=True)
class Exchange:
    """One request on its way, and what logs and metrics are to know of it: no text, no key."""

    request: Request
    route: str
    started: float = field(default_factory=time.monotonic)
    documents: int = 0
    key_name: str = ""
    times: QueueTimes = NO_TIMES
    refusal: Refusal = lambda _, message: {"message": message}

    def answer(self, body: Any, status: int = 200, retry_after: int = 0) -> Response:
        """A JSON response with its times in milliseconds, in the headers that TEI has for them."""
        headers = {
            "x-queue-time": f"{1000 * self.times.queue_s:.1f}",
            "x-tokenization-time": f"{1000 * self.times.tokenise_s:.1f}",
            "x-inference-time": f"{1000 * self.times.compute_s:.1f}",
            "x-total-time": f"{1000 * (time.monotonic() - self.started):.1f}",
        }
        if retry_after:
            headers["retry-after"] = str(retry_after)
        if status == 401:
            headers["www-authenticate"] = "Bearer"
        return Response(msgspec.json.encode(body), status, headers, JSON)

    async def client_left(self) -> None:
        """End when the client closes the connection; the body must have been read."""
        while (await self.request.receive())["type"] != "http.disconnect":
            pass


Handler = Callable[[Exchange], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """What a server does now, for people.

    Attributes:
        state: "ready", or why it is not.
        pipelines: Their specs by the name that clients send as `model`.
        corpus: The name of what `/v1/search` searches; "" for none.
        keys_needed: Whether a request needs a key.
        pending: Requests in work and waiting.
        capacity: So many may be.
        requests: Since the start, to rerank or to search.
        failed: Those of them that were refused or failed.
        given_up: Those that the server could not finish when it was asked to end.
        unnoticed: Threads that still work on a request that nobody waits for.
    """

    state: str
    pipelines: Mapping[str, str]
    corpus: str
    keys_needed: bool
    pending: int
    capacity: int
    requests: int
    failed: int
    given_up: int = 0
    unnoticed: int = 0


class RerankAPI:
    """The state of a server, and what it does for each route."""

    def __init__(
        self,
        pipelines: ServedPipelines,
        engine: Engine,
        queue: WorkQueue,
        *,
        limits: RequestLimits | None = None,
        keys: ApiKeys | None = None,
        corpus: Corpus | None = None,
        hosts: Sequence[str] = (),
        spend: SpendMeter | None = None,
        state: Callable[[], str] = lambda: READY,
    ) -> None:
        """How pipelines answer.

        Args:
            pipelines: Who answers.
            engine: Holds their models and indexes.
            queue: What bounds the work.
            limits: Bounds of one request.
            keys: Who may ask; by default everybody.
            corpus: What `/v1/search` searches; None for no such route.
            hosts: Names that a request may call this server by; none at all: any.
            spend: Counts what the queue's work has providers bill.
            state: "ready" once models are loaded, else a word that `/ready` answers with.
        """
        self._pipelines = pipelines
        self._engine = engine
        self._queue = queue
        self._limits = limits or RequestLimits()
        self._keys = keys or ApiKeys()
        self._corpus = corpus
        self._hosts = frozenset(hosts)
        self._spend = spend or SpendMeter()
        self._state = state
        self._metrics = ServerMetrics()
        self._arriving = ArrivingBytes()
        self._closing = False
        self._given_up = 0

    def application(self) -> Starlette:
        """The ASGI application; no other site's page may read its answers (CORS is off)."""
        return Starlette(
            routes=self.routes(),
            lifespan=self.lifespan,
            exception_handlers={HTTPException: self._no_route},
        )

    def routes(self) -> list[BaseRoute]:
        """The routes, for this application or for another one beside its own."""
        return [
            *(
                self._rerank_route(path, shape)
                for path, shape in (
                    ("/v2/rerank", shapes.COHERE_V2),
                    ("/v1/rerank", shapes.DOCUMENTS_V1),
                    ("/rerank", None),
                    ("/infinity/rerank", shapes.INFINITY),
                )
            ),
            self._route("/v1/search", self._search, "POST", SEARCH),
            self._route("/v1/models", self._models, "GET"),
            self._route("/metrics", self._metrics_text, "GET", METRICS),
            self._route("/openapi.json", self._openapi, "GET"),
            self._route("/health", self._health, "GET", open_to_all=True),
            self._route("/ready", self._ready, "GET", open_to_all=True),
        ]

    def status(self) -> ServerStatus:
        """What it does now; may be called from any thread."""
        return ServerStatus(
            self._state(),
            {served.name: str(served.pipeline) for served in self._pipelines},
            self._corpus.name if self._corpus is not None else "",
            self._keys.needed,
            self._queue.pending,
            self._queue.capacity,
            self._metrics.requests(WORK_ROUTES),
            self._metrics.requests(WORK_ROUTES, failed=True),
            self._given_up,
            self._queue.unnoticed,
        )

    @asynccontextmanager
    async def lifespan(self, _: object) -> AsyncIterator[None]:
        """Runs beside the application that has the routes: at its end, work that waits is left."""
        yield
        self._closing = True
        self._queue.close()

    def _rerank_route(self, path: str, shape: RerankShape | None) -> Route:
        """A route of one shape; without one, of the shape that the body has."""

        async def rerank(exchange: Exchange) -> Response:
            return await self._rerank(exchange, shape)

        return self._route(path, rerank, "POST", RERANK, (shape or shapes.TEI).refusal)

    def _route(
        self,
        path: str,
        handler: Handler,
        method: str,
        action: str = "",
        refusal: Refusal = lambda _, message: {"message": message},
        *,
        open_to_all: bool = False,
    ) -> Route:
        async def endpoint(request: Request) -> Response:
            exchange = Exchange(request, path, refusal=refusal)
            try:
                self._check_host(request)
                if not open_to_all:
                    key = self._keys.key_of(request.headers.get("authorization", ""))
                    exchange.key_name = key.name
                    key.check(action)
                response = await handler(exchange)
            except RequestRefused as error:
                response = _refused(exchange, error)
            except LabError as error:
                response = _refused(exchange, refusal_of(error))
            except asyncio.CancelledError:
                # The time to finish what was taken is over; nothing runs after this.
                self._given_up += 1
                words = "The server ends, and this request took too long; ask another one."
                response = _refused(exchange, RequestRefused(503, words, retry_after=1))
            except Exception as error:
                # Its text could hold a document's: only the type is told.
                _log.error("%s: %s", path, type(error).__name__)
                response = _refused(exchange, RequestRefused(500, "The server failed."))
            self._note(exchange, response.status_code)
            return response

        return Route(path, endpoint, methods=[method])

    def _check_host(self, request: Request) -> None:
        """Refuse other names: a page of another site could give its own to this machine's."""
        host = request.headers.get("host", "")
        name = host[: host.find("]") + 1] if host.startswith("[") else host.partition(":")[0]
        if self._hosts and name.lower() not in self._hosts:
            raise RequestRefused(400, "This server is not called so; see the header Host.")

    def _note(self, exchange: Exchange, status: int) -> None:
        """Count a request, and log it as one line of JSON without texts and keys."""
        seconds = time.monotonic() - exchange.started
        self._metrics.add(exchange.route, status, seconds, exchange.documents)
        self._metrics.add_times(exchange.times)
        entry = {
            "route": exchange.route,
            "status": status,
            "documents": exchange.documents,
            "seconds": round(seconds, 4),
            "queue_s": round(exchange.times.queue_s, 4),
        }
        if exchange.key_name:
            entry["key_name"] = exchange.key_name
        _log.info(json.dumps(entry))

    async def _rerank(self, exchange: Exchange, shape: RerankShape | None) -> Response:
        fields = fields_of(await self._limits.body(exchange.request, self._arriving))
        shape = shape or shapes.shape_of(fields)
        exchange.refusal = shape.refusal
        call = shape.read(fields)
        self._limits.check_query(call.query)
        self._limits.check_documents(shape.texts, call.texts)
        served = self._pipelines.named(call.model)
        texts_field = shape.texts

        def work(ctx: Context) -> RerankAnswer:
            count = served.reranker.token_count(self._engine)
            self._limits.check_tokens(texts_field, call.query, call.texts, count)
            return rerank_given(call, served, self._engine, ctx)

        answer, exchange.times = await self._queue.run(
            work,
            exchange.started + self._limits.deadline_s,
            exchange.client_left,
        )
        exchange.times = exchange.times.split(answer.trace.queue_s, answer.trace.tokenise_s)
        exchange.documents = len(call.texts)
        return exchange.answer(shape.answer(answer, call))

    async def _search(self, exchange: Exchange) -> Response:
        corpus = self._corpus
        if corpus is None:
            raise RequestRefused(404, "This server has no corpus: it was started without --corpus.")
        call = read_search(fields_of(await self._limits.body(exchange.request, self._arriving)))
        self._limits.check_query(call.query)
        served = self._pipelines.named(call.model)
        body, exchange.times = await self._queue.run(
            lambda ctx: search(call, served, corpus, self._engine, ctx, self._limits),
            exchange.started + self._limits.deadline_s,
            exchange.client_left,
        )
        trace = body["trace"]
        exchange.times = exchange.times.split(trace["queue_s"], trace["tokenise_s"])
        return exchange.answer(body)

    async def _models(self, exchange: Exchange) -> Response:
        models = [
            {
                "id": served.name,
                "object": "model",
                "owned_by": "rerank-lab",
                "pipeline": str(served.pipeline),
                "reranker": str(served.stages) if served.stages else None,
                "scale": served.stages.scale if served.stages else None,
            }
            for served in self._pipelines
        ]
        return exchange.answer({"object": "list", "data": models})

    async def _metrics_text(self, exchange: Exchange) -> Response:
        gauges = {
            ("rerank_lab_queue_depth", "Requests in work and waiting."): self._queue.pending,
            ("rerank_lab_queue_capacity", "Requests that fit."): self._queue.capacity,
        }
        connections = connections_of(exchange.request.scope)
        if connections is not None:
            gauges |= {
                ("rerank_lab_connections", "Open connections."): connections.open,
                ("rerank_lab_connections_limit", "Connections that fit."): connections.places,
            }
        text = self._metrics.text(gauges, self._spend)
        return Response(text, media_type=metrics.CONTENT_TYPE)

    async def _openapi(self, exchange: Exchange) -> Response:
        searches = self._corpus is not None
        document = openapi(self._limits, keys_needed=self._keys.needed, searches=searches)
        return exchange.answer(document)

    async def _health(self, exchange: Exchange) -> Response:
        return exchange.answer({"status": "ok"})

    async def _ready(self, exchange: Exchange) -> Response:
        """Whether more requests should be sent here: models are loaded, and the queue has room."""
        state = "busy" if self._closing or self._queue.full else self._state()
        if state == READY:
            return exchange.answer({"status": READY})
        return exchange.answer({"status": state}, 503, retry_after=1)

    async def _no_route(self, request: Request, error: Exception) -> Response:
        """What is at no route, or asked by another method, as JSON."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        exchange = Exchange(request, "other")
        detail = error.detail if isinstance(error, HTTPException) else ""
        response = _refused(exchange, RequestRefused(status, detail))
        if isinstance(error, HTTPException):
            response.headers.update(error.headers or {})  # which methods a route has
        self._note(exchange, status)
        return response


def _refused(exchange: Exchange, error: RequestRefused) -> Response:
    if error.status == CLIENT_LEFT:
        return Response(status_code=CLIENT_LEFT)
    body = exchange.refusal(error.status, error.message)
    return exchange.answer(body, error.status, error.retry_after)
