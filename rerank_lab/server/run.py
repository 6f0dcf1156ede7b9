"""Listening: the API on an address, until the process is asked to end."""

from __future__ import annotations

import math
import signal
import socket

import uvicorn
from starlette.types import ASGIApp

from rerank_lab.core.errors import InvalidInput
from rerank_lab.server.connections import ConnectionLimits, Connections

_BACKLOG = 2048


def bound_socket(host: str, port: int) -> socket.socket:
    """A socket at the address, not listening yet; port 0 takes a free one.

    Raises:
        InvalidInput: the address is in use, or none of this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends at once (TCP_NODELAY) only where the protocol is named: else an answer waits
    # up to 40 ms for the client to acknowledge its head.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except (OSError, OverflowError) as fault:
        bound.close()
        words = fault.strerror if isinstance(fault, OSError) else str(fault)
        raise InvalidInput(
            f"Nothing can be served at {host}, port {port}: {words}.",
            hint="Take another --port, or end what uses this one.",
        ) from None
    return bound


def server_of(
    application: ASGIApp, limits: ConnectionLimits | None = None, grace_s: float = 60.0
) -> uvicorn.Server:
    """A server for one socket; when asked to end it finishes what it took.

    Args:
        application: Answers the requests.
        limits: Of its connections.
        grace_s: Seconds that it may take for that; what is not finished then is given up.
    """
    connections = Connections(limits)
    config = uvicorn.Config(
        connections.noting(application),
        http=connections.protocol(),
        ws="none",
        access_log=False,
        log_level="warning",
        server_header=False,
        backlog=_BACKLOG,
        lifespan="on",
        timeout_keep_alive=math.ceil(connections.limits.idle_s),
        timeout_graceful_shutdown=math.ceil(grace_s),
    )
    return uvicorn.Server(config)


def run_until_asked(server: uvicorn.Server, bound: socket.socket) -> None:
    """Serve until SIGTERM, which then is no failure, or Ctrl+C."""
    # uvicorn raises the signal again, once it is done.
    previous = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        server.run(sockets=[bound])
    finally:
        signal.signal(signal.SIGTERM, previous)
