"""What several processes spend and send together: one of them counts for all.

Whoever works asks before each request that may cost or is limited. A worker that ends with a
request on its way is taken to have been billed for it, as a request is that timed out.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from rerank_lab.core.errors import LabError
from rerank_lab.core.spend import CostEstimate, SpendMeter
from rerank_lab.remote.limits import LimiterName, SentByName, SentCounter, SentRequests

Ask = Callable[..., Any]
"""Calls a method of the ledger by its name, wherever that is, and gives what it returns.

Raises the LabError that the method returned.
"""


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

    def spent(self) -> float:
        """What was billed so far."""
        return self._meter.spent

    def place(
        self, name: LimiterName, requests: int, tokens_limit: int, window_s: float, tokens: int
    ) -> float:
        """As `SentCounter.place`, for the counter of a name."""
        counter = self._sent.setdefault(name, SentRequests())
        return counter.place(requests, tokens_limit, window_s, tokens)

    def hold(self, name: LimiterName, seconds: float) -> None:
        """As `SentCounter.hold`, for the counter of a name."""
        self._sent.setdefault(name, SentRequests()).hold(seconds)


class LedgerMeter(SpendMeter):
    """The meter of a worker, which asks the ledger."""

    def __init__(self, limit: float | None, currency: str, worker: int, ask: Ask) -> None:
        super().__init__(limit, currency)
        self._worker = worker
        self._ask = ask

    def reserve(self, estimate: CostEstimate, what: str) -> float:
        """As `SpendMeter.reserve`; without a limit nobody need be asked."""
        if self.limit is None:
            return estimate.amount or 0.0
        amount: float = self._ask("reserve", self._worker, estimate, what)
        return amount

    def settle(self, reserved: float, billed: float) -> None:
        """As `SpendMeter.settle`."""
        if self.limit is not None:
            self._ask("settle", self._worker, reserved, billed)
        elif billed:
            self._ask("settle", self._worker, 0.0, billed)


class LedgerCounters(SentByName):
    """The rate limits of a worker, which are kept by the ledger."""

    def __init__(self, ask: Ask) -> None:
        super().__init__()
        self._ask = ask

    def new_counter(self, name: LimiterName) -> SentCounter:
        """A counter that asks the ledger."""
        return _LedgerCounter(name, self._ask)


class _LedgerCounter:
    def __init__(self, name: LimiterName, ask: Ask) -> None:
        self._name = name
        self._ask = ask

    def place(self, requests: int, tokens_limit: int, window_s: float, tokens: int) -> float:
        wait: float = self._ask("place", self._name, requests, tokens_limit, window_s, tokens)
        return wait

    def hold(self, seconds: float) -> None:
        self._ask("hold", self._name, seconds)
