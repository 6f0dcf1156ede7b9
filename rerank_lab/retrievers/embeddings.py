"""Passage vectors on disk, by content: computed once, whichever corpus a text is in.

One SQLite file for each encoder. A batch is stored in one transaction, so a process that is killed
loses at most the batch at hand, nothing half written is ever read, and two processes at once only
do the same work twice. A file that is damaged is set aside and begun anew.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from rerank_lab.core.context import Context
from rerank_lab.core.errors import StorageError
from rerank_lab.core.storage import disk_errors, open_sqlite, set_aside
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.retrievers.distinct_texts import DistinctTexts

Vectors = NDArray[np.float32]
Digests = NDArray[np.uint8]
V = TypeVar("V")
V_contra = TypeVar("V_contra", contravariant=True)

BLOCK = 2000
"""Vectors that are in memory together where those of a corpus are read."""
BATCH = 256
"""Texts that an encoder is given at a time."""
_READ_AT_ONCE = 500
_TABLE = """
CREATE TABLE IF NOT EXISTS vectors (
    content BLOB PRIMARY KEY, vector BLOB NOT NULL,
    truncated INTEGER NOT NULL, checksum INTEGER NOT NULL
)
"""


class ContentStore:
    """Blobs by content hash (hex), with a flag for truncated texts and a checksum each."""

    def __init__(self, file: Path) -> None:
        self.file = file
        try:
            self._check()
        except StorageError as error:
            self._begin_anew(error)

    def known(self, hashes: Sequence[str]) -> set[str]:
        """Those of `hashes` whose vectors are here and sound."""
        try:
            return {content for content, _, _ in self.rows(hashes)}
        except StorageError as error:
            self._begin_anew(error)
            return set()

    def missing(self, digests: Digests, ctx: Context) -> NDArray[np.int64]:
        """The rows of `digests`, of shape [n, 32], whose vectors are not here, or not soundly.

        Raises:
            Cancelled: `ctx` says so.
        """
        rows: list[int] = []
        for start in range(0, len(digests), BLOCK):
            ctx.checkpoint()
            ctx.report("looking for vectors", start, len(digests))
            contents = hexadecimal(digests[start : start + BLOCK])
            known = self.known(contents)
            rows += [row for row, content in enumerate(contents, start) if content not in known]
        return np.array(rows, np.int64)

    def is_sound(self, blob: bytes) -> bool:
        """Whether a blob has the size of a vector."""
        return bool(blob)

    def put(self, hashes: Sequence[str], blobs: Sequence[bytes], truncated: set[int]) -> None:
        """Store a batch, all of it or nothing. What is there already is replaced."""
        rows = [
            (bytes.fromhex(content), blob, row in truncated, zlib.crc32(blob))
            for row, (content, blob) in enumerate(zip(hashes, blobs, strict=True))
        ]
        with self._connection() as database, database:
            database.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?)", rows)

    def rows(self, hashes: Sequence[str]) -> Iterator[tuple[str, bytes, int]]:
        """(hash, blob, truncated) of those that are here and sound, in any order."""
        with self._connection() as database:
            for start in range(0, len(hashes), _READ_AT_ONCE):
                some = [bytes.fromhex(content) for content in hashes[start : start + _READ_AT_ONCE]]
                marks = ",".join("?" * len(some))
                rows = database.execute(f"SELECT * FROM vectors WHERE content IN ({marks})", some)
                for content, blob, cut, checksum in rows:
                    if self.is_sound(blob) and zlib.crc32(blob) == checksum:
                        yield content.hex(), blob, cut

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with disk_errors(self.file), closing(open_sqlite(self.file, _TABLE)) as database:
            yield database

    def _check(self) -> None:
        with self._connection() as database:
            database.execute("SELECT content FROM vectors LIMIT 1").fetchall()

    def _begin_anew(self, error: StorageError) -> None:
        """Set a damaged file aside; raises any other error again."""
        if not error.damaged:
            raise error
        set_aside(self.file)
        self._check()


class EmbeddingStore(ContentStore):
    """Vectors of `dimension` float32 by content hash (hex), with a flag for truncated texts."""

    def __init__(self, file: Path, dimension: int) -> None:
        self.dimension = dimension
        super().__init__(file)

    def is_sound(self, blob: bytes) -> bool:
        """Whether a blob has the size of a vector."""
        return len(blob) == 4 * self.dimension

    def read(self, hashes: Sequence[str]) -> tuple[Vectors, set[str]]:
        """Vectors of shape (len(hashes), dimension), and the hashes of truncated texts.

        Raises KeyError when one is missing.
        """
        place = {content: row for row, content in enumerate(hashes)}
        vectors = np.empty((len(hashes), self.dimension), np.float32)
        missing, truncated = set(hashes), set[str]()
        for content, blob, cut in self.rows(hashes):
            vectors[place[content]] = np.frombuffer(blob, "<f4")
            missing.discard(content)
            if cut:
                truncated.add(content)
        if missing:
            raise KeyError(f"{len(missing)} vectors are missing")
        return vectors, truncated

    def add(self, hashes: Sequence[str], vectors: Vectors, truncated: set[int]) -> None:
        """Store a batch, all of it or nothing. What is there already is replaced."""
        blobs = [np.ascontiguousarray(vector, "<f4").tobytes() for vector in vectors]
        self.put(hashes, blobs, truncated)


def hexadecimal(digests: Digests) -> list[str]:
    """Digests, of shape [n, 32], as they name contents."""
    return [digest.tobytes().hex() for digest in digests]


class VectorStore(Protocol[V_contra]):
    """Where vectors of texts stay, by content."""

    def missing(self, digests: Digests, ctx: Context) -> NDArray[np.int64]:
        """As `ContentStore.missing`."""
        ...

    def add(self, hashes: Sequence[str], vectors: V_contra, truncated: set[int]) -> None:
        """Store a batch, all of it or nothing."""
        ...


@dataclass(frozen=True, slots=True)
class TextBlock:
    """Texts that are embedded together: their contents (hex), and how many of `total` are done."""

    contents: list[str]
    texts: list[str]
    done: int
    total: int


@dataclass(frozen=True)
class Embedding(Generic[V]):
    """The different texts of a corpus, and where a vector of each is to stay.

    Attributes:
        corpus: The documents.
        texts: Their different texts.
        digests: Of the texts, of shape [n_texts, 32].
        store: Where the vectors stay.
    """

    corpus: Corpus
    texts: DistinctTexts
    digests: Digests
    store: VectorStore[V]

    def blocks(self, ctx: Context) -> Iterator[TextBlock]:
        """The texts without a vector, `BATCH` at a time; they are read when they are asked for.

        Raises:
            Cancelled: `ctx` says so.
        """
        missing = self.store.missing(self.digests, ctx)
        documents, total = self.texts.first_documents(), len(self.texts)
        for start in range(0, len(missing), BATCH):
            some = missing[start : start + BATCH]
            texts = [self.corpus.documents[number].content for number in documents[some].tolist()]
            done = total - len(missing) + start
            yield TextBlock(hexadecimal(self.digests[some]), texts, done, total)

    def add(self, block: TextBlock, vectors: V, truncated: set[int]) -> None:
        """Keep the vectors of a block, all of them or none; `truncated` are places in it."""
        self.store.add(block.contents, vectors, truncated)


def embed_missing(
    embedding: Embedding[V],
    encoded: Callable[[list[str], int, int, Context], tuple[V, set[int]]],
    ctx: Context,
) -> None:
    """Have a vector of every text in the store; what is there already is not made again.

    Args:
        embedding: The texts and the store.
        encoded: The vectors of a batch, and the places in it of texts that were cut; it is told
            how many texts are done, and of how many.
        ctx: For progress and cancelling; after a cancel or a kill it goes on from here.
    """
    for block in embedding.blocks(ctx):
        embedding.add(block, *encoded(block.texts, block.done, block.total, ctx))
        ctx.report("embedding documents", block.done + len(block.texts), block.total)
