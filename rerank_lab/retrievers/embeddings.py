"""Passage vectors on disk, by content: computed once, whichever corpus a text is in.

One SQLite file for each encoder. A batch is stored in one transaction, so a process that is killed
loses at most the batch at hand, nothing half written is ever read, and two processes at once only
do the same work twice. A file that is damaged is set aside and begun anew.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rerank_lab.core.errors import StorageError
from rerank_lab.core.storage import disk_errors, open_sqlite, set_aside

Vectors = NDArray[np.float32]

_READ_AT_ONCE = 500
_TABLE = """
CREATE TABLE IF NOT EXISTS vectors (
    content BLOB PRIMARY KEY, vector BLOB NOT NULL,
    truncated INTEGER NOT NULL, checksum INTEGER NOT NULL
)
"""


class EmbeddingStore:
    """Vectors of `dimension` float32 by content hash (hex), with a flag for truncated texts."""

    def __init__(self, file: Path, dimension: int) -> None:
        self.file = file
        self.dimension = dimension
        try:
            self._check()
        except StorageError as error:
            self._begin_anew(error)

    def known(self, hashes: Sequence[str]) -> set[str]:
        """Those of `hashes` whose vectors are here and sound."""
        try:
            return {content for content, _, _ in self._rows(hashes)}
        except StorageError as error:
            self._begin_anew(error)
            return set()

    def read(self, hashes: Sequence[str]) -> tuple[Vectors, set[str]]:
        """Vectors of shape (len(hashes), dimension), and the hashes of truncated texts.

        Raises KeyError when one is missing.
        """
        place = {content: row for row, content in enumerate(hashes)}
        vectors = np.empty((len(hashes), self.dimension), np.float32)
        missing, truncated = set(hashes), set[str]()
        for content, vector, cut in self._rows(hashes):
            vectors[place[content]] = vector
            missing.discard(content)
            if cut:
                truncated.add(content)
        if missing:
            raise KeyError(f"{len(missing)} vectors are missing")
        return vectors, truncated

    def add(self, hashes: Sequence[str], vectors: Vectors, truncated: set[int]) -> None:
        """Store a batch, all of it or nothing. What is there already is replaced."""
        rows = []
        for row, (content, vector) in enumerate(zip(hashes, vectors, strict=True)):
            blob = np.ascontiguousarray(vector, "<f4").tobytes()
            rows.append((bytes.fromhex(content), blob, row in truncated, zlib.crc32(blob)))
        with self._connection() as database, database:
            database.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?)", rows)

    def _rows(self, hashes: Sequence[str]) -> Iterator[tuple[str, Vectors, int]]:
        with self._connection() as database:
            for start in range(0, len(hashes), _READ_AT_ONCE):
                some = [bytes.fromhex(content) for content in hashes[start : start + _READ_AT_ONCE]]
                marks = ",".join("?" * len(some))
                rows = database.execute(f"SELECT * FROM vectors WHERE content IN ({marks})", some)
                for content, blob, cut, checksum in rows:
                    if len(blob) == 4 * self.dimension and zlib.crc32(blob) == checksum:
                        yield content.hex(), np.frombuffer(blob, "<f4"), cut

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
