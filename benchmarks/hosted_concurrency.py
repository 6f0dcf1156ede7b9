"""Hosted calls side by side: queries through a server that takes 50 ms, with 1 and 16 workers.

    python benchmarks/hosted_concurrency.py [queries] [providers...]

The server is a process of its own, as a provider is. Every query is a job of the network lane; the
rankings must be the same whatever the number of workers.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

from rerank_lab.context import Context
from rerank_lab.jobs import JobTable
from rerank_lab.registry import load
from rerank_lab.types import Document, Query, Ranking
from rerank_lab.wire.providers import providers

sys.path.insert(0, os.path.dirname(__file__))
from _report import report

DELAY_S, DOCUMENTS, WORKERS = 0.05, 20, (1, 16)
SERVER = """
import sys, time
from rerank_lab.testing_servers import FakeProvider, Switch
server = FakeProvider(sys.argv[1])
server.always = Switch(delay_s=float(sys.argv[2]))
with server:
    print(server.url, flush=True)
    sys.stdin.read()
"""


def main(queries: int, names: list[str]) -> None:
    os.environ["RERANK_LAB_ALLOW_PRIVATE_URLS"] = "1"
    report("hosted_concurrency", {name: measured(name, queries) for name in names})


def measured(name: str, queries: int) -> dict[str, object]:
    """Seconds with each number of workers, and whether the rankings agree."""
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, name, str(DELAY_S)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stdout is not None
    assert server.stdin is not None
    try:
        url = server.stdout.readline().strip()
        through(name, url, 32, 16)  # connections and imports
        runs = {workers: through(name, url, queries, workers) for workers in WORKERS}
    finally:
        server.stdin.close()
        server.wait(5)
    (one_s, one), (many_s, many) = runs[1], runs[16]
    return {
        "queries": queries,
        "server_delay_s": DELAY_S,
        "seconds": {str(workers): seconds for workers, (seconds, _) in runs.items()},
        "queries_per_s": {str(workers): queries / s for workers, (s, _) in runs.items()},
        "times_faster_16_than_1": one_s / many_s,
        "identical": one == many,
    }


def through(name: str, url: str, queries: int, workers: int) -> tuple[float, list[Ranking]]:
    """Wall seconds of all queries, each a job, and their rankings."""
    table = JobTable({"network": workers})
    reranker = load("reranker", name)(base_url=url, requests_per_minute=1_000_000)
    docs = [Document(f"d{i}", f"word{i % 7} word{i % 11} text {i}") for i in range(DOCUMENTS)]
    secrets = {provider.key: "test-key" for provider in providers().values()}
    ctx = Context(secrets=secrets | {"AWS_ACCESS_KEY_ID": "test-key"})
    asked = [Query(f"q{i}", f"word{i % 7} text {i}") for i in range(queries)]
    start = time.perf_counter()
    jobs = [
        table.submit(
            query.id,
            lambda ctx, query=query: reranker.rerank(query, docs, ctx),  # type: ignore[misc]
            lane="network",
            ctx=ctx,
            detached=True,
        )
        for query in asked
    ]
    rankings = [job.wait(120).ranking for job in jobs]
    return time.perf_counter() - start, rankings


if __name__ == "__main__":
    chosen = sys.argv[2:] or ["voyage", "cohere"]
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 240, chosen)
