"""Recall and speed of HNSW and IVF indexes beside exact search.

    python benchmarks/ann_recall.py [vectors]

Seeded unit vectors of 384 dimensions in overlapping clusters, harder to search than most
embeddings of texts; queries are drawn the same way. One thread. Seconds throughout.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import Any

import numpy as np
from _report import report

from rerank_lab.core.context import Context
from rerank_lab.retrievers import ann
from rerank_lab.retrievers.ann import Shape

SEED = 20
DIMENSION = 384
TOPICS = 400
SPREAD = 2.0
QUERIES = 200
SHAPES = (
    Shape("flat"),
    Shape("hnsw", m=16, ef=128),
    Shape("hnsw"),
    Shape("hnsw", ef=1024),
    Shape("ivf", nprobe=8),
    Shape("ivf"),
    Shape("ivf", nprobe=128),
)


def clustered(n: int, rng: np.random.Generator, topics: ann.Vectors) -> ann.Vectors:
    noise = rng.normal(size=(n, DIMENSION)) / np.sqrt(DIMENSION)
    rows = (topics[rng.integers(len(topics), size=n)] + SPREAD * noise).astype(np.float32)
    unit: ann.Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def measure(shape: Shape, vectors: ann.Vectors, queries: ann.Vectors) -> dict[str, Any]:
    start = time.perf_counter()
    index = ann.build(vectors, shape, Context())
    build_s = time.perf_counter() - start
    taken = []
    for query in queries:
        start = time.perf_counter()
        ann.search(index, query, 100, shape)
        taken.append(time.perf_counter() - start)
    return {
        "kind": shape.kind,
        "m": shape.m if shape.kind == "hnsw" else None,
        "ef": shape.ef if shape.kind == "hnsw" else None,
        "nlist": shape.lists(len(vectors)) if shape.kind == "ivf" else None,
        "nprobe": shape.nprobe if shape.kind == "ivf" else None,
        "build_s": build_s,
        "query_median_s": statistics.median(taken),
        "recall@10": ann.recall(index, shape, vectors, queries, 10),
        "recall@100": ann.recall(index, shape, vectors, queries, 100),
    }


def main(n: int) -> None:
    rng = np.random.default_rng(SEED)
    topics = rng.normal(size=(TOPICS, DIMENSION)) / np.sqrt(DIMENSION)
    vectors, queries = clustered(n, rng, topics), clustered(QUERIES, rng, topics)
    rows = [measure(shape, vectors, queries) for shape in SHAPES]
    report("ann_recall", {"vectors": n, "dimension": DIMENSION, "indexes": rows})


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
