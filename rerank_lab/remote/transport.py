"""The one way out: address checked and pinned, size and time bounded, recorded or replayed.

It is an httpx transport, so that the providers' own SDKs send through it as well. Import it inside
functions only: httpx belongs to the extra `hosted`.
"""

from __future__ import annotations

import json
import logging
import ssl
import threading
import time
import urllib.request
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx

from rerank_lab.core.context import RecordingStore, Response
from rerank_lab.core.errors import BackendError
from rerank_lab.remote import urls
from rerank_lab.remote.errors import Fault, redacted
from rerank_lab.remote.gather import IN_FLIGHT
from rerank_lab.remote.recordings import request_digest

MAX_REPLY_BYTES = 32 * 1024 * 1024
CONNECT_S = 10.0
for _name in ("httpcore", "botocore"):
    # At DEBUG they write headers into the log: those sent, or what a server repeats of a key.
    logging.getLogger(_name).setLevel(logging.INFO)
_ABOUT_THE_KEY = frozenset({401, 402, 403})
_POOLS = 64
_pools: OrderedDict[tuple[str, str, int], httpx.HTTPTransport] = OrderedDict()
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Line:
    """What one request may do: for whom, how long (seconds), with which secrets to keep out.

    `own` says that the address is the provider's, from our own data; `place` is the one that
    somebody typed, if any, and tells recordings of two servers apart.
    """

    provider: str
    timeout_s: float
    secrets: Sequence[str]
    recording: RecordingStore | None = None
    own: bool = False
    place: str = ""


class LabTransport(httpx.BaseTransport):
    """Sends one request under a Line. Raises LabError for a refused address or missing recording.

    `reply` is the last one as it came, for readers that trust no SDK with an odd one.
    """

    def __init__(self, line: Line) -> None:
        self.line = line
        self.reply: Response | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.read() or b"null")
        # The typed address, not the one used: a key may choose the host, a replay has no key.
        digest = request_digest(self.line.provider, self.line.place + request.url.path, body)
        recording = self.line.recording
        if recording is not None and recording.replaying:
            self.reply = played(recording, digest, self.line.provider)
            return _response(self.reply, request)
        self.reply = reply = self._sent(request)
        if recording is not None and keepable(reply.status):
            recording.record(digest, self.line.provider, reply)
        return _response(reply, request)

    def _sent(self, request: httpx.Request) -> Response:
        start = time.monotonic()
        url = str(request.url)
        target = urls.unchecked(url) if self.line.own else urls.check(url)
        pinned = request.url.copy_with(host=target.ip) if target.ip else request.url
        sent = httpx.Request(
            request.method,
            pinned,
            headers=request.headers,
            content=request.content,
            extensions={**request.extensions, "sni_hostname": target.host},
        )
        response = _pool(target).handle_request(sent)
        try:
            headers, body = dict(response.headers), self._body(response, sent, start)
            return redacted_exchange(
                Response(response.status_code, headers, body), self.line.secrets
            )
        finally:
            response.close()

    def _body(self, response: httpx.Response, request: httpx.Request, start: float) -> str:
        response.request = request
        received = bytearray()
        for chunk in response.iter_bytes():
            received += chunk
            if len(received) > MAX_REPLY_BYTES:
                raise BackendError(
                    f"The reply is larger than {MAX_REPLY_BYTES // 2**20} MB; reading stopped.",
                    hint="Check that the base URL is a rerank endpoint.",
                )
            if time.monotonic() - start > self.line.timeout_s:
                raise httpx.ReadTimeout("the reply took too long", request=request)
        return received.decode("utf-8", "replace")


def client(transport: LabTransport) -> httpx.Client:
    """A client for one call: cheap, because connections are kept in pools shared by all."""
    longest = transport.line.timeout_s
    timeout = httpx.Timeout(longest, connect=min(CONNECT_S, longest))
    return httpx.Client(
        transport=transport, timeout=timeout, trust_env=False, follow_redirects=False
    )


def post(line: Line, url: str, body: Any, headers: dict[str, str]) -> httpx.Response:
    """Send JSON and return a 2xx reply. Raises Fault for every other outcome."""
    with faults(), client(LabTransport(line)) as sender:
        response = sender.post(url, json=body, headers=headers)
    if not response.is_success:
        raise Fault(
            "status",
            status=response.status_code,
            headers=dict(response.headers),
            body=response.text,
        )
    return response


@contextmanager
def faults() -> Iterator[None]:
    """Turn httpx's errors into Faults."""
    try:
        yield
    except httpx.TimeoutException as error:
        raise Fault("timeout", body=str(error)) from None
    except httpx.HTTPError as error:
        raise Fault("connection", body=str(error) or type(error).__name__) from None


def played(recording: RecordingStore, digest: str, provider: str) -> Response:
    """The recorded exchange. Raises BackendError when the recording does not hold it."""
    exchange = recording.play(digest)
    if exchange is None:
        raise BackendError(
            f"The recording holds no answer of {provider} to this request.",
            hint="Documents, query, model or options differ from the recording: record it again "
            "with a key.",
        )
    return exchange


def keepable(status: int) -> bool:
    """Whether an outcome belongs on a recording: final, and not about the key."""
    return status < 300 or (400 <= status < 500 and status not in _ABOUT_THE_KEY | {408, 409, 429})


def redacted_exchange(exchange: Response, secrets: Sequence[str]) -> Response:
    """The exchange without keys, should the server repeat them: so nothing later can show one."""
    headers = {k: redacted(v, secrets) for k, v in exchange.headers.items()}
    return Response(exchange.status, headers, redacted(exchange.body, secrets))


def _response(exchange: Response, request: httpx.Request) -> httpx.Response:
    dropped = {"content-encoding", "content-length", "transfer-encoding"}
    headers = {k: v for k, v in exchange.headers.items() if k.lower() not in dropped}
    return httpx.Response(
        exchange.status, headers=headers, content=exchange.body.encode(), request=request
    )


def _pool(target: urls.Target) -> httpx.HTTPTransport:
    """Kept-alive connections to one host. Not shared by hosts of one address: TLS is per name."""
    name = (target.scheme, target.host, target.port)
    with _lock:
        found = _pools.pop(name, None) or _new_pool(target)
        _pools[name] = found
        # One that falls out may be in use: it closes when the last request lets go of it.
        while len(_pools) > _POOLS:
            _pools.popitem(last=False)
    return found


def _new_pool(target: urls.Target) -> httpx.HTTPTransport:
    limits = httpx.Limits(max_connections=IN_FLIGHT, max_keepalive_connections=32)
    proxy = urllib.request.getproxies().get(target.scheme)
    if proxy and not urllib.request.proxy_bypass(target.host):
        return httpx.HTTPTransport(proxy=proxy, limits=limits, verify=_certificates())
    return httpx.HTTPTransport(limits=limits, verify=_certificates())


@cache
def _certificates() -> ssl.SSLContext:
    """The trusted certificates, read once: that takes tens of milliseconds."""
    return httpx.create_ssl_context()
