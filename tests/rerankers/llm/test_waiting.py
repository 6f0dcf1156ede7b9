"""What an endpoint asks to wait is waited for, by all who use its key, and never without end."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from rerank_lab.core.context import CancelToken, Context
from rerank_lab.core.errors import BackendError, Cancelled, DeadlineExceeded
from rerank_lab.core.spend import SpendMeter
from rerank_lab.core.types import Status
from rerank_lab.remote import limits as limiter
from rerank_lab.rerankers.base import Reranker
from rerank_lab.rerankers.llm.listwise import Listwise
from rerank_lab.rerankers.llm.pointwise import PointwiseLLM
from rerank_lab.testing.provider_servers import Switch

from .conftest import QUERY, Serve, documents, make

DOCS = documents([1, 3, 2])


@pytest.fixture(autouse=True)
def _no_limits_of_other_tests() -> None:
    limiter._limiters.clear()


@pytest.mark.parametrize("form", ["seconds", "date", "milliseconds"])
def test_retry_after_is_honoured_in_every_form(serve: Serve, ctx: Context, form: str) -> None:
    server = serve()
    soon = datetime.now(UTC) + timedelta(seconds=2)
    header = {
        "seconds": {"Retry-After": "0.3"},
        "date": {"Retry-After": format_datetime(soon, usegmt=True)},
        "milliseconds": {"retry-after-ms": "300"},
    }[form]
    server.queue(Switch(status=429, headers=header))
    done = make(Listwise, server).rerank(QUERY, DOCS, ctx)
    assert done.status is Status.OK
    assert done.trace.queue_s >= 0.3


def test_a_wait_longer_than_the_cap_is_not_waited_for(serve: Serve, ctx: Context) -> None:
    server = serve()
    server.always = Switch(status=429, headers={"Retry-After": "3600"})
    with pytest.raises(BackendError, match="429"):
        make(Listwise, server).rerank(QUERY, DOCS, ctx)
    assert len(server.requests) == 1


def test_a_wait_beyond_the_deadline_ends_at_once(serve: Serve, ctx: Context) -> None:
    server = serve()
    server.always = Switch(status=429, headers={"Retry-After": "20"})
    start = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        make(Listwise, server).rerank(QUERY, DOCS, replace(ctx, deadline=start + 5))
    assert time.monotonic() - start < 4


@pytest.mark.parametrize("kind", [Listwise, PointwiseLLM])
def test_a_cancel_is_noticed_while_the_server_takes_its_time(
    serve: Serve, ctx: Context, kind: type[Reranker]
) -> None:
    server = serve()
    server.always = Switch(delay_s=3.0)
    token = CancelToken()
    threading.Timer(0.2, token.cancel).start()
    start = time.monotonic()
    with pytest.raises(Cancelled):
        make(kind, server).rerank(QUERY, DOCS, replace(ctx, cancel=token))
    assert time.monotonic() - start < 2


def test_a_call_that_was_given_up_still_counts_as_spent(serve: Serve, ctx: Context) -> None:
    server = serve()
    server.always = Switch(delay_s=0.5)
    token, meter = CancelToken(), SpendMeter(limit=1.0)
    threading.Timer(0.1, token.cancel).start()
    with pytest.raises(Cancelled):
        make(Listwise, server, price_in=1000.0, price_out=1000.0).rerank(
            QUERY, DOCS, replace(ctx, cancel=token, spend=meter)
        )
    end = time.monotonic() + 5
    while meter.spent == 0 and time.monotonic() < end:
        time.sleep(0.01)
    assert 0 < meter.spent < 1.0


def test_one_refusal_holds_back_all_who_use_the_key(serve: Serve, ctx: Context) -> None:
    server = serve()
    server.queue(Switch(status=429, headers={"Retry-After": "0.6"}))
    first = threading.Thread(target=lambda: make(Listwise, server).rerank(QUERY, DOCS, ctx))
    first.start()
    while not server.requests:
        time.sleep(0.005)
    time.sleep(0.15)
    waited = make(Listwise, server).rerank(QUERY, DOCS, ctx).trace.queue_s
    first.join(10)
    assert waited > 0.1
    assert len(server.requests) == 3
