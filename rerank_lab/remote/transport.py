"""The one way out: the address is checked and pinned, the whole exchange bounded in time and size.

Import it inside functions only: httpcore belongs to the extras `hosted` and `llm`.
"""

from __future__ import annotations

import json
import logging
import os
import re
import ssl
import threading
import time
import urllib.request
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from urllib.parse import quote, unquote, urlsplit

import certifi
import httpcore

from rerank_lab.core.context import Response
from rerank_lab.core.errors import BackendError
from rerank_lab.remote import urls
from rerank_lab.remote.gather import IN_FLIGHT
from rerank_lab.remote.redaction import redacted
from rerank_lab.remote.retries import TransportError

MAX_REPLY_BYTES = 32 * 1024 * 1024
"""Of a reply after decompression."""
CONNECT_S = 10.0
_POOLS = 64
_KEEP_ALIVE = 32
_WRITE_BYTES = 64 * 1024
_BYTES = re.compile(r"bytearray\(b('.*')\)", re.DOTALL)
_PIECE_BYTES = 1024 * 1024
_GZIP = b"\x1f\x8b"
"""What a member of gzip begins with."""
_pools: OrderedDict[tuple[str, str, int], httpcore.ConnectionPool] = OrderedDict()
_lock = threading.Lock()
_exchange = threading.local()
# At DEBUG it writes headers into the log: those sent, or what a server repeats of a key.
logging.getLogger("httpcore").setLevel(logging.INFO)


def send(
    url: str,
    content: bytes,
    headers: Mapping[str, str],
    *,
    timeout_s: float,
    secrets: Sequence[str],
    own: bool,
) -> Response:
    """POST `content` and return the reply, whatever its status.

    Args:
        url: The full address. It is resolved and checked, unless it is the provider's `own`.
        content: The JSON body.
        headers: All headers but those of HTTP itself. Redirects are not followed.
        timeout_s: Bounds everything from connecting to the last byte of the reply.
        secrets: Keys that are taken out of the reply, should the server repeat them.
        own: True when the address comes from the project's own data.

    Raises:
        InvalidInput: The address is private and private ones are not allowed.
        BackendError: The host is unknown, or the reply is larger than MAX_REPLY_BYTES.
        TransportError: No reply came, or not within `timeout_s`.
    """
    deadline = time.monotonic() + timeout_s
    target = urls.unchecked(url) if own else urls.check(url)
    with _translated(), _bounded(deadline):
        request = _request("POST", url, target, content, headers, timeout_s)
        with _closing(_pool(target).handle_request(request)) as reply:
            received = {
                name.decode("latin-1").lower(): value.decode("latin-1")
                for name, value in reply.headers
            }
            body = _decoded(_chunks(reply, deadline), received.get("content-encoding", ""))
    safe_headers = {name: redacted(value, secrets) for name, value in received.items()}
    return Response(reply.status, safe_headers, redacted(_text(body), secrets))


