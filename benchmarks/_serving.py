"""What benchmarks of servers share: a server as a process, clients that ask it, the sums."""

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
from typing import Any, NamedTuple

import httpx
import psutil

DOCUMENTS, CLIENTS = 20, 16
BODIES = 64


@contextmanager
def serving(spec: str, *options: str) -> Iterator[tuple[str, psutil.Process]]:
    """The address of `rerank-lab serve` and its process."""
    command = [sys.executable, "-m", "rerank_lab", "serve", spec, "--port", "0", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = iter(process.stderr)
        address = next(match[1] for line in lines if (match := re.search(r" at (http:\S+);", line)))
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

    def ask(self, url: str, bodies: list[dict[str, Any]], first: int, end: float) -> None:
        """One client, until the time is over."""
        with httpx.Client(timeout=600) as client:
            number = first
            while time.monotonic() < end:
                with self._lock:
                    self.sent += 1
                begun = time.monotonic()
                try:
                    answer = client.post(url, json=bodies[number % len(bodies)])
                    status = str(answer.status_code)
                except httpx.HTTPError as error:
                    status = type(error).__name__
                self.add(status, time.monotonic() - begun)
                if status == "429":
                    time.sleep(0.2)
                number += CLIENTS


def crowd(url: str, bodies: list[dict[str, Any]], clients: int, seconds: float) -> Answers:
    """Many clients at once, each with its next request when it has the answer to the last."""
    answers, end = Answers(), time.monotonic() + seconds
    threads = [
        threading.Thread(target=answers.ask, args=(url, bodies, number, end))
        for number in range(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def bodies_of(query: str, texts: list[str]) -> list[dict[str, Any]]:
    """Requests for 20 documents drawn by lot, the same ones each time."""
    chance = random.Random(5)
    return [
        {"model": "any", "query": query, "documents": chance.sample(texts, DOCUMENTS)}
        for _ in range(BODIES)
    ]


class Round(NamedTuple):
    """One server's round: its answers, seconds, and processor time."""

    answers: Answers
    seconds: float
    cpu_s: float


def summary(rounds: list[Round]) -> dict[str, Any]:
    """The rounds' answers together."""
    seconds = sorted(one for each in rounds for one in each.answers.seconds)
    return {
        "requests_per_second": len(seconds) / sum(each.seconds for each in rounds),
        "p50_s": statistics.median(seconds),
        "p95_s": seconds[int(0.95 * len(seconds))],
        "cpu_s_per_request": sum(each.cpu_s for each in rounds) / len(seconds),
        "answers": dict(sum((each.answers.counts for each in rounds), Counter())),
    }
