"""What a server sends that is no answer: a named error with the next step, or the scores."""

from __future__ import annotations

import gzip
import json
import time

import pytest

from rerank_lab.components.registry import load
from rerank_lab.core.context import Context
from rerank_lab.core.errors import BackendError
from rerank_lab.core.spend import SpendMeter
from rerank_lab.core.types import Document, Query
from rerank_lab.remote import retries
from rerank_lab.remote.urls import ALLOW_PRIVATE
from tests.remote.raw_server import RawServer, reply

SECRETS = dict.fromkeys(("VOYAGE_API_KEY", "OPENAI_API_KEY"), "key-of-a-test")
QUERY, DOCS = Query.of("x"), [Document("a", "x"), Document("b", "y")]
SCORES = [{"index": 0, "relevance_score": 1.0}, {"index": 1, "relevance_score": 0.5}]
GOOD = json.dumps({"data": SCORES}).encode()
PAGE = b"<!DOCTYPE html>\n<html><head><title>Sign in &amp; go on</title></head><body>...</body>"
ANSWERS = {"voyage": GOOD, "listwise": json.dumps({"choices": [{"text": "[1] > [2]"}]}).encode()}


@pytest.fixture(autouse=True)
def _private(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALLOW_PRIVATE, "1")
    monkeypatch.setattr(retries, "FIRST_PAUSE_S", 0.0)


def order(name: str, server: RawServer, **options: object) -> list[str]:
    """The ids of a ranking by what the server sends."""
    reranker = load("reranker", name)(base_url=server.url, timeout_s=2, **options)
    return list(reranker.rerank(QUERY, DOCS, Context(secrets=SECRETS)).ranking.doc_ids)


def failure(name: str, *parts: bytes) -> BackendError:
    start = time.monotonic()
    with RawServer(parts) as server, pytest.raises(BackendError) as caught:
        order(name, server, retries=0)
    assert time.monotonic() - start < 3
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("name", ["voyage", "listwise"])
@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ({"error": {"message": "Overloaded", "code": 503}}, "answered 503: Overloaded"),
        ({"error": {"message": "slow down", "code": "429"}}, "answered 429: slow down"),
        ({"error": "insufficient credits"}, "an error in place of an answer: insufficient credits"),
        ({"errors": [{"message": "quota exceeded"}]}, "in place of an answer: quota exceeded"),
        ({"detail": [{"loc": ["body", "x"], "msg": "odd"}]}, "in place of an answer: x: odd"),
        ({"code": 1113, "msg": "account overdue", "success": False}, "answer: account overdue"),
        ({"fault": {"faultstring": "quota violation"}}, "in place of an answer: quota violation"),
    ],
    ids=str,
)
def test_an_error_with_status_200_is_read_out(name: str, payload: object, words: str) -> None:
    assert words in failure(name, reply(json.dumps(payload).encode())).message


@pytest.mark.parametrize(
    "body",
    [
        b'{"choices": [{"error": {"code": 502, "message": "upstream"}, "message": {}}]}',
        b'data: {"error": {"code": 502, "message": "upstream"}}\n\ndata: [DONE]\n\n',
    ],
)
def test_an_error_in_the_place_of_a_choice_is_read_out(body: bytes) -> None:
    assert "answered 502: upstream" in failure("listwise", reply(body)).message


def test_an_error_with_status_200_is_tried_again_and_billed_nothing() -> None:
    busy = reply(b'{"error": {"message": "busy", "code": 503}}')
    with RawServer([busy]) as server:
        reranker = load("reranker", "voyage")(base_url=server.url, price=1.0, retries=2)
        spend = SpendMeter(100.0)
        with pytest.raises(BackendError, match="answered 503 after 3 attempts: busy"):
            reranker.rerank(QUERY, DOCS, Context(secrets=SECRETS, spend=spend))
    assert server.connections == 3
    assert spend.spent == 0