@dataclass(frozen=True, slots=True)
class Incoming:
    """A reply whose body is still on its way. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]


@contextmanager
def receive(
    url: str, headers: Mapping[str, str], *, idle_s: float, private: bool
) -> Iterator[Incoming]:
    """GET a file that may be of any size: its bytes come as they are sent, not decompressed.

    Args:
        url: The full address, with its query. It is resolved and checked, and asked where it was
            checked. Redirects are not followed.
        headers: All headers but those of HTTP itself.
        idle_s: Bounds each step: connecting, the head of the reply, and each wait for more of it.
        private: Whether the address may be one of this machine or its network.

    Raises:
        InvalidInput: The address is private, and may not be.
        BackendError: The host is unknown.
        TransportError: No reply came in time, or it breaks off.
    """
    target = urls.resolved(url, private=private)
    own = {"Accept-Encoding": "identity", "User-Agent": "rerank-lab", **headers}
    with _translated(), _bounded(time.monotonic() + idle_s):
        request = _request("GET", url, target, b"", own, idle_s)
        with _closing(_pool(target).handle_request(request)) as reply:
            received = {
                name.decode("latin-1").lower(): value.decode("latin-1")
                for name, value in reply.headers
            }
            yield Incoming(reply.status, received, _patient_chunks(reply, idle_s))


def _patient_chunks(reply: httpcore.Response, idle_s: float) -> Iterator[bytes]:
    """The body as it comes; each part of it has the whole time again."""
    stream = reply.stream
    if not isinstance(stream, Iterable):
        raise TransportError("connection", body="the reply has no body that can be read")
    for chunk in stream:
        yield chunk
        _exchange.deadline = time.monotonic() + idle_s


def _request(
    method: str,
    url: str,
    target: urls.Target,
    content: bytes,
    headers: Mapping[str, str],
    timeout_s: float,
) -> httpcore.Request:
    host = target.host.encode("idna").decode() if not target.host.isascii() else target.host
    authority = f"[{host}]" if ":" in host else host
    usual_port = target.port == urls.default_port(target.scheme)
    if not usual_port:
        authority += f":{target.port}"
    parts = urlsplit(url)
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
    query = quote(parts.query, safe="/%:@!$&'()*+,;=~?")
    address = httpcore.URL(
        scheme=target.scheme.encode(),
        host=(target.ip or host).encode(),
        port=None if usual_port else target.port,
        target=(f"{path}?{query}" if query else path).encode(),
    )
    own = {"Host": authority, "Accept-Encoding": "gzip"}
    if method == "POST":
        own["Content-Length"] = str(len(content))
    return httpcore.Request(
        method,
        address,
        headers=[(k.encode(), v.encode("latin-1")) for k, v in {**own, **headers}.items()],
        content=content,
        extensions={"timeout": {"pool": timeout_s}, "sni_hostname": host},
    )


@contextmanager
def _closing(reply: httpcore.Response) -> Iterator[httpcore.Response]:
    try:
        yield reply
    finally:
        reply.close()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except httpcore.TimeoutException as error:
        raise TransportError("timeout", body=str(error)) from None
    except zlib.error as error:
        words = f"the reply is not compressed as its headers say ({error})"
        raise TransportError("connection", body=words) from None
    except httpcore.ProtocolError as error:
        words = _BYTES.sub(r"\1", str(error)).rstrip(".") or type(error).__name__
        if not words.startswith(("Server disconnected", "peer closed")):
            words = f"the reply is no valid HTTP ({words})"
        raise TransportError("connection", body=words) from None
    except (httpcore.NetworkError, httpcore.ProxyError) as error:
        raise TransportError("connection", body=str(error) or type(error).__name__) from None


@contextmanager
def _bounded(deadline: float) -> Iterator[None]:
    _exchange.deadline = deadline
    try:
        yield
    finally:
        del _exchange.deadline


def _chunks(reply: httpcore.Response, deadline: float) -> Iterator[bytes]:
    stream = reply.stream
    if not isinstance(stream, Iterable):
        raise TransportError("connection", body="the reply has no body that can be read")
    for chunk in stream:
        yield chunk
        if time.monotonic() > deadline:
            raise TransportError("timeout", body="the reply took too long")


def _decoded(chunks: Iterable[bytes], encoding: str) -> bytes:
    """The body, decompressed; its size is counted as it grows, so that no bomb is unpacked."""
    layers = [name for part in encoding.split(",") if (name := part.strip().lower())]
    layers = [name for name in layers if name != "identity"]
    if layers and layers not in (["gzip"], ["x-gzip"], ["deflate"]):
        raise BackendError(
            f"The reply is compressed in a way that was not asked for ({', '.join(layers)[:60]}).",
            hint="Check that the base URL is a rerank endpoint.",
        )
    received = bytearray()
    for piece in _unpacked(chunks) if layers else chunks:
        received += piece[: MAX_REPLY_BYTES + 1 - len(received)]
        if len(received) > MAX_REPLY_BYTES:
            raise BackendError(
                f"The reply is larger than {MAX_REPLY_BYTES // 2**20} MB; reading stopped.",
                hint="Check that the base URL is a rerank endpoint.",
            )
    return bytes(received)


def _unpacked(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """What was compressed by zlib or gzip, of one member after the other, in bounded pieces."""
    member = None
    for chunk in chunks:
        rest = chunk
        while rest:
            if member is None or member.eof:
                if member is not None and rest[:1] != _GZIP[:1]:
                    return  # what follows belongs to no member
                member = zlib.decompressobj(zlib.MAX_WBITS | 32)
            yield member.decompress(rest, _PIECE_BYTES)
            rest = member.unused_data if member.eof else member.unconsumed_tail
    if member is not None and not member.eof:
        raise TransportError("connection", body="the reply breaks off")


def _text(body: bytes) -> str:
    """The text of a reply by what its bytes are: the declared charset is often wrong."""
    return body.decode(json.detect_encoding(body), "replace")


def _remaining(timeout: type[httpcore.TimeoutException]) -> float:
    left: float = _exchange.deadline - time.monotonic()
    if left <= 0:
        raise timeout("the time allowed for this request is used up")
    return left


class _TimedBackend(httpcore.NetworkBackend):
    """Bounds every step by what is left of the exchange: a timeout for each read bounds nothing."""

    def __init__(self) -> None:
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        seconds = min(CONNECT_S, _remaining(httpcore.ConnectTimeout))
        return _TimedStream(
            self._inner.connect_tcp(host, port, seconds, local_address, socket_options)
        )


class _TimedStream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _remaining(httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _WRITE_BYTES):
            left = _remaining(httpcore.WriteTimeout)
            self._inner.write(buffer[start : start + _WRITE_BYTES], left)

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        seconds = min(CONNECT_S, _remaining(httpcore.ConnectTimeout))
        return _TimedStream(self._inner.start_tls(ssl_context, server_hostname, seconds))

    def get_extra_info(self, info: str) -> object:
        return self._inner.get_extra_info(info)


def _pool(target: urls.Target) -> httpcore.ConnectionPool:
    """Kept-alive connections to one host. Not shared by hosts of one address: TLS is per name."""
    name = (target.scheme, target.host, target.port)
    with _lock:
        pool = _pools.pop(name, None) or _new_pool(target)
        _pools[name] = pool
        # One that falls out may be in use: it closes when the last request lets go of it.
        while len(_pools) > _POOLS:
            _pools.popitem(last=False)
    return pool


def _new_pool(target: urls.Target) -> httpcore.ConnectionPool:
    proxy = urllib.request.getproxies().get(target.scheme)
    through = proxy and not urllib.request.proxy_bypass(target.host)
    return httpcore.ConnectionPool(
        ssl_context=_certificates(),
        proxy=_proxy(proxy) if proxy and through else None,
        max_connections=IN_FLIGHT,
        max_keepalive_connections=_KEEP_ALIVE,
        keepalive_expiry=5.0,
        network_backend=_TimedBackend(),
    )


def _proxy(url: str) -> httpcore.Proxy:
    parts = urlsplit(url if "://" in url else f"http://{url}")
    user = (unquote(parts.username or ""), unquote(parts.password or ""))
    address = f"{parts.scheme}://{parts.hostname}:{parts.port or urls.default_port(parts.scheme)}"
    return httpcore.Proxy(address, auth=user if any(user) else None)


@cache
def _certificates() -> ssl.SSLContext:
    """The trusted certificates, read once: that takes tens of milliseconds."""
    own, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if own or folder:
        return ssl.create_default_context(cafile=own, capath=folder)
    return ssl.create_default_context(cafile=certifi.where())
