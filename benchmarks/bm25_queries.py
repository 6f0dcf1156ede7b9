"""What a BM25 query costs in processor time, by part, beside bm25s on numba over the same terms.

    python benchmarks/bm25_queries.py [documents]

A seeded synthetic collection (`_synthetic.py`), 200 queries of 3 to 8 words, 100 hits. Each query
is asked five times in this process and counts by the quickest, so that other work on the machine
changes little; medians and 95th percentiles over the queries, in milliseconds. The peer gets terms,
and gives numbers and scores; a search here also analyses the text, reads ids from the disk and
makes a ranking, which is `search`; `index` is what both do.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from _report import report
from _synthetic import queries, write_collection

QUERIES, K, TIMES = 200, 100, 5


def cost(asked: list[Any], ask: Callable[[Any], object]) -> dict[str, float]:
    quickest = []
    for query in asked:
        taken = []
        for _ in range(TIMES):
            start = time.process_time()
            ask(query)
            taken.append(time.process_time() - start)
        quickest.append(min(taken) * 1000)
    return {
        "cpu_p50_ms": statistics.median(quickest),
        "cpu_p95_ms": statistics.quantiles(quickest, n=20)[18],
    }


def documents_in(file: Path) -> Iterator[str]:
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)["text"]


def main(documents: int) -> None:
    import bm25s

    from rerank_lab.core.context import Context
    from rerank_lab.core.spec import parse
    from rerank_lab.core.types import Query
    from rerank_lab.corpora import import_corpus, load_corpus
    from rerank_lab.pipeline.engine import default_engine

    figures: dict[str, Any] = {"documents": documents, "k": K}
    with tempfile.TemporaryDirectory() as place:
        os.environ["RERANK_LAB_HOME"] = place
        file = Path(place) / "collection.jsonl"
        write_collection(file, documents)
        import_corpus(file, "large")
        retriever: Any = default_engine().retriever(parse("bm25").nodes[0])
        retriever.build(load_corpus("large"), Context(), Path(place) / "indexes")
        analyzer, index = retriever._analyzer, retriever._postings
        asked = queries(QUERIES, documents)
        terms = [analyzer.query_terms(text) for text in asked]
        ctx = Context()
        figures["search"] = cost(asked, lambda text: retriever.search(Query("q", text), K, ctx))
        figures["index"] = cost(terms, lambda words: index.search(words, K))
        peer = bm25s.BM25(method="lucene", k1=1.2, b=0.75, backend="numba")
        texts = documents_in(file)
        peer.index([analyzer.document_terms(text) for text in texts], show_progress=False)
        known = [[term for term in words if term in peer.vocab_dict] for words in terms]
        peer.retrieve([known[0]], k=K, show_progress=False)  # compiles
        figures["bm25s numba"] = cost(
            known, lambda words: peer.retrieve([words], k=K, show_progress=False)
        )
    report("bm25_queries", figures)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
