"""Whether a server that is asked all kinds of things for long keeps its memory.

python benchmarks/served_mixed.py [SECONDS]

Eight clients ask `rerank-lab serve "bm25 >> ms-marco-minilm-l12"` over a sample corpus, closed
loop: requests of 1 to 100 documents in every shape, searches, metrics, requests with an error,
connections that bring half a request, and clients that leave before their answer. By lot, with a
seed. Memory, open files and threads of the server are read 60 times.
"""

from __future__ import annotations

import os
import random
import socket
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import httpx
import psutil
from _models import ranked_documents
from _report import report
from _serving import serving

SPEC, CORPUS, CLIENTS, READINGS = "bm25 >> ms-marco-minilm-l12", "helpdesk", 8, 60
SIZES = (1, 2, 5, 10, 10, 20, 20, 100)
ERRORS: tuple[tuple[str, bytes, int], ...] = (
    ("/v2/rerank", b"{", 400),
    ("/v2/rerank", b'{"query": "a", "documents": []}', 422),
    ("/v1/rerank", b'{"query": "a", "documents": ["b"], "no_field": 1}', 422),
    ("/rerank", b'{"query": "a", "texts": [1]}', 422),
    ("/no/such/route", b"{}", 404),
    ("/v2/rerank", b'{"query": "a", "documents": ["' + b"x" * 8_100_000 + b'"]}', 413),
)


class Client:
    """One of the clients: asks by lot until the time is over."""

    def __init__(self, address: str, seed: int, counts: Counter[str]) -> None:
        self._address, self._counts = address, counts
        self._chance = random.Random(seed)
        self._query, self._texts = ranked_documents()
        self._http = httpx.Client(timeout=120)
        self._kinds: list[tuple[Callable[[], str], int]] = [
            (self._rerank, 10),
            (self._search, 4),
            (self._metrics, 1),
            (self._error, 3),
            (self._leave, 2),
            (self._half, 1),
        ]

    def ask_until(self, end: float) -> None:
        kinds, weights = zip(*self._kinds, strict=True)
        while time.monotonic() < end:
            (kind,) = self._chance.choices(kinds, weights)
            name = kind.__name__.strip("_")
            try:
                outcome = kind()
            except (httpx.HTTPError, OSError) as error:
                outcome = type(error).__name__
            self._counts[f"{name} {outcome}"] += 1

    def _body(self) -> tuple[str, dict[str, Any]]:
        texts = self._chance.sample(self._texts, self._chance.choice(SIZES))
        path = self._chance.choice(["/v2/rerank", "/v1/rerank", "/rerank", "/infinity/rerank"])
        if path == "/rerank" and self._chance.random() < 0.5:
            return path, {"query": self._query, "texts": texts, "return_text": True}
        return path, {"query": self._query, "documents": texts, "return_documents": True}

    def _rerank(self) -> str:
        path, body = self._body()
        return str(self._http.post(self._address + path, json=body).status_code)

    def _search(self) -> str:
        words = " ".join(self._chance.sample(self._query.split(), 3))
        body = {"query": words, "return_documents": True}
        return str(self._http.post(f"{self._address}/v1/search", json=body).status_code)

    def _metrics(self) -> str:
        return str(self._http.get(f"{self._address}/metrics").status_code)

    def _error(self) -> str:
        path, body, expected = self._chance.choice(ERRORS)
        headers = {"content-type": "application/json"}
        status = self._http.post(self._address + path, content=body, headers=headers).status_code
        return "as expected" if status == expected else f"{status} for {expected}"

    def _leave(self) -> str:
        path, body = self._body()
        try:
            httpx.post(self._address + path, json=body, timeout=self._chance.uniform(0.05, 0.5))
        except httpx.TimeoutException:
            return "left"
        return "was answered first"

    def _half(self) -> str:
        url = httpx.URL(self._address)
        with socket.create_connection((url.host, url.port), timeout=5) as connection:
            connection.sendall(b"POST /v2/rerank HTTP/1.1\r\nhost: localhost\r\n")
            time.sleep(0.1)
        return "left"


def main() -> None:
    """Measure and print."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 600.0
    counts: Counter[str] = Counter()
    with serving(SPEC, "--corpus", CORPUS) as (address, process):
        end = time.monotonic() + seconds
        threads = [
            threading.Thread(target=Client(address, seed, counts).ask_until, args=(end,))
            for seed in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        readings: list[tuple[float, int, int]] = []
        for _ in range(READINGS):
            time.sleep(seconds / READINGS)
            memory = process.memory_info().rss / 1e6
            readings.append((memory, process.num_fds(), process.num_threads()))
        for thread in threads:
            thread.join()
        alive = process.status() != psutil.STATUS_ZOMBIE
    memory = [reading[0] for reading in readings]
    tenth = READINGS // 10
    figures = {
        "seconds": seconds,
        "server_alive": alive,
        "rss_mb": [round(each) for each in memory],
        "rss_mb_median_of_third_tenth": statistics.median(memory[2 * tenth : 3 * tenth]),
        "rss_mb_median_of_last_tenth": statistics.median(memory[-tenth:]),
        "open_files": [reading[1] for reading in readings][::tenth],
        "threads": [reading[2] for reading in readings][::tenth],
        "outcomes": dict(sorted(counts.items())),
        "load_average": os.getloadavg(),
    }
    report("served_mixed", figures)


if __name__ == "__main__":
    main()
