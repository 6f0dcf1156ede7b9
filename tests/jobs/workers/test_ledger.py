"""What workers spend and send is counted in one place."""

from __future__ import annotations

import time
from typing import Any

import pytest

from rerank_lab.core.context import Context, Progress
from rerank_lab.core.errors import DeadlineExceeded, LabError, SpendLimit
from rerank_lab.core.spend import CostEstimate
from rerank_lab.jobs.workers import ledger as ledger_module
from rerank_lab.jobs.workers.ledger import (
    PLACES,
    Ledger,
    LedgerCounters,
    LedgerMeter,
    TaskProgress,
)
from rerank_lab.remote.limits import RateLimiter

CALL = CostEstimate(1, 1, "search unit", 2.0)
NAME = ("cohere", "api.example", "digest")


class Direct:
    """A ledger in this process; `asked` are the methods that were waited for."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.asked: list[str] = []

    def ask(self, method: str, *values: Any) -> Any:
        self.asked.append(method)
        answer = getattr(self.ledger, method)(*values)
        if isinstance(answer, LabError):
            raise answer
        return answer

    def tell(self, method: str, *values: Any) -> None:
        getattr(self.ledger, method)(*values)


def meters(ledger: Ledger, limit: float | None) -> list[LedgerMeter]:
    return [LedgerMeter(limit, "USD", worker, Direct(ledger)) for worker in (0, 1)]


def test_reservations_of_one_worker_bound_the_other() -> None:
    ledger = Ledger(5.0, "USD")
    one, other = meters(ledger, 5.0)
    reserved = one.reserve(CALL, "a request")
    other.reserve(CALL, "a request")
    with pytest.raises(SpendLimit):
        one.reserve(CALL, "a request")
    one.settle(reserved, 0.5)
    assert ledger.news()[0] == 0.5
    assert other.reserve(CALL, "a request") == 2.0


def test_what_a_worker_that_ended_had_on_its_way_counts_as_billed_once() -> None:
    ledger = Ledger(5.0, "USD")
    one, other = meters(ledger, 5.0)
    reserved = one.reserve(CALL, "a request")
    ledger.ended(0)
    one.settle(reserved, 2.0)  # was on its way as well
    ledger.ended(0)
    assert ledger.news()[0] == 2.0
    other.reserve(CALL, "a request")
    with pytest.raises(SpendLimit):
        other.reserve(CALL, "a request")


def test_without_a_limit_what_is_billed_counts_all_the_same() -> None:
    ledger = Ledger(None, "USD")
    for meter in meters(ledger, None):
        meter.settle(meter.reserve(CALL, "a request"), 1.5)
    assert ledger.news()[0] == 3.0


def test_workers_share_a_rate_limit_and_a_pause() -> None:
    ledger = Ledger(None, "USD")
    counters = [LedgerCounters(Direct(ledger)).counter(NAME) for _ in range(2)]
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


def test_far_from_a_limit_places_are_granted_several_at_a_time() -> None:
    link = Direct(Ledger(None, "USD"))
    counter = LedgerCounters(link).counter(NAME)
    for _ in range(PLACES):
        assert counter.place(1000, 0, 60.0, 5) == 0
    assert link.asked == ["place"]
    counter.place(1000, 0, 60.0, 5)
    assert link.asked == ["place", "place"]


def test_granted_places_never_pass_the_limit_and_tell_their_tokens() -> None:
    link = Direct(Ledger(None, "USD"))
    counters = [LedgerCounters(link).counter(NAME) for _ in range(3)]
    placed = 0
    while any(counter.place(100, 0, 60.0, 7) == 0 for counter in counters):
        placed += 1
    assert 50 <= placed <= 100
    sent = link.ledger._sent[NAME].requests
    assert len(sent) == 100
    # The tokens of what takes a granted place are told with the next request.
    assert sum(tokens for _, tokens in sent) == 7 * placed


def test_granted_places_are_worth_nothing_after_a_pause_or_after_their_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    link = Direct(Ledger(None, "USD"))
    counter = LedgerCounters(link).counter(NAME)
    assert counter.place(1000, 0, 60.0, 0) == 0
    counter.hold(30)
    assert counter.place(1000, 0, 60.0, 0) > 29
    other = LedgerCounters(link).counter((*NAME, "other"))
    monkeypatch.setattr(ledger_module, "GRANT_S", 0.0)
    link.asked.clear()
    assert [other.place(1000, 0, 60.0, 0) for _ in range(2)] == [0, 0]
    assert link.asked == ["place", "place"]


def test_how_far_a_long_task_is_is_heard_once_and_not_too_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ledger = Ledger(None, "USD")
    progress = TaskProgress(Direct(ledger))
    progress(Progress("scoring", 1, 9))
    assert ledger.news() == (0.0, None)
    monkeypatch.setattr(ledger_module, "NOTE_S", 0.0)
    progress(Progress("scoring", 2, 9))
    assert ledger.news() == (0.0, Progress("scoring", 2, 9))
    assert ledger.news() == (0.0, None)
