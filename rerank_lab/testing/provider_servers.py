"""Small real HTTP servers that speak each hosted provider's wire format, for tests and demos.

    with FakeProvider("cohere") as server:
        server.queue(Switch(status=429, headers={"retry-after": "1"}), times=2)
        ...  # point base_url to server.url; run with RERANK_LAB_ALLOW_PRIVATE_URLS=1

They listen on 127.0.0.1 only, check requests as strictly as the providers do, and score with any
function (word overlap unless told otherwise; `scorer_of` wraps a reranker). Switches break replies
in every way that an adapter has to survive.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from rerank_lab.core.context import Context
from rerank_lab.core.types import Document, Query
from rerank_lab.rerankers.base import Reranker
from rerank_lab.testing.wire_formats import WIRES, checked, query_of, text_of, top_of

Scorer = Callable[[str, Sequence[str]], Sequence[float]]
KEY = "test-key"
_HUGE = 40 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Switch:
    """How the next replies differ from a good one. The default is a good reply.

    `status` other than 200 sends an error body; `words` is its message. `drop` closes the
    connection without a reply, `cut` in the middle of one.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    words: str = ""
    delay_s: float = 0.0
    drip_s: float = 0.0
    drop: bool = False
    cut: bool = False
    huge: bool = False
    raw: str = ""
    order: str = ""
    short: int = 0
    duplicate: bool = False
    out_of_range: bool = False
    no_score: bool = False
    no_index: bool = False
    no_results: bool = False
    nan: bool = False
    model: str = ""
    mode: str = ""
    page: int = 0
    echo_key: bool = False


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it arrived: header names in lower case, `body` parsed."""

    path: str
    headers: Mapping[str, str]
    body: Any


def overlap(query: str, texts: Sequence[str]) -> list[float]:
    """The share of the query's words that each text holds, from 0 to 1; no model needed."""
    words = set(re.findall(r"\w+", query.lower()))
    shared = [words & set(re.findall(r"\w+", text.lower())) for text in texts]
    return [len(common) / max(1, len(words)) for common in shared]


def scorer_of(reranker: Reranker) -> Scorer:
    """Scores of a (local) reranker, so that a fake server ranks as a real model does."""

    def score(query: str, texts: Sequence[str]) -> list[float]:
        docs = [Document(str(i), text) for i, text in enumerate(texts)]
        ranking = reranker.rerank(Query.of(query), docs, Context()).ranking
        scores = {hit.doc_id: hit.score or 0.0 for hit in ranking}
        return [scores[doc.id] for doc in docs]

    return score


