"""BM25 over 100,000 documents: index time, memory, and query time beside rank-bm25 and bm25s.

    python benchmarks/bm25_scale.py [documents] [--without-numba]

A seeded synthetic corpus whose words follow Zipf's law, 60 to 130 words a document; queries of 3 to
8 words drawn from documents. Every engine answers the same queries over the same terms, in turns.
Seconds and bytes throughout. With `--without-numba`, bm25s finds neither numba nor scipy, as where
only what it requires is installed.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from _report import report

from rerank_lab.core.context import Context
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora.analysis import Analyzer
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.retrievers.bm25 import BM25

SEED = 20
QUERIES = 60
REFERENCE_QUERIES = 12
K = 100
MB = 1_000_000
BLOCKED = ("numba", "scipy") if "--without-numba" in sys.argv else ()
for _package in BLOCKED:
    sys.modules[_package] = None  # type: ignore[assignment]


def words(size: int, rng: np.random.Generator) -> list[str]:
    """Distinct invented words of 2 to 5 syllables, so that the stemmer has real work."""
    consonants, vowels = np.array(list("bcdfghklmnprstvz")), np.array(list("aeiou"))
    made: dict[str, None] = {}
    while len(made) < size:
        syllables = rng.integers(2, 6)
        pairs = zip(rng.choice(consonants, syllables), rng.choice(vowels, syllables), strict=True)
        made["".join(c + v for c, v in pairs)] = None
    return list(made)


def synthetic(documents: int) -> tuple[Corpus, list[Query]]:
    rng = np.random.default_rng(SEED)
    vocabulary = np.array(words(60_000, rng))
    chances = 1 / np.arange(2, len(vocabulary) + 2)
    chances /= chances.sum()
    lengths = rng.integers(60, 131, documents)
    drawn = vocabulary[rng.choice(len(vocabulary), int(lengths.sum()), p=chances)]
    texts = [" ".join(part) for part in np.split(drawn, np.cumsum(lengths)[:-1])]
    corpus = Corpus("zipf", tuple(Document(f"d{i:07}", text) for i, text in enumerate(texts)))
    queries = []
    for number in range(QUERIES):
        source = texts[int(rng.integers(documents))].split()
        asked = rng.choice(source, int(rng.integers(3, 9)), replace=False)
        queries.append(Query(f"q{number}", " ".join(asked)))
    return corpus, queries


def seconds(search: Callable[[], Any]) -> float:
    start = time.perf_counter()
    search()
    return time.perf_counter() - start


def main(documents: int) -> None:
    process = psutil.Process()
    corpus, queries = synthetic(documents)
    before = process.memory_info().rss
    ctx = Context()
    figures: dict[str, Any] = {"documents": documents, "k": K}
    with tempfile.TemporaryDirectory() as folder:
        ours = BM25(k=K)
        computed = time.process_time()
        figures["index_build_s"] = seconds(lambda: ours.build(corpus, ctx, Path(folder)))
        figures["index_build_cpu_s"] = time.process_time() - computed
        figures["process_rss_mb"] = process.memory_info().rss / MB
        figures["process_rss_without_index_mb"] = before / MB
        opened = BM25(k=K)
        figures["index_open_s"] = seconds(lambda: opened.build(corpus, ctx, Path(folder)))
        files = [path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()]
        figures["index_on_disk_mb"] = sum(files) / MB
        figures |= compare(opened, corpus, queries)
    report("bm25_scale", figures)


def compare(ours: BM25, corpus: Corpus, queries: list[Query]) -> dict[str, Any]:
    """Median seconds a query, engines taking turns query by query."""
    analyzer = Analyzer("english")
    terms = [analyzer.document_terms(document.content) for document in corpus.documents]
    engines = reference_engines(terms)
    times: dict[str, list[float]] = {name: [] for name in ["ours", *engines]}
    agreed = []
    for number, query in enumerate(queries):
        times["ours"].append(seconds(lambda q=query: ours.search(q, K, Context())))
        asked = analyzer.query_terms(query.text)
        for name, search in engines.items():
            if name != "rank_bm25" or number < REFERENCE_QUERIES:
                times[name].append(seconds(lambda s=search, a=asked: s(a)))
        found = ours.search(query, K, Context()).ranking
        _, scores = engines["bm25s_numpy"](asked)
        mine = [hit.score or 0.0 for hit in found]
        agreed.append(float(np.abs(np.array(mine) - scores[0][: len(mine)]).max(initial=0.0)))
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    p95 = float(np.quantile(times["ours"], 0.95))
    return {
        "query_median_s": medians["ours"],
        "query_p95_s": p95,
        "reference_query_median_s": {n: s for n, s in medians.items() if n != "ours"},
        "times_faster_than": {n: s / medians["ours"] for n, s in medians.items() if n != "ours"},
        "largest_score_difference_to_bm25s": max(agreed),
    }


def reference_engines(terms: list[list[str]]) -> dict[str, Callable[[list[str]], Any]]:
    start = time.perf_counter()
    import bm25s

    print(f"import bm25s: {time.perf_counter() - start:.2f} s", file=sys.stderr)
    import rank_bm25

    engines: dict[str, Callable[[list[str]], Any]] = {}
    for backend in ("numpy", "numba") if "numba" not in BLOCKED else ("numpy",):
        made = bm25s.BM25(method="lucene", k1=1.2, b=0.75, backend=backend)
        start = time.perf_counter()
        made.index(terms, show_progress=False)
        print(f"bm25s {backend} index: {time.perf_counter() - start:.1f} s", file=sys.stderr)

        def search(asked: list[str], made: Any = made) -> Any:
            known = [[term for term in asked if term in made.vocab_dict]]
            return made.retrieve(known, k=K, show_progress=False)

        first = seconds(lambda search=search: search(terms[0][:3]))  # compiles, for numba
        print(f"bm25s {backend} first query: {first:.3f} s", file=sys.stderr)
        engines[f"bm25s_{backend}"] = search
    okapi = rank_bm25.BM25Okapi(terms)
    engines["rank_bm25"] = lambda asked: np.argsort(okapi.get_scores(asked))[::-1][:K]
    return engines


if __name__ == "__main__":
    main(int(next((a for a in sys.argv[1:] if a.isdecimal()), 100_000)))
