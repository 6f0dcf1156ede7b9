"""The `openai` SDK speaks httpx2, our transport httpx: a thin layer between the two.

Import inside functions only: both libraries belong to extras.
"""

from __future__ import annotations

import httpx
import httpx2

from rerank_lab.remote.transport import LabTransport, Line


class Bridge(httpx2.BaseTransport):
    """Hands a request on with the headers named here and no other."""

    def __init__(self, line: Line, key: str) -> None:
        self._inner = LabTransport(line)
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        sent = httpx.Request(
            request.method, str(request.url), headers=self._headers, content=request.read()
        )
        reply = self._inner.handle_request(sent)
        return httpx2.Response(
            reply.status_code,
            headers=list(reply.headers.items()),
            content=reply.read(),
            request=request,
        )


def client(line: Line, key: str) -> httpx2.Client:
    """A client for one call; connections are kept in the pools that all calls share."""
    return httpx2.Client(transport=Bridge(line, key), trust_env=False, follow_redirects=False)