@pytest.mark.parametrize("name", ["voyage", "listwise"])
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (PAGE, "sent a web page, titled 'Sign in & go on', not JSON"),
        (b"<html>", "sent a web page, not JSON"),
        (b" \n", "sent an empty reply"),
        (b"call(" + GOOD + b")", "not JSON"),
        (b")]}',\n" + GOOD, "not JSON"),
        (json.dumps(GOOD.decode()).encode(), ""),
        (b"\x00" * 100, "not JSON"),
    ],
)
def test_what_is_no_answer_is_called_by_its_name(name: str, body: bytes, words: str) -> None:
    assert words in failure(name, reply(body)).message


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("402 Payment Required", "no credit left"),
        ("403 Forbidden", "may not use this"),
        ("404 Not Found", "no such model or address"),
        ("405 Method Not Allowed", "check the base URL"),
        ("409 Conflict", "try again later"),
        ("410 Gone", "no longer offered"),
        ("413 Content Too Large", "too large"),
        ("415 Unsupported Media Type", "does not take JSON"),
        ("422 Unprocessable", "does not know a field or value"),
        ("451 Unavailable", "legal reasons"),
        ("501 Not Implemented", "does not know this kind of request"),
        ("503 Service Unavailable", "overloaded, or still loads"),
        ("529 Overloaded", "overloaded"),
        ("999 Odd", "try again later"),
    ],
)
def test_each_status_has_its_next_step(status: str, words: str) -> None:
    error = failure("voyage", reply(b'{"message": "as they say"}', status=status))
    assert f"answered {status[:3]}: as they say" in error.message
    assert words in error.hint


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n", "no valid HTTP"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n{}\r\n", "no valid HTTP"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n99\r\n{}", "peer closed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 9\r\n\r\n", "no valid HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{}", "peer closed"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 300_000 + b"\r\n\r\n", "no valid HTTP"),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "no valid HTTP (illegal header line: 'no colon')"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n", "no valid HTTP"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "no valid HTTP"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "Server disconnected"),
    ],
)
def test_what_is_no_http_is_called_so(head: bytes, words: str) -> None:
    error = failure("voyage", head)
    assert words in error.message or "reset by peer" in error.message
    assert ".." not in error.message
    assert "bytearray" not in error.message


def test_commands_for_a_terminal_reach_none() -> None:
    body = json.dumps({"message": "\x1b[2J\x07\u202eno"}).encode()
    error = failure("voyage", reply(body, status="400 No"))
    assert not {"\x1b", "\x07", "\u202e"} & set(str(error) + error.details)


@pytest.mark.parametrize("name", ["voyage", "listwise"])
@pytest.mark.parametrize("form", ["two members", "members and more", "byte order mark", "hints"])
def test_odd_but_right_replies_are_read(name: str, form: str) -> None:
    body = ANSWERS[name]
    members = gzip.compress(body[:9], mtime=0) + gzip.compress(body[9:], mtime=0)
    packed = "Content-Encoding: GZIP"
    sent = {
        "two members": reply(members, packed),
        "members and more": reply(members + b"more", packed),
        "byte order mark": reply(b"\xef\xbb\xbf" + body),
        "hints": b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + reply(body),
    }[form]
    with RawServer([sent]) as server:
        assert order(name, server, retries=0) == ["a", "b"]


def test_many_small_members_are_bounded_like_one() -> None:
    members = gzip.compress(b" " * 2**20, mtime=0) * 40
    error = failure("voyage", reply(members, "Content-Encoding: gzip"))
    assert "larger than 32 MB" in error.message


@pytest.mark.parametrize("name", ["br", "zstd", "compress", "gzip, br"])
def test_compression_that_was_not_asked_for_is_named(name: str) -> None:
    error = failure("voyage", reply(b"\x28\xb5\x2f\xfd" * 100, f"Content-Encoding: {name}"))
    assert f"not asked for ({name})" in error.message
