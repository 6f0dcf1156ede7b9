"""What workers spend and send is counted in one place."""

from __future__ import annotations

import time
from typing import Any

import pytest

from rerank_lab.core.context import Context
from rerank_lab.core.errors import DeadlineExceeded, LabError, SpendLimit
from rerank_lab.core.spend import CostEstimate
from rerank_lab.jobs.workers.ledger import Ledger, LedgerCounters, LedgerMeter
from rerank_lab.remote.limits import RateLimiter

CALL = CostEstimate(1, 1, "search unit", 2.0)
NAME = ("cohere", "api.example", "digest")


def asking(ledger: Ledger) -> Any:
    def ask(method: str, *values: Any) -> Any:
        answer = getattr(ledger, method)(*values)
        if isinstance(answer, LabError):
            raise answer
        return answer

    return ask


def meters(ledger: Ledger, limit: float | None) -> list[LedgerMeter]:
    return [LedgerMeter(limit, "USD", worker, asking(ledger)) for worker in (0, 1)]


def test_reservations_of_one_worker_bound_the_other() -> None:
    ledger = Ledger(5.0, "USD")
    one, other = meters(ledger, 5.0)
    reserved = one.reserve(CALL, "a request")
    other.reserve(CALL, "a request")
    with pytest.raises(SpendLimit):
        one.reserve(CALL, "a request")
    one.settle(reserved, 0.5)
    assert ledger.spent() == 0.5
    assert other.reserve(CALL, "a request") == 2.0


def test_what_a_worker_that_ended_had_on_its_way_counts_as_billed_once() -> None:
    ledger = Ledger(5.0, "USD")
    one, other = meters(ledger, 5.0)
    reserved = one.reserve(CALL, "a request")
    ledger.ended(0)
    one.settle(reserved, 2.0)  # was on its way as well
    ledger.ended(0)
    assert ledger.spent() == 2.0
    other.reserve(CALL, "a request")
    with pytest.raises(SpendLimit):
        other.reserve(CALL, "a request")


def test_without_a_limit_what_is_billed_counts_all_the_same() -> None:
    ledger = Ledger(None, "USD")
    for meter in meters(ledger, None):
        meter.settle(meter.reserve(CALL, "a request"), 1.5)
    assert ledger.spent() == 3.0


def test_workers_share_a_rate_limit_and_a_pause() -> None:
    ledger = Ledger(None, "USD")
    counters = [LedgerCounters(asking(ledger)).counter(NAME) for _ in range(2)]
    one, other = (RateLimiter(3, 0, sent=counter) for counter in counters)
    ctx = Context(deadline=time.monotonic() + 5)
    for limiter in (one, other, one):
        assert limiter.acquire(1, ctx) < 1
    with pytest.raises(DeadlineExceeded):
        other.acquire(1, ctx)
    unlimited = [RateLimiter(0, 0, sent=counter) for counter in counters]
    unlimited[0].hold(60)
    with pytest.raises(DeadlineExceeded):
        unlimited[1].acquire(1, ctx)
