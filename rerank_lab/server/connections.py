"""Connections that bring no request cannot keep others out: how many there are, and for how long.

uvicorn lets a client take any time for the head of a request, and counts connections that do
nothing among those it refuses others for. Here a head and a response have their time, and where all
places are taken, the connection that has waited longest without a whole request makes room.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from http import HTTPStatus
from typing import Any, cast

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.auto import AutoHTTPProtocol

_STATE_KEY = "rerank_lab.connection"
_BODY_HEADERS = frozenset({b"content-length", b"transfer-encoding"})
_FAREWELL_S = 5.0
"""Seconds in which a client must have read why it is refused."""
_SPARE_FILES = 128
"""Files that a process needs beside its connections: models, databases, providers."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Bounds of the connections of one server.

    Attributes:
        connections: Open at a time; never more than the process may open files, less some to spare.
        head_s: Seconds for the head of a request, from its first byte or from connecting.
        head_bytes: Of the head of a request, give or take what one read brings.
        idle_s: Seconds that a connection is kept after an answer, without another request.
    """

    connections: int = 512
    head_s: float = 10.0
    head_bytes: int = 65_536
    idle_s: float = 75.0

    @property
    def places(self) -> int:
        """Connections that this process can hold."""
        return max(1, min(self.connections, _open_files() - _SPARE_FILES))


class _Phase(Enum):
    HEAD = auto()
    """The head of a request is awaited, or arrives."""
    BODY = auto()
    """A request arrives: its head is here, its body is not."""
    WORK = auto()
    """A request is here and is worked on."""
    IDLE = auto()
    """The answer went out, and nothing has come since."""
    DRAIN = auto()
    """The answer went out before the whole request was here: what still comes is passed over."""


class Connections:
    """The connections of one server. Only the event loop uses it."""

    def __init__(self, limits: ConnectionLimits | None = None) -> None:
        self.limits = limits or ConnectionLimits()
        self._places = self.limits.places
        self._all: set[_Connection] = set()
        self._evictable: dict[_Connection, None] = {}

    @property
    def open(self) -> int:
        """Connections that have a place now."""
        return len(self._all)

    @property
    def places(self) -> int:
        """Connections that fit."""
        return self._places

    def protocol(self) -> type[asyncio.Protocol]:
        """What uvicorn's `Config(http=...)` makes for each connection, its own protocol inside."""
        return cast("type[asyncio.Protocol]", partial(_Connection, self))

    def noting(self, application: ASGIApp) -> ASGIApp:
        """The ASGI application, which says to its connection how far each request is."""

        async def noted(scope: Scope, receive: Receive, send: Send) -> None:
            connection = (scope.get("state") or {}).get(_STATE_KEY)
            if isinstance(connection, _Connection) and scope["type"] == "http":
                await connection.exchange(application, scope, receive, send)
            else:
                await application(scope, receive, send)

        return noted

    def admit(self, connection: _Connection) -> bool:
        """Whether there is a place; the oldest connection without a whole request makes room."""
        if len(self._all) >= self._places:
            longest = next(iter(self._evictable), None)
            if longest is None:
                return False
            longest.make_room()
            self.leave(longest)
        self._all.add(connection)
        return True

    def leave(self, connection: _Connection) -> None:
        """The connection is closed."""
        self._all.discard(connection)
        self._evictable.pop(connection, None)

    def set_evictable(self, connection: _Connection, evictable: bool) -> None:
        """Whether it may be closed to make room; it comes behind those that wait already."""
        self._evictable.pop(connection, None)
        if evictable and connection in self._all:
            self._evictable[connection] = None


def connections_of(scope: Scope) -> Connections | None:
    """Those of the server that a request came to; None where another one holds connections."""
    connection = (scope.get("state") or {}).get(_STATE_KEY)
    return connection.connections if isinstance(connection, _Connection) else None


