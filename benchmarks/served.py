"""What a served pipeline carries: throughput and latency, what the API adds, and overload.

python benchmarks/served.py [SECONDS]

Clients send their next request when they have the answer to the last (closed loop; for open-loop
figures see `rerank-lab load --address`). Arms take turns, two rounds each, on servers of their own:

- 16 clients with 20 documents each, `ms-marco-minilm-l12`, with 16 and with 2 requests in work;
- the API over the pipeline itself: one client, a pipeline that takes next to no time (`overlap`),
  each request in turn with the same call in Python;
- four times as many clients as a server has room for: which answers they get.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import httpx
from _models import ranked_documents
from _processes import cpu_seconds
from _report import report
from _serving import CLIENTS, DOCUMENTS, Round, bodies_of, crowd, serving, summary

from rerank_lab.pipeline.reranking import Stages

SPEC = "bm25 >> ms-marco-minilm-l12"
ROUNDS, CALLS = 2, 300
PLACES = 8
"""Requests that the server of the overload has room for: 4 in work, 4 that wait."""


def throughput(bodies: list[dict[str, Any]], seconds: float) -> dict[str, Any]:
    """Of each number of requests in work: the rounds' answers together."""
    arms: dict[str, list[Round]] = {"16": [], "2": []}
    for _ in range(ROUNDS):
        for workers, rounds in arms.items():
            with serving(SPEC, "--workers", workers) as (address, process):
                url = f"{address}/v2/rerank"
                crowd(url, bodies, 2, 1.0)
                before, begun = cpu_seconds(process), time.monotonic()
                answers = crowd(url, bodies, CLIENTS, seconds)
                took = time.monotonic() - begun
                rounds.append(Round(answers, took, cpu_seconds(process) - before))
    return {f"{workers} in work": summary(rounds) for workers, rounds in arms.items()}


def overhead(bodies: list[dict[str, Any]]) -> dict[str, float]:
    """Milliseconds of the API and of Python for the same calls, in turns."""
    stages = Stages("overlap")
    served: list[float] = []
    direct: list[float] = []
    with serving("bm25 >> overlap") as (address, _), httpx.Client() as client:
        for number in range(CALLS):
            body = bodies[number % len(bodies)]
            begun = time.perf_counter()
            client.post(f"{address}/v2/rerank", json=body).raise_for_status()
            middle = time.perf_counter()
            stages.rerank(body["query"], body["documents"])
            served.append(1000 * (middle - begun))
            direct.append(1000 * (time.perf_counter() - middle))
    differences = [one - other for one, other in zip(served, direct, strict=True)]
    return {
        "served_p50_ms": statistics.median(served),
        "python_p50_ms": statistics.median(direct),
        "added_p50_ms": statistics.median(differences),
    }


def overload(bodies: list[dict[str, Any]], seconds: float) -> dict[str, Any]:
    """Four times as many clients as there is room for."""
    half = str(PLACES // 2)
    with serving(SPEC, "--workers", half, "--queue", half) as (address, _):
        answers = crowd(f"{address}/v2/rerank", bodies, 4 * PLACES, seconds)
    return {
        "clients": 4 * PLACES,
        "places": PLACES,
        "sent": answers.sent,
        "answers": dict(answers.counts),
    }


def main() -> None:
    """Measure and print."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 15.0
    query, texts = ranked_documents()
    bodies = bodies_of(query, texts)
    report(
        "served",
        {
            "documents": DOCUMENTS,
            "clients": CLIENTS,
            **throughput(bodies, seconds),
            "api": overhead(bodies),
            "overload": overload(bodies, seconds),
        },
    )


if __name__ == "__main__":
    main()
