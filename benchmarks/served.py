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

import random
import re
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import httpx
import psutil
from _models import ranked_documents
from _processes import cpu_seconds
from _report import report

from rerank_lab.pipeline.reranking import Stages

SPEC = "bm25 >> ms-marco-minilm-l12"
DOCUMENTS, CLIENTS, ROUNDS, CALLS = 20, 16, 2, 300
PLACES = 8
"""Requests that the server of the overload has room for: 4 in work, 4 that wait."""


@contextmanager
def serving(spec: str, *options: str) -> Iterator[tuple[str, psutil.Process]]:
    """The address of `rerank-lab serve` and its process."""
    command = [sys.executable, "-m", "rerank_lab", "serve", spec, "--port", "0", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = iter(process.stderr)
        address = next(match[0] for line in lines if (match := re.search(r"http://[^;\s]+", line)))
        threading.Thread(target=lambda: list(lines), daemon=True).start()
        try:
            yield address, psutil.Process(process.pid)
        finally:
            process.terminate()


class Answers:
    """What clients got: counts by status, and seconds of the answers."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.seconds: list[float] = []
        self.sent = 0
        self._lock = threading.Lock()

    def add(self, status: str, seconds: float) -> None:
        with self._lock:
            self.counts[status] += 1
            if status == "200":
                self.seconds.append(seconds)

    def ask(self, address: str, bodies: list[dict[str, Any]], first: int, end: float) -> None:
        """One client, until the time is over."""
        with httpx.Client(timeout=120) as client:
            number = first
            while time.monotonic() < end:
                with self._lock:
                    self.sent += 1
                begun = time.monotonic()
                try:
                    answer = client.post(f"{address}/v2/rerank", json=bodies[number % len(bodies)])
                    status = str(answer.status_code)
                except httpx.HTTPError as error:
                    status = type(error).__name__
                self.add(status, time.monotonic() - begun)
                if status == "429":
                    time.sleep(0.2)
                number += CLIENTS


def crowd(address: str, bodies: list[dict[str, Any]], clients: int, seconds: float) -> Answers:
    """Many clients at once."""
    answers, end = Answers(), time.monotonic() + seconds
    threads = [
        threading.Thread(target=answers.ask, args=(address, bodies, number, end))
        for number in range(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def bodies_of(query: str, texts: list[str]) -> list[dict[str, Any]]:
    chance = random.Random(5)
    return [{"query": query, "documents": chance.sample(texts, DOCUMENTS)} for _ in range(64)]


def throughput(bodies: list[dict[str, Any]], seconds: float) -> dict[str, Any]:
    """Of each number of requests in work: the rounds' answers together."""
    arms: dict[str, list[tuple[Answers, float, float]]] = {"16": [], "2": []}
    for _ in range(ROUNDS):
        for workers, rounds in arms.items():
            with serving(SPEC, "--workers", workers) as (address, process):
                crowd(address, bodies, 2, 1.0)
                before, begun = cpu_seconds(process), time.monotonic()
                answers = crowd(address, bodies, CLIENTS, seconds)
                took = time.monotonic() - begun
                rounds.append((answers, took, cpu_seconds(process) - before))
    return {f"{workers} in work": summary(rounds) for workers, rounds in arms.items()}


def summary(rounds: list[tuple[Answers, float, float]]) -> dict[str, Any]:
    seconds = sorted(one for answers, _, _ in rounds for one in answers.seconds)
    return {
        "requests_per_second": len(seconds) / sum(took for _, took, _ in rounds),
        "p50_s": statistics.median(seconds),
        "p95_s": seconds[int(0.95 * len(seconds))],
        "cpu_s_per_request": sum(cpu for _, _, cpu in rounds) / len(seconds),
        "answers": dict(sum((answers.counts for answers, _, _ in rounds), Counter())),
    }


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
        answers = crowd(address, bodies, 4 * PLACES, seconds)
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
