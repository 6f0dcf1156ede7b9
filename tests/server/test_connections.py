"""Clients that hold connections and bring no request, over real sockets: others are answered."""

from __future__ import annotations

import http.client
import json
import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from rerank_lab.server.connections import ConnectionLimits
from rerank_lab.server.limits import RequestLimits
from tests.server.conftest import QUERY, TEXTS, listening, metric, wait_for

BODY = {"query": QUERY, "documents": TEXTS}
RAW = json.dumps(BODY).encode()
HEAD = b"POST /v2/rerank HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"


def connect(address: str) -> socket.socket:
    url = httpx.URL(address)
    return socket.create_connection((url.host, url.port), timeout=10)


def request(body: bytes = RAW) -> bytes:
    return HEAD + b"content-length: %d\r\n\r\n" % len(body) + body


def received(client: socket.socket) -> bytes:
    """Everything until the server closes."""
    data = b""
    try:
        while part := client.recv(65536):
            data += part
    except ConnectionResetError:
        pass
    return data


def is_answered(address: str) -> bool:
    with httpx.Client(timeout=5) as client:
        return client.post(f"{address}/v2/rerank", json=BODY).status_code == 200


@contextmanager
def many(address: str, count: int, first_bytes: bytes) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(address)) for _ in range(count)]
        for client in clients:
            if first_bytes:
                client.sendall(first_bytes)
        yield clients


@pytest.mark.parametrize(
    "first_bytes",
    [
        b"",
        HEAD,
        HEAD + b"content-length: 900\r\n\r\n{",
        b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n",
    ],
    ids=["idle", "slow-head", "slow-body", "kept-alive"],
)
def test_a_flood_of_connections_without_requests_keeps_nobody_out(
    home: Path, first_bytes: bytes
) -> None:
    limits = ConnectionLimits(connections=20, head_s=60)
    with listening(home, connections=limits) as address, many(address, 60, first_bytes) as clients:
        begun = time.monotonic()
        assert is_answered(address)
        assert time.monotonic() - begun < 2
        for client in clients[:40]:  # the oldest made room
            client.settimeout(5)
            received(client)


def test_requests_in_work_are_not_closed_to_make_room(home: Path, gate: threading.Event) -> None:
    limits = ConnectionLimits(connections=2)
    with listening(home, connections=limits) as address, connect(address) as first:
        first.sendall(request())
        wait_for(lambda: metric(address, "rerank_lab_queue_depth ") == "1")
        with many(address, 10, HEAD):
            refused = b""
            ends = time.monotonic() + 10
            while not refused.startswith(b"HTTP/1.1 503 ") and time.monotonic() < ends:
                # The second is closed as long as its request is not in work.
                with connect(address) as second, connect(address) as third:
                    second.sendall(request())
                    third.sendall(b"GET /health HTTP/1.0\r\n\r\n")
                    refused = received(third)
        assert b"retry-after: 1\r\n" in refused
        assert b'{"message": "All connections of this server are in use; try again."}' in refused
        gate.set()
        assert first.recv(65536).startswith(b"HTTP/1.1 200")


def test_a_head_and_a_body_have_their_time(home: Path) -> None:
    limits = ConnectionLimits(head_s=0.3)
    with (
        listening(home, connections=limits, limits=RequestLimits(body_s=0.3)) as address,
        connect(address) as idle,
        connect(address) as slow,
        connect(address) as body,
    ):
        slow.sendall(HEAD)
        body.sendall(HEAD + b"content-length: 900\r\n\r\n{")
        begun = time.monotonic()
        for _ in range(4):  # dripping on does not help
            time.sleep(0.05)
            slow.sendall(b"x-more: 1\r\n")
            body.sendall(b" ")
        assert received(idle) == b""
        refused = received(slow)
        assert refused.startswith(b"HTTP/1.1 408 ")
        assert b'{"message": "The head did not arrive within 0.3 s."}' in refused
        # A request that is refused before it is whole is drained as long as a head may take.
        assert received(body).startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - begun < 3


def test_a_head_without_end_is_refused(home: Path) -> None:
    with listening(home) as address, connect(address) as client:
        client.sendall(HEAD)
        try:
            for _ in range(100):
                client.sendall(b"x-more: " + b"y" * 8000 + b"\r\n")
        except OSError:
            return
        assert received(client).split(b" ")[1] in (b"431", b"400")


def test_a_connection_is_kept_for_the_next_request_and_then_closed(home: Path) -> None:
    limits = ConnectionLimits(head_s=0.2, idle_s=0.5)
    with listening(home, connections=limits) as address:
        url = httpx.URL(address)
        client = http.client.HTTPConnection(url.host, url.port or 0, timeout=5)
        client.connect()
        kept = client.sock
        for _ in range(3):
            client.request("POST", "/v2/rerank", RAW, {"content-type": "application/json"})
            assert client.getresponse().read()
            time.sleep(0.3)
        assert client.sock is kept
        assert received(kept) == b""
        client.close()


def test_a_client_that_reads_no_answers_is_let_go(home: Path) -> None:
    texts = ["pump " * 19_500] * 80
    body = json.dumps({"query": "pump", "texts": texts, "return_text": True}).encode()
    head = HEAD.replace(b"/v2/rerank", b"/rerank")
    limits = ConnectionLimits(idle_s=0.4)
    with listening(home, connections=limits) as address, connect(address) as client:
        client.sendall(head + b"content-length: %d\r\n\r\n" % len(body) + body)
        time.sleep(1)
        assert len(received(client)) < len(body)


def test_two_requests_at_once_on_one_connection_are_answered_in_order(home: Path) -> None:
    with listening(home) as address, connect(address) as client:
        client.sendall(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n" + request() + b"GET /no")
        data = b""
        while b'"results"' not in data:
            data += client.recv(65536)
        assert data.count(b"HTTP/1.1 200") == 2
        assert data.index(b'"ok"') < data.index(b'"results"')


def test_no_more_connections_than_files_that_may_be_open() -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert ConnectionLimits(10**9).places < soft
    assert ConnectionLimits(5).places == 5
