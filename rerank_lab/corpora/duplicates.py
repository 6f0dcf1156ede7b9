"""Documents of a corpus that repeat the content of another, found by digests instead of texts."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from rerank_lab.core.context import Context
from rerank_lab.core.types import Document

_EXAMPLES = 20
_CHUNK = 2000


@dataclass(frozen=True, slots=True)
class Duplicates:
    """How many documents repeat the content of another, and the ids of the first 20 groups.

    The groups come in the order of their first documents.
    """

    count: int
    groups: tuple[tuple[str, ...], ...]


def find_duplicates(documents: Sequence[Document], ctx: Context | None = None) -> Duplicates:
    """Documents whose content is the same but for case and white space.

    Documents that were cut are compared with all their passages: a passage that stands in two of
    them makes no duplicate. Empty documents are no duplicates of each other. One document is in
    memory at a time, and 32 bytes for each.

    Raises:
        Cancelled: `ctx` says so.
    """
    ctx = ctx or Context()
    table = _DigestTable()
    runs = groupby(enumerate(watched(documents, ctx)), lambda numbered: numbered[1].document_id)
    for doc_id, run in runs:
        content = _Content()
        for number, document in run:
            content.add(number, document)
        table.add(doc_id, content)
    if scattered := table.repeated_ids():
        table.join(scattered, watched(documents, ctx))
    return table.duplicates(documents)


def watched(documents: Sequence[Document], ctx: Context) -> Iterator[Document]:
    """The same documents; progress is reported and cancelling heeded on the way."""
    for number, document in enumerate(documents):
        if number % _CHUNK == 0:
            ctx.checkpoint()
            ctx.report("Looking the corpus over", number, len(documents))
        yield document


class _Content:
    """The digest of a document, from all its passages in their order; blank ones do not count."""

    def __init__(self) -> None:
        self.place = -1
        """The number of the first passage with a text; -1 while there is none."""
        self._digest = hashlib.blake2b(digest_size=16)

    def add(self, number: int, passage: Document) -> None:
        text = " ".join(passage.content.casefold().split())
        if text:
            self._digest.update(text.encode("utf-8", "surrogatepass") + b"\x00")
            self.place = number if self.place < 0 else self.place

    def digest(self) -> bytes:
        return self._digest.digest()


class _DigestTable:
    """For each document with a text: its place, a hash of its id, the two halves of its digest."""

    def __init__(self) -> None:
        self._places, self._ids, self._halves = array("q"), array("q"), array("Q")

    def add(self, doc_id: str, content: _Content) -> None:
        if content.place >= 0:
            self._places.append(content.place)
            self._ids.append(hash(doc_id))
            self._halves.frombytes(content.digest())

    def repeated_ids(self) -> frozenset[int]:
        """Hashes of ids that were added more than once: their passages do not stand together."""
        ids, counts = np.unique(np.frombuffer(self._ids, np.int64), return_counts=True)
        return frozenset(ids[counts > 1].tolist())

    def join(self, scattered: frozenset[int], documents: Iterator[Document]) -> None:
        """Replace the entries of these ids by one for each document, from all its passages."""
        contents: dict[str, _Content] = {}
        for number, document in enumerate(documents):
            doc_id = document.document_id
            if hash(doc_id) in scattered:
                contents.setdefault(doc_id, _Content()).add(number, document)
        contiguous = np.isin(np.frombuffer(self._ids, np.int64), list(scattered), invert=True)
        halves = np.frombuffer(self._halves, np.uint64).reshape(-1, 2)[contiguous]
        self._places = array("q", np.frombuffer(self._places, np.int64)[contiguous].tobytes())
        self._ids = array("q", np.frombuffer(self._ids, np.int64)[contiguous].tobytes())
        self._halves = array("Q", halves.tobytes())
        for doc_id, content in contents.items():
            self.add(doc_id, content)

    def duplicates(self, documents: Sequence[Document]) -> Duplicates:
        """The documents of equal digests."""
        places = np.frombuffer(self._places, np.int64)
        halves = np.frombuffer(self._halves, np.uint64).reshape(-1, 2)
        rows = np.lexsort((places, halves[:, 1], halves[:, 0]))
        equal = np.all(halves[rows[1:]] == halves[rows[:-1]], axis=1)
        begins = np.flatnonzero(_starts_of_runs(equal))
        sizes = np.diff(begins, append=len(rows))
        begins, sizes = begins[sizes > 1], sizes[sizes > 1]
        first = np.argsort(places[rows[begins]])[:_EXAMPLES]
        groups = (places[rows[begins[n] : begins[n] + sizes[n]]].tolist() for n in first)
        ids = tuple(tuple(documents[number].document_id for number in group) for group in groups)
        return Duplicates(int((sizes - 1).sum()), ids)


def _starts_of_runs(equal: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where a run begins, among one row more than there are comparisons with the row before."""
    return np.concatenate([np.ones(1, np.bool_), ~equal])
