"""Hosted and LLM calls side by side: queries through a server that takes 50 ms, 1 and 16 workers.

    python benchmarks/hosted_concurrency.py [queries] [cases...]

The server is a process of its own, as a provider is, and answers 50 ms after a request has come.
Every query is a job of the network lane; the rankings must be the same whatever the number of
workers. CPU seconds a call tell how much of a gap is this machine's: sixteen workers leave 3.1 ms
of one core for a call before the server's 50 ms stop being what is waited for.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field

from rerank_lab.core.context import Context
from rerank_lab.core.spec import Literal, Node
from rerank_lab.core.types import Document, Query
from rerank_lab.jobs.table import JobTable
from rerank_lab.pipeline.engine import Engine
from rerank_lab.remote.providers import providers
from rerank_lab.rerankers.base import Reranked, Reranker

sys.path.insert(0, os.path.dirname(__file__))
from _report import report

DELAY_S, WORKERS, WORDS = 0.05, (1, 16), "lorem ipsum dolor sit amet " * 20
SERVER = """
import sys, time
from rerank_lab.testing.chat_server import FakeChat, sorter
from rerank_lab.testing.provider_servers import FakeProvider, Switch, overlap
chat = sys.argv[1] == "chat"
server = FakeChat(sorter(overlap)) if chat else FakeProvider(sys.argv[1])
server.always = Switch(delay_s=float(sys.argv[2]))
with server:
    print(server.url, flush=True)
    for line in sys.stdin:
        print(time.process_time(), flush=True)
"""


@dataclass(frozen=True)
class Case:
    """A reranker over so many documents a query, and the share of the queries that it is given."""

    name: str
    documents: int = 20
    share: float = 1.0
    options: dict[str, Literal] = field(default_factory=dict)


CASES = {
    "voyage": Case("voyage"),
    "cohere": Case("cohere"),
    "listwise": Case("listwise"),
    "listwise, 3 windows": Case("listwise", 40, 1 / 3),
    "listwise, one turn": Case("listwise", options={"form": "rankllm"}),
    "pointwise-llm": Case("pointwise-llm", 4, 1 / 4, {"concurrency": 1}),
}


def main(queries: int, names: list[str]) -> None:
    """Measure these cases and write the report."""
    os.environ["RERANK_LAB_ALLOW_PRIVATE_URLS"] = "1"
    results = {name: measured(CASES[name], queries) for name in names}
    report("hosted_concurrency", {**results, "load_average": os.getloadavg()[0]})


def measured(case: Case, queries: int) -> dict[str, object]:
    """Seconds with each number of workers, CPU a call, and whether the rankings agree."""
    kind = case.name if case.name in providers() else "chat"
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, kind, str(DELAY_S)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stdout is not None
    assert server.stdin is not None

    def cpu() -> tuple[float, float]:
        print(file=server.stdin, flush=True)
        return time.process_time(), float(server.stdout.readline())  # type: ignore[union-attr]

    asked = 16 * max(1, round(queries * case.share / 16))  # full rounds for sixteen workers
    try:
        reranker = reranker_of(case, server.stdout.readline().strip())
        through(case, reranker, 32, 16)  # connections and imports
        runs: dict[int, tuple[float, list[Reranked]]] = {}
        spent: dict[int, list[float]] = {}
        for workers in WORKERS:
            before = cpu()
            runs[workers] = through(case, reranker, asked, workers)
            spent[workers] = [after - b for after, b in zip(cpu(), before, strict=True)]
    finally:
        server.stdin.close()
        server.wait(5)
    (one_s, one), (many_s, many) = runs[1], runs[16]
    calls = sum(done.trace.calls for done in many)
    return {
        "calls": calls,
        "server_delay_s": DELAY_S,
        "seconds": {str(workers): seconds for workers, (seconds, _) in runs.items()},
        "calls_per_s": {str(workers): calls / s for workers, (s, _) in runs.items()},
        "times_faster_16_than_1": one_s / many_s,
        "client_cpu_ms_a_call": {str(w): 1000 * s[0] / calls for w, s in spent.items()},
        "server_cpu_ms_a_call": {str(w): 1000 * s[1] / calls for w, s in spent.items()},
        "identical": [done.ranking for done in one] == [done.ranking for done in many],
    }


def reranker_of(case: Case, url: str) -> Reranker:
    """The reranker of a case, pointed to a server."""
    options = {"base_url": url, "requests_per_minute": 1_000_000, **case.options}
    return Engine().reranker(Node(case.name, tuple(options.items())))


def through(
    case: Case, reranker: Reranker, queries: int, workers: int
) -> tuple[float, list[Reranked]]:
    """Wall seconds of all queries, each a job, and what came of them."""
    table = JobTable({"network": workers})
    docs = [
        Document(f"d{i}", f"word{i % 7} word{i % 11} text {i} {WORDS}")
        for i in range(case.documents)
    ]
    secrets = {provider.key: "test-key" for provider in providers().values()}
    more = {"AWS_ACCESS_KEY_ID": "test-key", "OPENAI_API_KEY": "test-key"}
    ctx = Context(secrets=secrets | more)
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
    done = [job.wait(120) for job in jobs]
    return time.perf_counter() - start, done


if __name__ == "__main__":
    chosen = sys.argv[2:] or list(CASES)
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 240, chosen)
