"""Nearest neighbours: flat is exact, the others say how much they miss."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rerank_lab.core.context import Context
from rerank_lab.retrievers import ann
from rerank_lab.retrievers.ann import Shape

CTX = Context()


def unit(n: int, d: int = 32, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


VECTORS, QUERIES = unit(2000), unit(20, seed=1)


def test_flat_is_exact() -> None:
    index = ann.build(VECTORS, Shape(), CTX)
    for query in QUERIES:
        found = ann.search(index, query, 25, Shape())
        exact = np.argsort(-(VECTORS @ query), kind="stable")[:25]
        assert [row for row, _ in found] == exact.tolist()
        assert [score for _, score in found] == pytest.approx(
            (VECTORS @ query)[exact].tolist(), abs=1e-6
        )


@pytest.mark.parametrize(
    ("weak", "strong"),
    [
        (Shape("hnsw", m=4, ef=8), Shape("hnsw", m=32, ef=512)),
        (Shape("ivf", nlist=64, nprobe=1), Shape("ivf", nlist=64, nprobe=64)),
    ],
)
def test_recall_tells_a_weak_index_from_a_strong_one(weak: Shape, strong: Shape) -> None:
    found = [
        ann.recall(ann.build(VECTORS, s, CTX), s, VECTORS, QUERIES, 10) for s in (weak, strong)
    ]
    assert found[0] < 0.8
    assert found[1] > 0.99


@pytest.mark.parametrize("kind", ann.KINDS)
def test_building_twice_and_reading_back_give_the_same_answers(kind: str, tmp_path: Path) -> None:
    shape = Shape(kind, m=8, ef=16, nprobe=2)
    first, second = (ann.build(VECTORS, shape, CTX) for _ in range(2))
    ann.save(first, tmp_path / "index")
    read = ann.read(tmp_path / "index")
    for query in QUERIES:
        answers = [ann.search(index, query, 10, shape) for index in (first, second, read)]
        assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize("kind", ann.KINDS)
@pytest.mark.parametrize("n", [1, 2, 40])
def test_small_collections_are_found_whole(kind: str, n: int) -> None:
    shape = Shape(kind)
    index = ann.build(VECTORS[:n], shape, CTX)
    assert {row for row, _ in ann.search(index, QUERIES[0], 100, shape)} == set(range(n))


def test_a_graph_made_by_several_threads_finds_as_much(monkeypatch: pytest.MonkeyPatch) -> None:
    shape = Shape("hnsw", m=16, ef=64)
    alone = ann.recall(ann.build(VECTORS, shape, CTX), shape, VECTORS, QUERIES, 10)
    monkeypatch.setattr(ann, "PARALLEL_FROM", 100)
    monkeypatch.setattr(ann, "cpu_threads", lambda: 4)
    index = ann.build(VECTORS, shape, CTX)
    assert index.ntotal == len(VECTORS)
    assert ann.recall(index, shape, VECTORS, QUERIES, 10) == pytest.approx(alone, abs=0.05)


def test_a_damaged_file_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "index"
    ann.save(ann.build(VECTORS, Shape(), CTX), file)
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(ValueError):
        ann.read(file)


@pytest.mark.parametrize("k", [1, 10, 5000])
def test_the_nearest_are_found_a_block_at_a_time(monkeypatch: pytest.MonkeyPatch, k: int) -> None:
    vectors = np.concatenate([VECTORS[:700], VECTORS[:30]])  # some are equally near
    exact = np.argsort(-(QUERIES @ vectors.T), axis=1, kind="stable")[:, :k]
    monkeypatch.setattr(ann, "_EXACT_BLOCK", 128)
    rows = ann.nearest(vectors, QUERIES, k)
    assert rows.shape == exact.shape
    scores = np.sum(QUERIES[:, None] * vectors[rows], axis=2)
    expected = np.sum(QUERIES[:, None] * vectors[exact], axis=2)
    np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_an_exact_index_is_written_without_holding_it(tmp_path: Path) -> None:
    ann.save(ann.build(VECTORS, Shape("flat"), CTX), tmp_path / "whole")
    blocks = (VECTORS[start : start + 300] for start in range(0, len(VECTORS), 300))
    ann.write_flat(blocks, VECTORS.shape, tmp_path / "streamed")
    assert (tmp_path / "streamed").read_bytes() == (tmp_path / "whole").read_bytes()
    opened = ann.read(tmp_path / "streamed")
    whole = ann.read(tmp_path / "whole")
    for query in QUERIES[:5]:
        flat = Shape("flat")
        assert ann.search(opened, query, 10, flat) == ann.search(whole, query, 10, flat)
