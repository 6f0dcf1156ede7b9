"""A server that sends exactly the bytes it is told to, when it is told to."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterable
from types import TracebackType


class RawServer:
    """Answers every connection with `parts`, a pause of `pause_s` before each but the first."""

    def __init__(self, parts: Iterable[bytes], pause_s: float = 0.0) -> None:
        self.parts, self.pause_s = list(parts), pause_s
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        self._stopped = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"

    def _serve(self) -> None:
        while not self._stopped.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.recv(65536)
            for number, part in enumerate(self.parts):
                if number:
                    time.sleep(self.pause_s)
                connection.sendall(part)
                if self._stopped.is_set():
                    return

    def __enter__(self) -> RawServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._stopped.set()
        self._listener.close()


def reply(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """A whole HTTP reply."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
