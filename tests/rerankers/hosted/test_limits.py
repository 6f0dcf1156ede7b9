"""Limits a minute: by key and host, in every window, with waits that end in time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from rerank_lab.core.context import Context
from rerank_lab.core.errors import DeadlineExceeded
from rerank_lab.remote import limits as limiter
from rerank_lab.remote.limits import RateLimiter, limiter_of
from rerank_lab.testing.provider_servers import FakeProvider, Switch
from tests.rerankers.hosted.conftest import QUERY, keyed, made, many, run

Start = Callable[..., FakeProvider]


def test_the_rate_limit_holds_in_every_window() -> None:
    limiter = RateLimiter(5, 0, window_s=0.2)
    moments: list[float] = []
    lock = threading.Lock()

    def call() -> None:
        limiter.acquire(1, Context())
        with lock:
            moments.append(time.monotonic())

    threads = [threading.Thread(target=call) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    moments.sort()
    assert all(moments[i + 5] - moments[i] >= 0.15 for i in range(15))
    assert moments[-1] - moments[0] >= 0.55


def test_tokens_are_limited_too_and_one_giant_goes_alone() -> None:
    limiter = RateLimiter(0, 100, window_s=0.2)
    assert limiter.acquire(500, Context()) == pytest.approx(0, abs=0.05)
    assert limiter.acquire(60, Context()) >= 0.15
    assert limiter.acquire(40, Context()) < 0.1
    assert limiter.acquire(1, Context()) >= 0.1


def test_one_refusal_holds_back_all_who_use_the_key(fake: Start) -> None:
    server = fake("voyage")
    server.queue(Switch(status=429, headers={"retry-after": "0.5"}))
    start = time.monotonic()
    first = threading.Thread(target=run, args=("voyage", server, keyed()))
    first.start()
    while not server.requests:
        time.sleep(0.01)
    time.sleep(0.1)
    done = run("voyage", server, keyed())
    first.join()
    assert time.monotonic() - start >= 0.5
    assert done.trace.queue_s >= 0.25


def test_limiters_are_shared_by_key_and_host_and_hold_no_key() -> None:
    one = limiter_of("x", "h", "secret-key", 1, 1).sent
    assert limiter_of("x", "h", "secret-key", 1, 1).sent is one
    assert limiter_of("x", "h", "other-key", 1, 1).sent is not one
    assert limiter_of("x", "g", "secret-key", 1, 1).sent is not one
    assert "secret-key" not in repr(limiter._limiters)


@pytest.mark.parametrize("provider", ["tei", "vllm"])
def test_two_servers_on_one_host_have_limits_of_their_own(provider: str, fake: Start) -> None:
    for server in (fake(provider), fake(provider)):
        start = time.monotonic()
        run(provider, server, keyed(deadline=start + 20), requests_per_minute=1)
        assert len(server.requests) == 1
        assert time.monotonic() - start < 10


def test_two_columns_of_one_key_count_each_others_requests_whatever_their_limits() -> None:
    limiter_of("x", "h", "key", 100, 0).acquire(10, Context())
    held = limiter_of("x", "h", "key", 1, 0)
    with pytest.raises(DeadlineExceeded):
        held.acquire(10, Context(deadline=time.monotonic() + 1))
    few = limiter_of("x", "h", "key", 0, 15)
    with pytest.raises(DeadlineExceeded):
        few.acquire(10, Context(deadline=time.monotonic() + 1))
    assert limiter_of("x", "h", "key", 100, 0).acquire(10, Context()) < 0.5


def test_a_wait_for_the_rate_limit_beyond_the_deadline_ends_at_once() -> None:
    limiter = RateLimiter(1, 0)
    limiter.acquire(1, Context())
    start = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        limiter.acquire(1, Context(deadline=start + 1))
    assert time.monotonic() - start < 0.5


def test_requests_a_minute_can_be_said(fake: Start) -> None:
    server = fake("tei")
    with pytest.raises(DeadlineExceeded):
        made("tei", server, batch=1, concurrency=1, requests_per_minute=3).rerank(
            QUERY, many(5), keyed(deadline=time.monotonic() + 2)
        )
    assert len(server.requests) == 3
