"""Vectors on disk: what is read back is what was stored, whatever happened to the file."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from pathlib import Path

import numpy as np
import pytest

from rerank_lab.retrievers.embeddings import EmbeddingStore


def hashes(n: int, start: int = 0) -> list[str]:
    return [hashlib.sha256(str(i).encode()).hexdigest() for i in range(start, start + n)]


def vectors(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 8)).astype(np.float32)


@pytest.fixture
def store(tmp_path: Path) -> EmbeddingStore:
    return EmbeddingStore(tmp_path / "model.sqlite", 8)


def test_vectors_come_back_bit_for_bit_in_any_order(store: EmbeddingStore) -> None:
    wanted, keys = vectors(1300), hashes(1300)
    store.add(keys, wanted, {3, 4})
    again = EmbeddingStore(store.file, 8)
    read, truncated = again.read(keys[::-1])
    assert (read == wanted[::-1]).all()
    assert truncated == {keys[3], keys[4]}
    assert again.known([*keys[:2], *hashes(1, 5000)]) == set(keys[:2])


def test_a_missing_vector_is_an_error_not_zeros(store: EmbeddingStore) -> None:
    store.add(hashes(2), vectors(2), set())
    with pytest.raises(KeyError):
        store.read(hashes(3))


@pytest.mark.parametrize("damage", ["flipped", "cut short"])
def test_a_vector_that_was_damaged_is_not_used(store: EmbeddingStore, damage: str) -> None:
    keys = hashes(3)
    store.add(keys, vectors(3), set())
    with sqlite3.connect(store.file) as database:
        whole = bytes(database.execute("SELECT vector FROM vectors").fetchone()[0])
        bad = bytes([whole[0] ^ 1]) + whole[1:] if damage == "flipped" else whole[:12]
        key = bytes.fromhex(keys[0])
        database.execute("UPDATE vectors SET vector = ? WHERE content = ?", (bad, key))
    assert EmbeddingStore(store.file, 8).known(keys) == set(keys[1:])


@pytest.mark.parametrize("at", [0, 5000])
def test_a_damaged_file_is_set_aside_and_begun_anew(store: EmbeddingStore, at: int) -> None:
    keys = hashes(3000)
    store.add(keys, vectors(3000), set())
    with sqlite3.connect(store.file) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(store.file.read_bytes())
    content[at : at + 20_000] = b"\xff" * 20_000
    store.file.write_bytes(content)
    again = EmbeddingStore(store.file, 8)
    known = again.known(keys)
    assert len(known) < 3000
    again.add(keys, vectors(3000), set())
    assert (again.read(keys)[0] == vectors(3000)).all()
    assert store.file.with_name("model.sqlite.damaged").exists()


def test_many_writers_at_once(store: EmbeddingStore) -> None:
    wanted = vectors(400)
    keys = hashes(400)

    def write(first: int) -> None:
        mine = EmbeddingStore(store.file, 8)
        for start in range(first, 400, 40):
            mine.add(keys[start : start + 50], wanted[start : start + 50], set())

    threads = [threading.Thread(target=write, args=(first,)) for first in (0, 0, 20, 40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (store.read(keys)[0] == wanted).all()
