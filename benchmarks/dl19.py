"""ms-marco-minilm-l12 over the first 100 of BM25 on TREC DL 2019: nDCG@10, and the time it takes.

    RERANK_LAB_DATA=... python benchmarks/dl19.py

Expected: nDCG@10 of 0.715 or better (BM25 itself: 0.506; the full-precision model's published
figure, on another candidate list, is 0.743).
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from _report import report

from rerank_lab.core.context import Context
from rerank_lab.core.types import Document, Query
from rerank_lab.rerankers.local.cross_encoder import CrossEncoderReranker

DEPTH = 100


def main() -> None:
    data = Path(os.environ["RERANK_LAB_DATA"]) / "dl19"
    texts = {row["_id"]: row for row in _lines(data / "corpus.jsonl")}
    queries = {row["_id"]: Query(row["_id"], row["text"]) for row in _lines(data / "queries.jsonl")}
    run = _candidates(data / "run.bm25.trec")
    reranker, ctx, seconds = CrossEncoderReranker(), Context(), []
    reranker.load(ctx)
    reranked: dict[str, dict[str, float]] = {}
    for query_id, ids in run.items():
        docs = [Document(i, texts[i]["text"], texts[i].get("title", "")) for i in ids]
        start = time.perf_counter()
        ranking = reranker.rerank(queries[query_id], docs, ctx).ranking
        seconds.append(time.perf_counter() - start)
        reranked[query_id] = {hit.doc_id: float(hit.score or 0.0) for hit in ranking}
    first = {q: {d: -float(r) for r, d in enumerate(ids)} for q, ids in run.items()}
    seconds.sort()
    report(
        "dl19",
        {
            "model": reranker.model,
            "queries": len(run),
            "candidates": DEPTH,
            "ndcg@10": _ndcg(data / "qrels.tsv", reranked),
            "ndcg@10 of bm25": _ndcg(data / "qrels.tsv", first),
            "seconds": sum(seconds),
            "median_seconds_a_query": seconds[len(seconds) // 2],
        },
    )


def _ndcg(qrels: Path, run: dict[str, dict[str, float]]) -> float:
    import ir_measures

    judged: dict[str, dict[str, int]] = {}
    for line in qrels.read_text("utf-8").splitlines()[1:]:
        query_id, doc_id, grade = line.split("\t")
        judged.setdefault(query_id, {})[doc_id] = int(grade)
    measure = ir_measures.nDCG @ 10
    return float(ir_measures.calc_aggregate([measure], judged, run)[measure])


def _candidates(path: Path) -> dict[str, list[str]]:
    found: dict[str, list[tuple[int, str]]] = {}
    for line in path.read_text("utf-8").splitlines():
        query_id, _, doc_id, rank, _, _ = line.split()
        found.setdefault(query_id, []).append((int(rank), doc_id))
    return {q: [doc_id for _, doc_id in sorted(rows)[:DEPTH]] for q, rows in found.items()}


def _lines(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


if __name__ == "__main__":
    main()
