"""Requests that fit a provider's limits: by documents, by tokens and by bytes."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from rerank_lab.core.errors import InvalidInput
from rerank_lab.remote.providers import ProviderLimits

BLANK = "-"
_AROUND = 32


@dataclass(frozen=True, slots=True)
class Batch:
    """Texts `start` to `end` (exclusive) in one request of about `tokens` tokens."""

    start: int
    end: int
    tokens: int

    @property
    def documents(self) -> int:
        """How many texts the request holds."""
        return self.end - self.start


def estimated_tokens(text: str) -> int:
    """An upper estimate, without any provider's tokenizer: a third of the UTF-8 bytes.

    English has 4 to 5 bytes a token, Chinese about 3 bytes a character: limits hold for both, and
    English requests are smaller than they could be.
    """
    return math.ceil(len(text.encode("utf-8", "surrogatepass")) / 3)


def surely_longer(text: str, tokens: int) -> bool:
    """Whether a text has more tokens than that even by a low estimate, 5 bytes a token."""
    return len(text.encode("utf-8", "surrogatepass")) > 5 * tokens


def sendable(text: str) -> str:
    """The text as JSON can carry it: lone surrogates replaced, a blank text as a dash.

    Most providers refuse a whole request for one blank document.
    """
    clean = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return clean if clean.strip() else BLANK


def split(query: str, texts: Sequence[str], limits: ProviderLimits, title: str) -> list[Batch]:
    """Consecutive batches, each within the limits. Raises InvalidInput when one text cannot fit."""
    per_document = estimated_tokens(query)
    own_bytes = _bytes(query) + 1024
    batches: list[Batch] = []
    start = tokens = 0
    size = own_bytes
    for position, text in enumerate(texts):
        more_tokens = per_document + estimated_tokens(text)
        more_bytes = _bytes(text)
        if limits.bytes and own_bytes + more_bytes > limits.bytes:
            raise InvalidInput(
                f"Candidate {position + 1} has {more_bytes:,} bytes; {title} takes at most "
                f"{limits.bytes:,} a request.",
                hint="Import the corpus cut into passages, or use another reranker.",
            )
        full = position - start >= limits.documents
        full |= bool(limits.tokens) and tokens + more_tokens > limits.tokens
        full |= bool(limits.bytes) and size + more_bytes > limits.bytes
        if full and position > start:
            batches.append(Batch(start, position, tokens))
            start, tokens, size = position, 0, own_bytes
        tokens += more_tokens
        size += more_bytes
    if texts:
        batches.append(Batch(start, len(texts), tokens))
    return batches


def _bytes(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode("utf-8", "surrogatepass")) + _AROUND
