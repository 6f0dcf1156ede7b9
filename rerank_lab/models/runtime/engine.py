"""What a loaded model can do, whatever library runs it: the seam between callers and backends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from rerank_lab.models.runtime.request import InferenceRequest, Kind

Floats = NDArray[np.float32]


class Sparse(NamedTuple):
    """One text: token ids (ascending) and their weights (> 0), both of shape [n_terms]."""

    ids: NDArray[np.int32]
    weights: NDArray[np.float32]


class ModelEngine(Protocol):
    """A loaded model. `size` is an estimate of its memory in bytes."""

    backend: str
    size: int

    def close(self) -> None:
        """Free its memory; it is not used again."""


class PairEngine(ModelEngine, Protocol):
    """Scores pairs of query and text."""

    def score(self, query: str, texts: Sequence[str], request: InferenceRequest) -> list[float]:
        """One raw logit a text; of two outputs, the relevant one less the other."""

    def score_pairs(
        self, pairs: Sequence[tuple[str, str]], request: InferenceRequest
    ) -> list[float]:
        """As `score`, of (query, text) pairs: several queries in one call."""


class TextEngine(ModelEngine, Protocol):
    """Embeds texts."""

    def embed(self, texts: Sequence[str], kind: Kind, request: InferenceRequest) -> Floats:
        """Shape [n_texts, dimension], rows of length 1."""


class TokenEngine(ModelEngine, Protocol):
    """Embeds every token of a text."""

    def embed_tokens(
        self, texts: Sequence[str], kind: Kind, request: InferenceRequest
    ) -> list[Floats]:
        """An array of shape [n_tokens, dimension] for each text, rows of length 1."""


class SparseEngine(ModelEngine, Protocol):
    """Weighs the words of a vocabulary for a text."""

    def embed_sparse(
        self, texts: Sequence[str], kind: Kind, request: InferenceRequest
    ) -> list[Sparse]:
        """A sparse vector for each text, in the order given."""
