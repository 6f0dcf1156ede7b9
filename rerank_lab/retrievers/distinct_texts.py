"""Which documents of a corpus have the same text: equal ones share a row, so a vector and a score.

Kept beside an index and memory-mapped, so that opening an index walks through no documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rerank_lab.core.context import Context
from rerank_lab.core.types import Document
from rerank_lab.corpora.key_table import mapped

Numbers = NDArray[np.int32]
_CHUNK = 2000
_PARTS = ("text-starts", "text-documents", "text-blank")


@dataclass(frozen=True, slots=True)
class DistinctTexts:
    """The different texts of a corpus in the order of their first documents, each one a row.

    Attributes:
        starts: where in `documents` those of each row begin, of shape [n_rows + 1].
        documents: numbers of the documents, row after row.
        blank: the rows without anything to read, ascending.
    """

    starts: Numbers
    documents: Numbers
    blank: Numbers

    def __len__(self) -> int:
        return len(self.starts) - 1

    def of_row(self, row: int) -> list[int]:
        """The numbers of the documents that have the text of a row."""
        numbers: list[int] = self.documents[self.starts[row] : self.starts[row + 1]].tolist()
        return numbers

    def first_documents(self) -> Numbers:
        """The number of the first document of each row."""
        return self.documents[self.starts[:-1]]

    def save(self, folder: Path) -> None:
        """Write three arrays into a folder."""
        for name, values in zip(_PARTS, (self.starts, self.documents, self.blank), strict=True):
            np.save(folder / f"{name}.npy", values, allow_pickle=False)

    @classmethod
    def open(cls, folder: Path, documents: int) -> DistinctTexts:
        """What `save` wrote there, for so many documents.

        Raises:
            OSError: A file is missing or cannot be read.
            ValueError: The files are damaged or belong to other documents.
        """
        texts = cls(*(mapped(folder / f"{name}.npy") for name in _PARTS))
        ends = int(texts.starts[-1]) if len(texts.starts) else -1
        if not documents == len(texts.documents) == ends:
            raise ValueError("the table of texts is of other documents")
        return texts


def distinct_texts(
    documents: Sequence[Document], ctx: Context
) -> tuple[DistinctTexts, NDArray[np.uint8]]:
    """Walk through all documents, with some 100 bytes of memory for each.

    Returns:
        The distinct texts, and the digest of each row, of shape [n_rows, 32].

    Raises:
        Cancelled: `ctx` says so.
    """
    digests = np.empty((len(documents), 32), np.uint8)
    blank = []
    for number, document in enumerate(documents):
        if number % _CHUNK == 0:
            ctx.checkpoint()
            ctx.report("looking texts over", number, len(documents))
        digests[number] = np.frombuffer(bytes.fromhex(document.content_hash), np.uint8)
        if document.blank:
            blank.append(number)
    rows = _rows(digests.view(np.uint64))
    numbers = np.argsort(rows, kind="stable").astype(np.int32)
    starts = np.zeros(int(rows.max(initial=-1)) + 2, np.int32)
    np.cumsum(np.bincount(rows, minlength=len(starts) - 1), out=starts[1:])
    texts = DistinctTexts(starts, numbers, np.unique(rows[np.array(blank, np.int64)]))
    return texts, digests[texts.first_documents()]


def _rows(digests: NDArray[np.uint64]) -> Numbers:
    """The row of each document: equal digests share one, in the order of their first documents."""
    order = np.lexsort(digests.T)
    ordered = digests[order]
    new = np.ones(len(order), np.bool_)
    new[1:] = np.any(ordered[1:] != ordered[:-1], axis=1)
    first = order[new]  # equal ones keep their order
    places = np.empty(len(first), np.int32)
    places[np.argsort(first)] = np.arange(len(first), dtype=np.int32)
    rows = np.empty(len(order), np.int32)
    rows[order] = places[np.cumsum(new) - 1]
    return rows