class _Connection(asyncio.Protocol):
    """One connection: uvicorn's protocol, with a clock beside it."""

    def __init__(
        self,
        connections: Connections,
        config: Any,
        server_state: Any,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        make: Callable[..., asyncio.Protocol] = AutoHTTPProtocol
        state = {**app_state, _STATE_KEY: self}
        self._inner = make(config=config, server_state=server_state, app_state=state, _loop=_loop)
        self._loop = _loop or asyncio.get_running_loop()
        self.connections = connections
        self._limits = connections.limits
        self._transport: asyncio.Transport | None = None
        self._admitted = False
        self._closed = False
        self._phase = _Phase.HEAD
        self._clock: asyncio.TimerHandle | None = None
        self._head_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a place, or say that there is none."""
        self._transport = cast("asyncio.Transport", transport)
        self._admitted = self.connections.admit(self)
        if not self._admitted:
            self._refuse(503, "All connections of this server are in use; try again.")
            return
        self._inner.connection_made(transport)
        self._enter(_Phase.HEAD, self._limits.head_s)

    def data_received(self, data: bytes) -> None:
        """Hand on what came, as long as it is in time and no endless head."""
        if not self._admitted or self._transport is None or self._transport.is_closing():
            return
        if self._phase is _Phase.IDLE:
            self._enter(_Phase.HEAD, self._limits.head_s)
        if self._phase is _Phase.HEAD:
            if self._head_bytes > self._limits.head_bytes:
                self._refuse(431, "The head of the request is too long.")
                return
            self._head_bytes += len(data)
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """The client sends no more."""
        return self._inner.eof_received() if self._admitted else None

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave the place."""
        self._closed = True
        self._stop_clock()
        if self._admitted:
            self.connections.leave(self)
            self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        """The client reads slower than answers come."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """The client has read."""
        self._inner.resume_writing()

    def make_room(self) -> None:
        """Close: an answer that is on its way arrives, where the client reads it."""
        transport = self._transport
        if self._phase is _Phase.IDLE and transport and not transport.get_write_buffer_size():
            transport.close()
        else:
            self.abort()

    def abort(self) -> None:
        """Close at once; what was not sent yet is lost."""
        self._stop_clock()
        if self._transport is not None:
            self._transport.abort()

    async def exchange(
        self,
        application: ASGIApp,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        """Have a request answered, whose head is here."""
        has_body = any(name in _BODY_HEADERS for name, _ in scope["headers"])
        self._enter(_Phase.BODY if has_body else _Phase.WORK)

        async def noting_receive() -> Message:
            message = await receive()
            if self._phase is _Phase.BODY and not message.get("more_body"):
                self._enter(_Phase.WORK)
            return message

        try:
            await application(scope, noting_receive, send)
        finally:
            if self._phase is _Phase.BODY:
                self._enter(_Phase.DRAIN, self._limits.head_s)
            else:
                self._enter(_Phase.IDLE, self._limits.idle_s)

    def _enter(self, phase: _Phase, seconds: float | None = None) -> None:
        if self._closed:
            return
        self._stop_clock()
        self._phase = phase
        self._head_bytes = 0
        self.connections.set_evictable(self, phase is not _Phase.WORK)
        if seconds is not None:
            self._clock = self._loop.call_later(seconds, self._time_over)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _time_over(self) -> None:
        if self._phase is _Phase.HEAD and self._head_bytes:
            self._refuse(408, f"The head did not arrive within {self._limits.head_s:g} s.")
        else:
            # Nothing to say; a client that does not read its answer gets no more time either.
            self.abort()

    def _refuse(self, status: int, message: str) -> None:
        """Say why, and close; uvicorn's protocol has no request that it could answer."""
        assert self._transport is not None
        self._stop_clock()
        body = json.dumps({"message": message}).encode()
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
            + ("retry-after: 1\r\n" if status == HTTPStatus.SERVICE_UNAVAILABLE else "")
            + "connection: close\r\n\r\n"
        )
        self._transport.write(head.encode() + body)
        self._transport.close()
        self._clock = self._loop.call_later(_FAREWELL_S, self.abort)


def _open_files() -> int:
    """Files that this process may have open."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return 1_000_000
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return limit if limit != resource.RLIM_INFINITY else 1_000_000