class FakeServer:
    """A server on a free port of 127.0.0.1; use it with `with`. `requests` holds what arrived."""

    def __init__(self) -> None:
        self.always = Switch()
        self.requests: list[Received] = []
        self._queue: deque[Switch] = deque()
        self._lock = threading.Lock()
        fake = self

        class Handler(_Handler):
            server_of_tests = fake

        self._server = _Listening(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self.root = f"http://127.0.0.1:{self._server.server_address[1]}"

    def queue(self, switch: Switch, times: int = 1) -> None:
        """Answer the next requests so; after these, as `always` says."""
        with self._lock:
            self._queue.extend([switch] * times)

    def received(self, request: Received) -> Switch:
        """Note a request and say how to answer it."""
        with self._lock:
            self.requests.append(request)
            return self._queue.popleft() if self._queue else self.always

    def reply(self, request: Received, switch: Switch) -> tuple[int, Any]:
        """Status and payload for a request."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class FakeProvider(FakeServer):
    """A server for one hosted provider's format."""

    def __init__(self, provider: str, scorer: Scorer = overlap, *, keys: Sequence[str] = (KEY,)):
        super().__init__()
        self.wire = WIRES[provider]
        self.scorer = scorer
        self.keys = set(keys)

    @property
    def url(self) -> str:
        """The base URL to give to the reranker: with /v1 or /api/v1 where the path has it."""
        version = next((v for v in ("/api/v1", "/v1") if self.wire.path.startswith(v + "/")), "")
        return self.root + version

    def reply(self, request: Received, switch: Switch) -> tuple[int, Any]:
        """The reply to a request, spoilt as the switch says."""
        if switch.status != 200:
            return switch.status, self.wire.error(switch.status, words_of(switch, request))
        status, words = checked(self.wire, request.path, request.headers, request.body, self.keys)
        if status:
            return status, self.wire.error(status, words)
        return 200, self._good(request.body, switch)

    def _good(self, body: Any, switch: Switch) -> Any:
        wire = self.wire
        query, texts = query_of(body), [text_of(item) for item in body[wire.texts]]
        scores = self.scorer(query, texts)
        results: list[dict[str, Any]] = [{"index": i, wire.score: s} for i, s in enumerate(scores)]
        if body.get("relevant_spans", {}).get("mode") == "enabled":
            for item in results:
                item["relevant_spans"] = _spans(query, texts[item["index"]])
        results.sort(key=lambda item: -item[wire.score])
        results = results[: top_of(body)]
        results = _broken(results, wire.score, len(texts), switch)
        if switch.no_results:
            return {"unexpected": True}
        if switch.page:
            start = int(body.get("nextToken") or 0)
            page = results[start : start + switch.page]
            more = start + switch.page < len(results)
            return {"results": page, **({"nextToken": str(start + switch.page)} if more else {})}
        tokens = sum(len(text.split()) for text in texts) + len(query.split()) * len(texts)
        payload = wire.reply(results, tokens, switch.model or body.get("model", ""))
        if switch.mode:
            payload["actual_latency_mode"] = switch.mode
        return payload


def _spans(query: str, text: str) -> list[dict[str, Any]]:
    """The places of the query's words in a text, as Cohere gives relevant spans."""
    words = set(re.findall(r"\w+", query.lower()))
    places = (match for match in re.finditer(r"\w+", text) if match[0].lower() in words)
    return [{"start": at.start(), "end": at.end(), "score": 0.5} for at in places]


def words_of(switch: Switch, request: Received) -> str:
    """The message of an error, with the headers that came where the switch wants them repeated."""
    words = switch.words or f"error {switch.status}"
    return words + (f" {dict(request.headers)}" if switch.echo_key else "")


class _Listening(ThreadingHTTPServer):
    daemon_threads = True
    # Many connect at once; one that finds the queue full would come back a second later.
    request_queue_size = 128


class _Handler(BaseHTTPRequestHandler):
    server_of_tests: FakeServer
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one write a reply: two would meet delayed acknowledgements, 40 ms each

    def log_message(self, *args: Any) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        request = Received(self.path, headers, body)
        switch = self.server_of_tests.received(request)
        time.sleep(switch.delay_s)
        if switch.drop:
            self.close_connection = True
            return
        status, payload = self.server_of_tests.reply(request, switch)
        text = switch.raw or (" " * _HUGE if switch.huge else json.dumps(payload))
        self._send(status, text.encode(), switch)

    def _send(self, status: int, text: bytes, switch: Switch) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        for name, value in switch.headers.items():
            self.send_header(name, value)
        if switch.echo_key:
            self.send_header("x-request-id", self.headers.get("authorization", ""))
        self.end_headers()
        if switch.cut:
            text = text[: len(text) // 2]
            self.close_connection = True
        for start in range(0, len(text), 16) if switch.drip_s else ():
            self.wfile.write(text[start : start + 16])
            self.wfile.flush()
            time.sleep(switch.drip_s)
        if not switch.drip_s:
            self.wfile.write(text)


def _broken(
    results: list[dict[str, Any]], score: str, sent: int, switch: Switch
) -> list[dict[str, Any]]:
    if switch.order == "reversed":
        results = results[::-1]
    if switch.short:
        results = results[: -switch.short]
    if switch.duplicate:
        results[-1] = dict(results[0])
    if switch.out_of_range:
        results[-1]["index"] = sent
    if switch.no_score:
        del results[-1][score]
    if switch.no_index:
        del results[-1]["index"]
    if switch.nan:
        results[-1][score] = float("nan")
    return results
