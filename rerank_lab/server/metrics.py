"""Counts and times of requests, as text in Prometheus' format (version 0.0.4)."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping

from rerank_lab.core.spend import SpendMeter
from rerank_lab.server.queue import QueueTimes

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class ServerMetrics:
    """What happened since the start. Only the event loop writes, so nothing is locked."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, int]] = Counter()
        self._buckets: defaultdict[str, list[int]] = defaultdict(lambda: [0] * (len(_BOUNDS) + 1))
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._documents = 0
        self._parts = {"queue": 0.0, "tokenise": 0.0, "compute": 0.0}

    def add(self, route: str, status: int, seconds: float, documents: int) -> None:
        """Count one request; `route` is a path of the API, never what a client wrote."""
        self._requests[route, status] += 1
        self._buckets[route][bisect_left(_BOUNDS, seconds)] += 1
        self._seconds[route] += seconds
        self._documents += documents

    def requests(self, routes: Collection[str], failed: bool = False) -> int:
        """Requests of these routes since the start; with `failed` those without an answer only."""
        return sum(
            count
            for (route, status), count in self._requests.copy().items()
            if route in routes and (status >= 400 or not failed)
        )

    def add_times(self, times: QueueTimes) -> None:
        """Add where the time of one request went."""
        self._parts["queue"] += times.queue_s
        self._parts["tokenise"] += times.tokenise_s
        self._parts["compute"] += times.compute_s

    def text(self, gauges: Mapping[tuple[str, str], int], spend: SpendMeter) -> str:
        """All metrics.

        Args:
            gauges: What is now, by name and description.
            spend: What providers billed.
        """
        lines = (*self._lines(), *_gauge_lines(gauges), *_spend_lines(spend))
        return "".join(f"{line}\n" for line in lines)

    def _lines(self) -> Iterator[str]:
        name = "rerank_lab_requests_total"
        yield from _head(name, "counter", "Requests by route and status.")
        for (route, status), count in sorted(self._requests.items()):
            yield f'{name}{{route="{route}",status="{status}"}} {count}'
        name = "rerank_lab_request_seconds"
        yield from _head(name, "histogram", "From the arrival of a request to its answer.")
        for route, counts in sorted(self._buckets.items()):
            total = 0
            for bound, count in zip((*map(str, _BOUNDS), "+Inf"), counts, strict=True):
                total += count
                yield f'{name}_bucket{{route="{route}",le="{bound}"}} {total}'
            yield f'{name}_sum{{route="{route}"}} {self._seconds[route]:.6f}'
            yield f'{name}_count{{route="{route}"}} {total}'
        name = "rerank_lab_part_seconds_total"
        words = "Where the time of requests went, each by its own clock; batches are shared."
        yield from _head(name, "counter", words)
        for part, seconds in self._parts.items():
            yield f'{name}{{part="{part}"}} {seconds:.6f}'
        yield from _head("rerank_lab_documents_total", "counter", "Documents reranked.")
        yield f"rerank_lab_documents_total {self._documents}"


def _gauge_lines(gauges: Mapping[tuple[str, str], int]) -> Iterator[str]:
    for (name, words), value in gauges.items():
        yield from _head(name, "gauge", words)
        yield f"{name} {value}"


def _spend_lines(spend: SpendMeter) -> Iterator[str]:
    name = "rerank_lab_spend_usd_total"
    yield from _head(name, "counter", "Billed by providers, by the prices of the catalogue.")
    yield f"{name} {spend.spent:.6f}"
    if spend.limit is not None:
        name = "rerank_lab_spend_limit_usd"
        yield from _head(name, "gauge", "What may be billed in all.")
        yield f"{name} {spend.limit:.6f}"


def _head(name: str, kind: str, words: str) -> tuple[str, str]:
    return f"# HELP {name} {words}", f"# TYPE {name} {kind}"
