"""Time and size of an exchange are bounded, whatever a server does."""

from __future__ import annotations

import gzip
import json
import time
import tracemalloc

import pytest

from rerank_lab.components.registry import load
from rerank_lab.core.context import Context
from rerank_lab.core.errors import BackendError
from rerank_lab.core.types import Document, Query
from rerank_lab.remote.urls import ALLOW_PRIVATE
from tests.remote.raw_server import RawServer, reply

SECRETS = {
    "VOYAGE_API_KEY": "key-of-a-test",
    "AWS_SECRET_ACCESS_KEY": "key-of-a-test",
    "AWS_ACCESS_KEY_ID": "key-of-a-test",
    "OPENAI_API_KEY": "key-of-a-test",
}
QUERY, DOCS = Query.of("x"), [Document("a", "x"), Document("b", "y")]
SCORES = [{"index": 0, "relevance_score": 1.0, "relevanceScore": 1.0},
          {"index": 1, "relevance_score": 0.5, "relevanceScore": 0.5}]  # fmt: skip
GOOD = json.dumps({"data": SCORES, "results": SCORES}).encode()
ADAPTERS = ["voyage", "bedrock", "cohere", "listwise"]


@pytest.fixture(autouse=True)
def _private(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALLOW_PRIVATE, "1")


def ask(name: str, server: RawServer, **options: object) -> BackendError:
    """The error that a query ends in."""
    options = {"base_url": server.url, "retries": 0, **options}
    reranker = load("reranker", name)(**options)
    secrets = SECRETS | {"COHERE_API_KEY": "key-of-a-test"}
    with pytest.raises(BackendError) as caught:
        reranker.rerank(QUERY, DOCS, Context(secrets=secrets))
    return caught.value


@pytest.mark.parametrize("name", ADAPTERS)
@pytest.mark.parametrize("where", ["headers", "body"])
def test_a_dripped_reply_ends_with_the_timeout(name: str, where: str) -> None:
    whole = reply(b" " * 400)
    head = 0 if where == "headers" else whole.index(b"\r\n\r\n") + 4
    parts = [whole[:head], *(bytes([byte]) for byte in whole[head:])]
    with RawServer([part for part in parts if part], pause_s=0.02) as server:
        start = time.monotonic()
        error = ask(name, server, timeout_s=0.5)
        assert time.monotonic() - start < 1.9
    assert "did not answer in time" in error.message


@pytest.mark.parametrize("name", ADAPTERS)
def test_further_attempts_end_with_the_same_timeout(name: str) -> None:
    whole = reply(b" " * 400)
    with RawServer([bytes([byte]) for byte in whole], pause_s=0.02) as server:
        start = time.monotonic()
        error = ask(name, server, timeout_s=0.5, retries=8)
        assert time.monotonic() - start < 1.9
    assert "did not answer in time" in error.message


@pytest.mark.parametrize("status", ["503 Service Unavailable", "429 Too Many Requests"])
def test_pauses_between_attempts_end_with_the_timeout(status: str) -> None:
    with RawServer([reply(b"busy", status=status)]) as server:
        start = time.monotonic()
        error = ask("voyage", server, timeout_s=0.8, retries=8)
        assert time.monotonic() - start < 1.2
        assert server.connections > 1
    assert f"answered {status[:3]} after" in error.message


def test_a_server_that_asks_to_wait_longer_than_the_timeout_is_not_waited_for() -> None:
    parts = [reply(b"busy", "Retry-After: 20", status="503 Service Unavailable")]
    with RawServer(parts) as server:
        start = time.monotonic()
        error = ask("voyage", server, timeout_s=3, retries=3)
        assert time.monotonic() - start < 1
        assert server.connections == 1
    assert "It asks to wait 20.0 s; timeout_s allows 3 s for the whole call." in error.hint


@pytest.mark.parametrize("name", ADAPTERS)
@pytest.mark.parametrize("layers", [1, 2])
def test_a_small_reply_that_unpacks_to_gigabytes_is_refused(name: str, layers: int) -> None:
    bomb = b" " * (96 * 2**20)
    for _ in range(layers):
        bomb = gzip.compress(bomb, 6, mtime=0)
    encoding = "Content-Encoding: " + ", ".join(["gzip"] * layers)
    with RawServer([reply(bomb, encoding)]) as server:
        tracemalloc.start()
        error = ask(name, server)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert "larger than 32 MB" in error.message or "compressed in a way" in error.message
    assert peak < 160 * 2**20


@pytest.mark.parametrize("name", ["voyage", "bedrock"])
def test_an_endless_error_page_is_not_read_to_its_end(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rerank_lab.remote import transport

    monkeypatch.setattr(transport, "MAX_REPLY_BYTES", 2**20)
    head = b"HTTP/1.1 500 Oops\r\nConnection: close\r\n\r\n"
    with RawServer([head, *[b"x" * 2**16] * 40]) as server:
        message = ask(name, server).message
    # The server may notice that nobody reads on before its last bytes are taken.
    assert "larger than 1 MB" in message or "reset by peer" in message


def test_a_compressed_reply_is_read() -> None:
    with RawServer([reply(gzip.compress(GOOD, mtime=0), "Content-Encoding: gzip")]) as server:
        reranker = load("reranker", "voyage")(base_url=server.url)
        ranking = reranker.rerank(QUERY, DOCS, Context(secrets=SECRETS)).ranking
    assert ranking.doc_ids == ("a", "b")


def test_a_compressed_reply_that_breaks_off_is_a_broken_connection() -> None:
    with RawServer([reply(gzip.compress(GOOD, mtime=0)[:-12], "Content-Encoding: gzip")]) as server:
        assert "breaks off" in ask("voyage", server).message


@pytest.mark.parametrize("charset", ["utf-8", "utf-16", "utf-16-le", "utf-32"])
@pytest.mark.parametrize("declared", ["utf-8", "utf-16", "no-such-charset"])
def test_the_charset_is_that_of_the_bytes(charset: str, declared: str) -> None:
    body = GOOD.decode().encode(charset)
    header = f"Content-Type: application/json; charset={declared}"
    with RawServer([reply(body, header)]) as server:
        reranker = load("reranker", "voyage")(base_url=server.url)
        ranking = reranker.rerank(QUERY, DOCS, Context(secrets=SECRETS)).ranking
    assert ranking.doc_ids == ("a", "b")
