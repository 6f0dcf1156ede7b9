"""How much one request may hold, and how its body is read within that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request

from rerank_lab.server.refusals import CLIENT_LEFT, RequestRefused

_PIECE = 20_000


@dataclass(slots=True)
class ArrivingBytes:
    """Of the bodies that a server reads now."""

    total: int = 0


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """Bounds of one request.

    Attributes:
        documents: Texts to rerank at most.
        body_bytes: Of the body.
        tokens: Of the query and the documents together, as `count` of `check_tokens` has it.
        query_chars: Of the query, in characters.
        deadline_s: Seconds from arrival to the answer.
        body_s: Seconds that a client may take to send the body.
        all_bodies_bytes: Of all bodies that arrive at one time.
    """

    documents: int = 1000
    body_bytes: int = 8_000_000
    tokens: int = 1_000_000
    query_chars: int = 10_000
    deadline_s: float = 60.0
    body_s: float = 20.0
    all_bodies_bytes: int = 256_000_000

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

    def check_tokens(
        self,
        field: str,
        query: str,
        texts: Sequence[str],
        count: Callable[[str], int],
        subject: str = "they have",
    ) -> None:
        """Raise RequestRefused for too many tokens of query and texts together.

        Texts of no more bytes than tokens are allowed are not counted: a token has a byte at least.

        Args:
            field: What the texts are called.
            query: Counted once.
            texts: The documents.
            count: The tokens of a text of at most 20,000 characters; longer ones come in pieces.
            subject: What has too many with the query, for the message.
        """
        if sum(len(text.encode("utf-8", "replace")) for text in (query, *texts)) <= self.tokens:
            return
        tokens = 0
        for text in (query, *texts):
            for start in range(0, len(text), _PIECE):
                tokens += count(text[start : start + _PIECE])
                if tokens > self.tokens:
                    raise RequestRefused(
                        422,
                        f"{field}: with the query {subject} more than {self.tokens:,} tokens, the "
                        "limit of this server for a request.",
                    )

    async def body(self, request: Request, arriving: ArrivingBytes) -> bytes:
        """The body, read no further than allowed.

        Raises:
            RequestRefused: it is no JSON by its headers, too long, too slow, the client left, or
                too much arrives at once.
        """
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            # A page of another site can send plain forms without asking, but no JSON.
            raise RequestRefused(415, "Send JSON, with the header Content-Type: application/json.")
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise RequestRefused(415, "Send the body as it is, without a Content-Encoding.")
        try:
            async with asyncio.timeout(self.body_s):
                return await self._read(request, arriving)
        except TimeoutError:
            raise RequestRefused(
                408, f"The body did not arrive within {self.body_s:g} s."
            ) from None
        except ClientDisconnect:
            raise RequestRefused(CLIENT_LEFT, "The client left.") from None

    async def _read(self, request: Request, arriving: ArrivingBytes) -> bytes:
        self._check_size(_size_of(request.headers.get("content-length", "")))
        parts: list[bytes] = []
        size = 0
        try:
            async for part in request.stream():
                size += len(part)
                arriving.total += len(part)
                self._check_size(size)
                if arriving.total > self.all_bodies_bytes:
                    raise RequestRefused(
                        503, "Too much arrives at this server at once; try again.", retry_after=1
                    )
                parts.append(part)
            return b"".join(parts)
        finally:
            arriving.total -= size

    def _check_size(self, size: int) -> None:
        if size > self.body_bytes:
            raise RequestRefused(
                413,
                f"The body is longer than the limit of this server, {self.body_bytes:,} bytes.",
            )


def _size_of(header: str) -> int:
    """A whole number from a header; 0 for anything else."""
    return int(header) if header.isascii() and header.isdigit() and len(header) < 19 else 0
