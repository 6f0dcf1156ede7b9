"""Texts to token ids with a `tokenizer.json`: no padding, one truncation rule, no surprises.

A tokenizer is used by one caller at a time (the model's lock): changing its truncation while
another thread encodes is what makes fast tokenizers fail under concurrency.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAX_CHARS_PER_TOKEN = 64
"""Text beyond this many characters for each token that fits cannot reach the model."""


@dataclass(frozen=True, slots=True)
class Tokenized:
    """One input. `ids` and `types` have shape (tokens,); `cut` when a part was left out.

    Of `unread` tokens at the end vectors are computed, and no other token attends to them.
    """

    ids: NDArray[np.int64]
    types: NDArray[np.int64]
    cut: bool
    unread: int = 0

    def __len__(self) -> int:
        return len(self.ids)


class FastTokenizer:
    """A tokenizer with its special tokens, read from a file."""

    def __init__(self, path: Path) -> None:
        from tokenizers import Tokenizer

        self._tokenizer: Any = Tokenizer.from_file(str(path))
        self._tokenizer.no_padding()

    def pairs(self, query: str, texts: Sequence[str], max_length: int) -> list[Tokenized]:
        """Query and text together, cut to `max_length` tokens from the longer of the two."""
        return self.pairs_of_queries([(query, text) for text in texts], max_length)

    def pairs_of_queries(
        self, pairs: Sequence[tuple[str, str]], max_length: int
    ) -> list[Tokenized]:
        """As `pairs`, of any (query, text), whatever queries they are."""
        queries = {query: clipped(query, max_length) for query in {query for query, _ in pairs}}
        inputs = [(queries[query][0], text) for query, text in pairs]
        return self._encode(inputs, max_length, [queries[query][1] for query, _ in pairs])

    def singles(self, texts: Sequence[str], max_length: int) -> list[Tokenized]:
        """Each text by itself, cut to `max_length` tokens."""
        return self._encode(list(texts), max_length, [False] * len(texts))

    def id_of(self, token: str) -> int | None:
        """The id of a token, None when the vocabulary lacks it."""
        token_id: int | None = self._tokenizer.token_to_id(token)
        return token_id

    def _encode(
        self, inputs: list[Any], max_length: int, queries_cut: Sequence[bool]
    ) -> list[Tokenized]:
        self._tokenizer.enable_truncation(max_length, strategy="longest_first")
        prepared, clips = [], []
        for item, cut in zip(inputs, queries_cut, strict=True):
            text, clip = clipped(item[1] if isinstance(item, tuple) else item, max_length)
            prepared.append((item[0], text) if isinstance(item, tuple) else text)
            clips.append(clip or cut)
        encodings = self._tokenizer.encode_batch(prepared)
        return [
            Tokenized(
                np.asarray(encoding.ids, np.int64),
                np.asarray(encoding.type_ids, np.int64),
                clip or bool(encoding.overflowing),
            )
            for encoding, clip in zip(encodings, clips, strict=True)
        ]


def clipped(text: str, max_length: int) -> tuple[str, bool]:
    """The part of a text that can reach the model, as valid Unicode, and whether any is left out.

    Tokenizers refuse lone surrogates; they become replacement marks.
    """
    limit = max_length * _MAX_CHARS_PER_TOKEN
    clean = text[:limit].encode("utf-8", "replace").decode("utf-8")
    return clean, len(text) > limit
