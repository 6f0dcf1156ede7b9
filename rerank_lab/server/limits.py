"""How much one request may hold, and how its body is read within that."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request

from rerank_lab.server.refusals import CLIENT_LEFT, RequestRefused


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """Bounds of one request.

    Attributes:
        documents: Texts to rerank at most.
        body_bytes: Of the body.
        query_chars: Of the query, in characters.
        deadline_s: Seconds from arrival to the answer.
        body_s: Seconds that a client may take to send the body.
    """

    documents: int = 1000
    body_bytes: int = 8_000_000
    query_chars: int = 10_000
    deadline_s: float = 60.0
    body_s: float = 20.0

    def check_query(self, query: str) -> None:
        """Raise RequestRefused for a query that is empty or too long."""
        if not query.strip():
            raise RequestRefused(422, "query: it is empty.")
        if len(query) > self.query_chars:
            raise RequestRefused(
                422,
                f"query: it is {len(query):,} characters long; the limit of this server is "
                f"{self.query_chars:,}.",
            )

    def check_documents(self, field: str, texts: Sequence[str]) -> None:
        """Raise RequestRefused for no documents or too many; `field` is what they are called."""
        if not texts:
            raise RequestRefused(422, f"{field}: there are none.")
        if len(texts) > self.documents:
            raise RequestRefused(
                422,
                f"{field}: there are {len(texts):,}; the limit of this server is "
                f"{self.documents:,} a request.",
            )

    async def body(self, request: Request) -> bytes:
        """The body, read no further than allowed.

        Raises:
            RequestRefused: it is no JSON by its headers, too long, too slow, or the client left.
        """
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            # A page of another site can send plain forms without asking, but no JSON.
            raise RequestRefused(415, "Send JSON, with the header Content-Type: application/json.")
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise RequestRefused(415, "Send the body as it is, without a Content-Encoding.")
        try:
            async with asyncio.timeout(self.body_s):
                return await self._read(request)
        except TimeoutError:
            raise RequestRefused(
                408, f"The body did not arrive within {self.body_s:g} s."
            ) from None
        except ClientDisconnect:
            raise RequestRefused(CLIENT_LEFT, "The client left.") from None

    async def _read(self, request: Request) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for part in request.stream():
            size += len(part)
            if size > self.body_bytes:
                raise RequestRefused(
                    413,
                    f"The body is longer than the limit of this server, {self.body_bytes:,} bytes.",
                )
            parts.append(part)
        return b"".join(parts)
