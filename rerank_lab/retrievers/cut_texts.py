"""The documents of an index that were longer than its model reads: their rest is not indexed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from rerank_lab.core.types import Ranking

_FILE = "cut.npy"


class CutTexts:
    """The ids of the documents whose texts the model of an index read only in part."""

    def __init__(self, ids: Iterable[str]) -> None:
        self.ids = frozenset(ids)

    def save(self, folder: Path, all_ids: Iterable[str]) -> None:
        """Write a flag for each of `all_ids`, in their order."""
        np.save(folder / _FILE, np.array([doc_id in self.ids for doc_id in all_ids], dtype=bool))

    @classmethod
    def read(cls, folder: Path, all_ids: Iterable[str]) -> CutTexts:
        """What `save` wrote for the same ids; none for an index of an older version."""
        try:
            flags = np.load(folder / _FILE, allow_pickle=False)
        except (OSError, ValueError):
            return cls(())
        return cls(doc_id for doc_id, cut in zip(all_ids, flags, strict=False) if cut)

    def warnings(self, ranking: Ranking, model: str) -> tuple[str, ...]:
        """One sentence when documents of this ranking were cut, else none."""
        count = sum(hit.doc_id in self.ids for hit in ranking)
        if not count:
            return ()
        return (
            f"{count} of {len(ranking)} texts were cut to the length that {model} reads "
            "when they were indexed",
        )
