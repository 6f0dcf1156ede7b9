"""What several processes spend and send together: one of them counts for all.

Whoever works asks before each request that may cost or is limited. A worker that ends with a
request on its way is taken to have been billed for it, as a request is that timed out.
"""

from __future__ import annotations

import os
import threading
import time
from collections import defaultdict
from typing import Any, Protocol

from rerank_lab.core.context import Progress
from rerank_lab.core.errors import LabError
from rerank_lab.core.spend import CostEstimate, SpendMeter
from rerank_lab.remote.limits import LimiterName, SentByName, SentCounter, SentRequests

PLACES = 16
"""Requests that a worker may be granted at a time, where a rate limit is far away."""
GRANT_S = 0.25
"""So long places may be used that were granted."""

NOTE_S = 1.0
"""So often, at most, a worker notes how far it is."""


class LedgerLink(Protocol):
    """Calls methods of the ledger by their names, wherever that is."""

    def ask(self, method: str, *values: Any) -> Any:
        """What the method returns; raises the LabError that it returned."""
        ...

    def tell(self, method: str, *values: Any) -> None:
        """The same without waiting for it."""
        ...


class Ledger:
    """The meter and the rate limits of one job. Methods return errors, to cross processes.

    Args:
        limit: what may be spent yet; None for no limit.
        currency: of the limit.
    """

    def __init__(self, limit: float | None, currency: str) -> None:
        self._meter = SpendMeter(limit, currency)
        self._reserved: defaultdict[int, float] = defaultdict(float)
        self._ended: set[int] = set()
        self._sent: dict[LimiterName, SentRequests] = {}
        self._salt = os.urandom(16)
        self._progress: Progress | None = None

    def salt(self) -> bytes:
        """Of the digests of keys."""
        return self._salt

    def reserve(self, worker: int, estimate: CostEstimate, what: str) -> float | LabError:
        """As `SpendMeter.reserve`, for a worker."""
        try:
            amount = self._meter.reserve(estimate, what)
        except LabError as error:
            return error
        self._reserved[worker] += amount
        return amount

    def settle(self, worker: int, reserved: float, billed: float) -> None:
        """As `SpendMeter.settle`, for a worker; nothing is heard of one that has ended."""
        if worker in self._ended:
            return
        self._reserved[worker] -= reserved
        self._meter.settle(reserved, billed)

    def ended(self, worker: int) -> None:
        """A worker ended: what it had reserved may have been billed."""
        self._ended.add(worker)
        reserved = self._reserved.pop(worker, 0.0)
        if reserved > 0:
            self._meter.settle(reserved, reserved)

    def note(self, progress: Progress) -> None:
        """How far a worker is with a task that takes long."""
        self._progress = progress

    def news(self) -> tuple[float, Progress | None]:
        """What was billed so far, and what was noted since it was asked last."""
        progress, self._progress = self._progress, None
        return self._meter.spent, progress

    def place(
        self, name: LimiterName, requests: int, tokens_limit: int, window_s: float, tokens: int
    ) -> tuple[float, int]:
        """As `SentCounter.place`, for the counter of a name; and how many more places there are.

        While no more than half of a window is taken, `PLACES` are granted in all. They are used
        within `GRANT_S`, so a window is taken to be longer by that.
        """
        counter = self._sent.setdefault(name, SentRequests())
        wait = counter.place(requests, tokens_limit, window_s + GRANT_S, tokens)
        if wait > 0 or tokens_limit or 0 < requests < 2 * (len(counter.requests) + PLACES):
            return wait, 0
        for _ in range(PLACES - 1 if requests else 0):
            counter.place(requests, 0, window_s + GRANT_S, 0)
        return wait, PLACES - 1

    def hold(self, name: LimiterName, seconds: float) -> None:
        """As `SentCounter.hold`, for the counter of a name."""
        self._sent.setdefault(name, SentRequests()).hold(seconds)


class TaskProgress:
    """Notes in the ledger how far a task is that takes long, once in `NOTE_S` at most."""

    def __init__(self, link: LedgerLink) -> None:
        self._link = link
        self._noted_at = time.monotonic()

    def __call__(self, now: Progress) -> None:
        """As `Context.progress`."""
        if time.monotonic() >= self._noted_at + NOTE_S:
            self._noted_at = time.monotonic()
            self._link.tell("note", now)


class LedgerMeter(SpendMeter):
    """The meter of a worker, which asks the ledger."""

    def __init__(self, limit: float | None, currency: str, worker: int, link: LedgerLink) -> None:
        super().__init__(limit, currency)
        self._worker = worker
        self._link = link

    def reserve(self, estimate: CostEstimate, what: str) -> float:
        """As `SpendMeter.reserve`; without a limit nobody need be asked."""
        if self.limit is None:
            return estimate.amount or 0.0
        amount: float = self._link.ask("reserve", self._worker, estimate, what)
        return amount

    def settle(self, reserved: float, billed: float) -> None:
        """As `SpendMeter.settle`."""
        if self.limit is not None:
            self._link.ask("settle", self._worker, reserved, billed)
        elif billed:
            self._link.tell("settle", self._worker, 0.0, billed)


class LedgerCounters(SentByName):
    """The rate limits of a worker, which are kept by the ledger."""

    def __init__(self, link: LedgerLink) -> None:
        super().__init__()
        self._link = link

    def new_counter(self, name: LimiterName) -> SentCounter:
        """A counter that asks the ledger."""
        return _LedgerCounter(name, self._link)


class _LedgerCounter:
    def __init__(self, name: LimiterName, link: LedgerLink) -> None:
        self._name = name
        self._link = link
        self._guard = threading.Lock()
        self._granted: dict[tuple[int, float], tuple[int, float]] = {}
        """By limit and window: places, and until when they may be used."""
        self._untold_tokens = 0
        """Of requests that took a granted place."""

    def place(self, requests: int, tokens_limit: int, window_s: float, tokens: int) -> float:
        limit = requests, window_s
        with self._guard:
            places, until = self._granted.pop(limit, (0, 0.0))
            if places and not tokens_limit and time.monotonic() < until:
                self._granted[limit] = places - 1, until
                self._untold_tokens += tokens
                return 0.0
            asked_at = time.monotonic()
            wait: float
            every = tokens + self._untold_tokens
            wait, more = self._link.ask(
                "place", self._name, requests, tokens_limit, window_s, every
            )
            if wait <= 0:
                self._untold_tokens = 0
            if more:
                self._granted[limit] = more, asked_at + GRANT_S
            return wait

    def hold(self, seconds: float) -> None:
        with self._guard:
            self._granted.clear()
        self._link.ask("hold", self._name, seconds)
