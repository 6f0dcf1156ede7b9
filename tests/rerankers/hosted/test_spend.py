"""Estimates before, a meter that stops before its limit, billed units after."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_lab.components.registry import load
from rerank_lab.core.errors import BackendError, SpendLimit
from rerank_lab.core.spend import CostEstimate, SpendMeter
from rerank_lab.core.types import Document
from rerank_lab.remote.providers import providers
from rerank_lab.rerankers.score_cache import ScoreCache
from rerank_lab.testing.provider_servers import FakeProvider, Switch
from tests.rerankers.hosted.conftest import DOCS, QUERY, keyed, made, run

Start = Callable[..., FakeProvider]


def _cost(amount: float | None, currency: str = "USD") -> CostEstimate:
    return CostEstimate(1, 1, "units", amount, currency)


@given(st.lists(st.floats(0, 2), max_size=20), st.floats(0, 10))
def test_whatever_is_asked_the_limit_is_never_passed(costs: list[float], limit: float) -> None:
    meter = SpendMeter(limit)
    for cost in costs:
        try:
            reserved = meter.reserve(_cost(cost), "a call")
        except SpendLimit:
            continue
        meter.settle(reserved, cost)
    assert meter.spent <= limit


def test_calls_side_by_side_cannot_pass_the_limit_together() -> None:
    meter, passed, start = SpendMeter(1.0), [], threading.Barrier(20)

    def call() -> None:
        start.wait()
        try:
            passed.append(meter.reserve(_cost(0.1), "a call"))
        except SpendLimit:
            return

    threads = [threading.Thread(target=call) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 9 <= len(passed) <= 10
    assert meter.left == pytest.approx(1.0 - 0.1 * len(passed))


def test_a_limit_cannot_be_kept_without_a_price_or_in_another_currency() -> None:
    with pytest.raises(SpendLimit, match="not known") as caught:
        SpendMeter(1.0).reserve(_cost(None), "A request to X")
    assert "price=" in caught.value.hint
    with pytest.raises(SpendLimit, match="billed in EUR"):
        SpendMeter(1.0).reserve(_cost(0.1, "EUR"), "A request to X")
    assert SpendMeter().reserve(_cost(None), "A request to X") == 0.0


def test_the_request_that_would_pass_the_limit_is_not_sent(fake: Start) -> None:
    server = fake("cohere")
    meter = SpendMeter(2.5)
    for _ in range(2):
        run("cohere", server, keyed(spend=meter), price=1.0)
    with pytest.raises(SpendLimit, match=r"limit of 2\.5 USD"):
        run("cohere", server, keyed(spend=meter), price=1.0)
    assert len(server.requests) == 2
    assert meter.spent == pytest.approx(2.0)


def test_a_refused_request_costs_nothing_and_one_without_answer_counts(fake: Start) -> None:
    server, meter = fake("cohere"), SpendMeter()
    server.always = Switch(status=500)
    with pytest.raises(BackendError):
        run("cohere", server, keyed(spend=meter), price=1.0, retries=1)
    assert meter.spent == 0.0
    server.always = Switch(delay_s=0.4)
    with pytest.raises(BackendError):
        run("cohere", server, keyed(spend=meter), price=1.0, retries=1, timeout_s=0.1)
    # The one attempt used up the time of the whole call; it may have been billed.
    assert meter.spent == pytest.approx(1.0)
    server.always = Switch(short=1)
    with pytest.raises(BackendError):
        run("cohere", server, keyed(spend=meter), price=1.0)
    assert meter.spent == pytest.approx(2.0)


def test_units_and_cost_come_from_the_reply(fake: Start) -> None:
    meter = SpendMeter()
    trace = run("voyage", fake("voyage"), keyed(spend=meter), price=0.05 / 1_000_000).trace
    tokens = sum(len(doc.text.split()) for doc in DOCS) + 3 * len(DOCS)
    assert (trace.units, trace.unit, trace.tokens_in) == (tokens, "tokens", tokens)
    assert trace.cost == pytest.approx(tokens * 0.05 / 1_000_000)
    assert trace.cost_unit == "USD"
    assert meter.spent == pytest.approx(trace.cost)


def test_units_are_shown_without_a_sum_when_no_price_is_known(fake: Start) -> None:
    trace = run("jina", fake("jina")).trace
    assert trace.units > 0
    assert (trace.cost, trace.cost_unit) == (0.0, "")


def test_what_comes_from_the_cache_costs_nothing(fake: Start, tmp_path: object) -> None:
    server, meter = fake("voyage"), SpendMeter()
    cache = ScoreCache(tmp_path / "scores.sqlite")  # type: ignore[operator]
    run("voyage", server, keyed(cache=cache))
    done = run("voyage", server, keyed(cache=cache, spend=meter))
    assert (len(server.requests), meter.spent, done.trace.cost) == (1, 0.0, 0.0)
    assert done.status.value == "cached"
    assert done.trace.calls == 0


def test_the_estimate_is_at_least_what_is_billed(fake: Start) -> None:
    reranker = made("voyage", fake("voyage"), price=0.05 / 1_000_000)
    estimate = reranker.cost_estimate(QUERY, DOCS)
    done = reranker.rerank(QUERY, DOCS, keyed())
    assert estimate.calls == done.trace.calls == 1
    assert estimate.unit == "tokens"
    assert estimate.units >= done.trace.units
    assert estimate.amount is not None
    assert estimate.amount >= done.trace.cost
    assert load("reranker", "voyage")().cost_estimate(QUERY, DOCS).as_of == "2026-07-27"


def test_listed_prices_hold_at_the_providers_own_addresses_only(fake: Start) -> None:
    own = load("reranker", "voyage")(base_url="https://api.voyageai.com/v1")
    assert own.cost_estimate(QUERY, DOCS).amount is not None
    gateway = fake("voyage")
    assert made("voyage", gateway).cost_estimate(QUERY, DOCS).amount is None
    with pytest.raises(SpendLimit, match="price of"):
        run("voyage", gateway, keyed(spend=SpendMeter(limit=1.0)))
    assert gateway.requests == []


def test_a_search_unit_covers_a_hundred_documents() -> None:
    docs = [Document(str(i), f"text {i}") for i in range(101)]
    estimate = load("reranker", "cohere")(price=0.002).cost_estimate(QUERY, docs)
    assert (estimate.calls, estimate.units, estimate.amount) == (1, 2.0, pytest.approx(0.004))


def test_every_price_is_dated_and_says_where_it_was_read() -> None:
    for provider in providers().values():
        assert provider.as_of
        for model in provider.models:
            if model.price:
                assert model.price.as_of.startswith("20")
                assert "." in model.price.source
                assert model.price.amount > 0
