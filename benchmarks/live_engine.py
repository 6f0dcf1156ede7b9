"""What a live engine adds to the engine's own time: PostgreSQL asked by its driver, and by us.

python benchmarks/live_engine.py

A real PostgreSQL with 20,000 documents, prepared words and a GIN index. Three arms take turns on
every query: the driver alone (the same statement on an open connection, all rows read), the first
stage (`Retriever.search`: bounded call, documents, ranking), and the pipeline `live` on a live
corpus, nothing reused. Printed are the medians, and of the differences the median and the 95th
percentile; the machine may be busy, so differences are taken within a query.
"""

from __future__ import annotations

import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import psycopg
from _report import report

from rerank_lab.core.context import Context
from rerank_lab.core.types import Query
from rerank_lab.corpora import load_corpus
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.retrievers.engines.postgres import Postgres
from rerank_lab.retrievers.engines.templates import sql_statement
from rerank_lab.testing.postgres_server import PostgresServer

DSN = "RERANK_LAB_ENGINE_BENCHMARK"
DOCUMENTS, QUERIES, DEPTH, WARM = 20_000, 220, 100, 20
Arm = Callable[[str], int]


def fill(dsn: str) -> list[str]:
    """The documents of a sample with words mixed anew; gives queries of three words."""
    chance = random.Random(7)
    words = [word for one in load_corpus("helpdesk").documents for word in one.text.split()]
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE articles (id bigint PRIMARY KEY, title text, body text)")
        with connection.cursor().copy("COPY articles FROM STDIN") as copy:
            for number in range(DOCUMENTS):
                text = " ".join(chance.choices(words, k=80))
                copy.write_row((number, f"Article {number}", text))
        connection.execute(
            "ALTER TABLE articles ADD words tsvector GENERATED ALWAYS AS "
            "(to_tsvector('english', title || ' ' || body)) STORED"
        )
        connection.execute("CREATE INDEX ON articles USING gin (words)")
        connection.execute("ANALYZE articles")
    rare = [word.lower() for word in words if len(word) > 6 and word.isalpha()]
    return [" ".join(chance.sample(rare, 3)) for _ in range(QUERIES)]


def main() -> None:
    with PostgresServer(vector=True) as server:
        os.environ[DSN] = server.address()
        queries = fill(server.address())
        options = {"table": "articles", "title": "title", "text": "body", "tsvector": "words"}
        engine = Postgres(dsn_env=DSN, k=DEPTH, **options)
        listed = ",".join(f'{key}="{value}"' for key, value in options.items())
        corpus = load_corpus(f'postgres(dsn_env="{DSN}",{listed})')
        engine.build(corpus, Context())
        pipeline, lab = Pipeline(f"live(k={DEPTH})"), Engine()
        statement = sql_statement(engine.statement(), ("query", "k", "vector")).encode()
        with psycopg.connect(server.address(), autocommit=True, prepare_threshold=None) as own:

            def driver(text: str) -> int:
                return len(own.execute(statement, {"query": text, "k": DEPTH}).fetchall())

            def stage(text: str) -> int:
                return len(engine.search(Query.of(text), DEPTH, Context()).ranking)

            def whole(text: str) -> int:
                ranking = pipeline.run(text, corpus, Context(), lab).ranking
                return 0 if ranking is None else len(ranking)

            arms = {"driver alone": driver, "first stage": stage, "pipeline live": whole}
            measure(arms, queries)


def measure(arms: dict[str, Arm], queries: list[str]) -> None:
    """Every arm on every query, the order of the arms changing; the first ones warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in arms}
    hits: dict[str, int] = dict.fromkeys(arms, 0)
    names = list(arms)
    for number, text in enumerate(queries):
        for name in names[number % 3 :] + names[: number % 3]:
            start = time.perf_counter()
            hits[name] += arms[name](text)
            seconds[name].append(time.perf_counter() - start)
    assert len(set(hits.values())) == 1, hits
    base = seconds["driver alone"][WARM:]
    figures: dict[str, object] = {
        "documents": DOCUMENTS,
        "queries": len(base),
        "depth": DEPTH,
        "hits_a_query": hits["driver alone"] / len(queries),
    }
    for name, values in seconds.items():
        own = values[WARM:]
        added = sorted(1000 * (a - b) for a, b in zip(own, base, strict=True))
        figures[name] = {
            "median_ms": 1000 * statistics.median(own),
            "adds_median_ms": statistics.median(added),
            "adds_p95_ms": added[int(0.95 * len(added))],
        }
    report("live_engine", figures)


if __name__ == "__main__":
    main()
