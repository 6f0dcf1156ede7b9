"""Nearest-neighbour indexes over unit vectors: exact, HNSW graph, or inverted lists, by FAISS."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rerank_lab.core.context import Context
from rerank_lab.core.machine import cpu_threads

Vectors = NDArray[np.float32]

KINDS = ("flat", "hnsw", "ivf")
_EF_CONSTRUCTION = 200
_POINTS_PER_LIST = 39
_CHUNK = 2000
_EXACT_BLOCK = 20_000
_TOTAL = slice(8, 16)
"""Where a flat index's file has the number of its vectors; their numbers follow the header."""
PARALLEL_FROM = 10_000
"""Vectors of a graph for which other threads than one pay."""


@dataclass(frozen=True, slots=True)
class Shape:
    """`m`, `ef`: links a node and search width of HNSW; `nlist` (0: by size), `nprobe` of IVF."""

    kind: str = "flat"
    m: int = 32
    ef: int = 256
    nlist: int = 0
    nprobe: int = 32

    def lists(self, n: int) -> int:
        """Number of inverted lists for n vectors: 4 sqrt(n), with enough vectors to train each."""
        return self.nlist or max(1, min(4 * math.isqrt(n), n // _POINTS_PER_LIST))


def build(vectors: Vectors, shape: Shape, ctx: Context) -> Any:
    """A FAISS index by inner product over `vectors`, shape (n, d), each of length 1.

    HNSW: Malkov and Yashunin 2018; IVF: Jégou et al. 2011. Building twice gives the same index, but
    for the graph over 10,000 vectors or more: it is made on all cores, whose turns decide which of
    about equal links it has. Its recall is measured in any case.
    """
    faiss = _faiss()
    index: Any
    n, dimension = vectors.shape
    parallel = shape.kind == "hnsw" and n >= PARALLEL_FROM
    with _threads(cpu_threads() if parallel else 1):
        if shape.kind == "hnsw":
            index = faiss.IndexHNSWFlat(dimension, shape.m, faiss.METRIC_INNER_PRODUCT)
            index.hnsw.efConstruction = _EF_CONSTRUCTION
        elif shape.kind == "ivf":
            lists = min(shape.lists(n), n)
            quantizer = faiss.IndexFlatIP(dimension)
            index = faiss.IndexIVFFlat(quantizer, dimension, lists, faiss.METRIC_INNER_PRODUCT)
            index.cp.min_points_per_centroid = 1
            ctx.report("clustering", 0, n)
            index.train(vectors)
        else:
            index = faiss.IndexFlatIP(dimension)
        for start in range(0, n, _CHUNK):
            ctx.checkpoint()
            index.add(vectors[start : start + _CHUNK])
            ctx.report("indexing vectors", min(start + _CHUNK, n), n)
    return index


def search(index: Any, vector: Vectors, k: int, shape: Shape) -> list[tuple[int, float]]:
    """(row, cosine) of the nearest at most k rows of the index, nearest first."""
    faiss = _faiss()
    parameters = None
    if shape.kind == "hnsw":
        parameters = faiss.SearchParametersHNSW(efSearch=max(shape.ef, k))
    elif shape.kind == "ivf":
        parameters = faiss.SearchParametersIVF(nprobe=shape.nprobe)
    with _threads(1):
        scores, rows = index.search(vector.reshape(1, -1), min(k, index.ntotal), params=parameters)
    neighbours = zip(rows[0].tolist(), scores[0].tolist(), strict=True)
    return [(row, score) for row, score in neighbours if row >= 0]


def write_flat(blocks: Iterable[Vectors], shape: tuple[int, int], file: Path) -> None:
    """Write the exact index of vectors that come in blocks, of `shape` (n, d) together.

    The file is the one that FAISS writes, but the vectors are never all in memory: its header, of
    which two numbers say how many there are, and then the vectors.
    """
    faiss = _faiss()
    n, dimension = shape
    header = bytearray(faiss.serialize_index(faiss.IndexFlatIP(dimension)))
    header[_TOTAL] = struct.pack("<q", n)
    header[-8:] = struct.pack("<Q", n * dimension)
    with file.open("wb") as out:
        out.write(header)
        for block in blocks:
            out.write(np.ascontiguousarray(block, "<f4").data)


def nearest(vectors: Vectors, queries: Vectors, k: int) -> NDArray[np.int64]:
    """Rows of the k nearest vectors of each query, of shape (q, k), nearest first; exact.

    Some thousand vectors are in memory at a time. Of equally near ones the first come first.
    """
    rows = np.zeros((len(queries), 0), np.int64)
    scores = np.zeros((len(queries), 0), np.float32)
    for start in range(0, len(vectors), _EXACT_BLOCK):
        block = queries @ vectors[start : start + _EXACT_BLOCK].T
        numbers = np.broadcast_to(np.arange(start, start + block.shape[1]), block.shape)
        scores, rows = np.hstack([scores, block]), np.hstack([rows, numbers])
        best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        scores = np.take_along_axis(scores, best, axis=1)
        rows = np.take_along_axis(rows, best, axis=1)
    return rows


def recall(index: Any, shape: Shape, vectors: Vectors, queries: Vectors, k: int) -> float:
    """Share of the true k nearest that the index finds, mean over `queries`, shape (q, d)."""
    k = min(k, len(vectors))
    exact = nearest(vectors, queries, k)
    shares = []
    for query, best in zip(queries, exact, strict=True):
        rows = {row for row, _ in search(index, query, k, shape)}
        shares.append(len(rows & set(best.tolist())) / k)
    return float(np.mean(shares))


def save(index: Any, file: Path) -> None:
    """Write a FAISS index to a file."""
    _faiss().write_index(index, str(file))


def read(file: Path) -> Any:
    """The index of a file, memory-mapped. Raises OSError or ValueError when it is damaged."""
    faiss = _faiss()
    try:
        return faiss.read_index(str(file), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise ValueError(str(error).splitlines()[0]) from error


def _faiss() -> Any:
    import faiss

    return faiss


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """For this thread only. One means the same sums in the same order, and no fight over cores."""
    faiss = _faiss()
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(count)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
