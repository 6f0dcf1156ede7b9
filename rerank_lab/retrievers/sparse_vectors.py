"""Sparse vectors of passages on disk, by content: computed once, whichever corpus a text is in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rerank_lab.models import Sparse
from rerank_lab.retrievers.embeddings import ContentStore


class SparseStore(ContentStore):
    """Sparse vectors by content hash (hex), with a flag for truncated texts.

    A blob holds the token ids, then as many weights.
    """

    def is_sound(self, blob: bytes) -> bool:
        """Whether a blob has as many weights as ids; a text may have none of either."""
        return len(blob) % 8 == 0

    def read(self, hashes: Sequence[str]) -> tuple[list[Sparse], set[str]]:
        """A vector for each hash, in the order given, and the hashes of truncated texts.

        Raises KeyError when one is missing.
        """
        vectors: dict[str, Sparse] = {}
        truncated = set[str]()
        for content, blob, cut in self.rows(list(dict.fromkeys(hashes))):
            half = len(blob) // 2
            ids, weights = np.frombuffer(blob[:half], "<i4"), np.frombuffer(blob[half:], "<f4")
            vectors[content] = Sparse(ids, weights)
            if cut:
                truncated.add(content)
        return [vectors[content] for content in hashes], truncated

    def add(self, hashes: Sequence[str], vectors: Sequence[Sparse], truncated: set[int]) -> None:
        """Store a batch, all of it or nothing. What is there already is replaced."""
        blobs = [
            vector.ids.astype("<i4").tobytes() + vector.weights.astype("<f4").tobytes()
            for vector in vectors
        ]
        self.put(hashes, blobs, truncated)
