"""The documents of an index that were longer than its model reads: their rest is not indexed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rerank_lab.corpora.key_table import mapped

_FILE = "cut.npy"


class CutTexts:
    """A flag for each document, in an order of the index: whether its text was read in part only.

    Memory-mapped where it is stored.
    """

    def __init__(self, flags: NDArray[np.bool_]) -> None:
        self._flags = flags

    def save(self, folder: Path) -> None:
        """Write the flags into a folder."""
        np.save(folder / _FILE, self._flags, allow_pickle=False)

    @classmethod
    def open(cls, folder: Path, documents: int) -> CutTexts:
        """What `save` wrote for so many documents; none cut for an index of an older version."""
        try:
            flags = mapped(folder / _FILE)
        except (OSError, ValueError):
            return cls(np.zeros(documents, np.bool_))
        return cls(flags if len(flags) == documents else np.zeros(documents, np.bool_))

    def count(self, places: Sequence[int]) -> int:
        """How many documents of a ranking, at these places, were cut."""
        return int(self._flags[np.asarray(places, np.int64)].sum())
