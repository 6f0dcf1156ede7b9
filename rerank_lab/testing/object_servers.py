"""A web server of files for tests: ranges, ETags, If-Match, and connections that break off.

It keeps to RFC 9110: a range is answered with 206 and `Content-Range`, one past the end with 416, a
precondition that fails with 412. Switches turn it into servers that know less, as there are many.
"""

from __future__ import annotations

import hashlib
import re
import socket
import socketserver
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


class _InThread:
    """A server that answers from a thread of its own while it is entered."""

    _server: socketserver.TCPServer

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclass
class FileServer(_InThread):
    """Files in memory by their path, such as `/docs/a.jsonl`.

    Attributes:
        files: What is there.
        breaks: After so many bytes of a body each of the next replies breaks off, the first first.
        moved: Path -> where it is redirected to.
        statuses: Statuses of the next replies in place of the file.
        ranges: Whether it knows ranges.
        etags: Whether it sends ETags.
        preconditions: Whether it looks at `If-Match`.
        tls: Speaks HTTPS by this context.
        requests: (path with query, headers in lower case) of what was asked.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    breaks: list[int] = field(default_factory=list)
    moved: dict[str, str] = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)
    ranges: bool = True
    etags: bool = True
    preconditions: bool = True
    tls: ssl.SSLContext | None = None
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def __enter__(self) -> Self:
        handler = type("Handler", (_FileHandler,), {"files": self})
        self._server = _QuietServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        if self.tls is not None:
            self._server.socket = self.tls.wrap_socket(self._server.socket, server_side=True)
        return super().__enter__()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    @property
    def address(self) -> str:
        """Its address without a slash at the end."""
        return f"{'https' if self.tls else 'http'}://localhost:{self.port}"

    def etag(self, path: str) -> str:
        """The ETag of a file."""
        return f'"{hashlib.md5(self.files[path], usedforsecurity=False).hexdigest()}"'

    def page(self, folder: str) -> bytes | None:
        """The list of what lies in a folder, as web servers write it; None where there is none."""
        inside = {path.removeprefix(folder).partition("/") for path in self.files}
        names = sorted({name + slash for name, slash, _ in inside if not name.startswith("/")})
        if not folder.endswith("/") or not any(path.startswith(folder) for path in self.files):
            return None
        links = "".join(f'<li><a href="{name}">{name}</a></li>' for name in ["../", *names])
        return f"<html><body><ul>{links}</ul></body></html>".encode()


class _QuietServer(ThreadingHTTPServer):
    """Says nothing of clients that went away."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing."""


class _FileHandler(BaseHTTPRequestHandler):
    """Answers for the `FileServer` that is set on a class of its own."""

    files: FileServer

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.files.requests.append((self.path, headers))
        path = unquote(urlsplit(self.path).path)
        if self.files.statuses:
            return self._reply(self.files.statuses.pop(0), {}, b"")
        if path in self.files.moved:
            return self._reply(302, {"Location": self.files.moved[path]}, b"")
        page = self.files.page(path) if path not in self.files.files else None
        if page is not None:
            return self._reply(200, {"Content-Type": "text/html"}, page)
        if path not in self.files.files:
            return self._reply(404, {}, b"")
        return self._file(path, headers)

    def _file(self, path: str, headers: dict[str, str]) -> None:
        content = self.files.files[path]
        about = {"Content-Type": "application/octet-stream"}
        if self.files.etags:
            about["ETag"] = self.files.etag(path)
            wanted = headers.get("if-match", self.files.etag(path))
            if self.files.preconditions and wanted != self.files.etag(path):
                return self._reply(412, about, b"")
        match = _RANGE.fullmatch(headers.get("range", "")) if self.files.ranges else None
        if match is None:
            return self._reply(200, about, content)
        start, end = int(match[1]), int(match[2] or len(content) - 1)
        if start >= len(content):
            about["Content-Range"] = f"bytes */{len(content)}"
            return self._reply(416, about, b"")
        part = content[start : end + 1]
        about["Content-Range"] = f"bytes {start}-{start + len(part) - 1}/{len(content)}"
        return self._reply(206, about, part)

    def _reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        whole = len(body)
        if whole > 1 and self.files.breaks:
            body = body[: self.files.breaks.pop(0)]
        self.wfile.write(body)
        if len(body) < whole:
            self.wfile.flush()
            self.close_connection = True

    def log_message(self, *values: object) -> None:
        """Nothing."""


class CuttingProxy(_InThread):
    """Passes TCP on to a port of this machine, and cuts connections off after some bytes.

    `cuts` says after how many bytes of the answers each next connection ends; none is left alone.
    """

    def __init__(self, port: int) -> None:
        self.cuts: list[int] = []
        self.cut = 0
        proxy = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                left = proxy.cuts.pop(0) if proxy.cuts else None
                with socket.create_connection(("127.0.0.1", port)) as onward:
                    threading.Thread(target=_pour, args=(self.request, onward), daemon=True).start()
                    while data := onward.recv(65536):
                        if left is not None and len(data) > left:
                            proxy.cut += 1
                            self.request.sendall(data[:left])
                            return
                        left = None if left is None else left - len(data)
                        self.request.sendall(data)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])


def _pour(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
