"""What is said of hosted rerankers on screen."""

from __future__ import annotations

import pytest

from rerank_lab.components.registry import load
from rerank_lab.core.context import Context
from rerank_lab.core.spend import CostEstimate
from rerank_lab.core.types import Status, Trace
from rerank_lab.remote.providers import providers
from rerank_lab.remote.urls import ALLOW_PRIVATE
from rerank_lab.rerankers.hosted.probe import probe
from rerank_lab.testing.provider_servers import KEY, FakeProvider, Switch
from rerank_lab.views import hosted
from tests.views.made import ids, result


def test_providers_that_could_be_used_now_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    for provider in providers().values():
        monkeypatch.delenv(provider.key, raising=False)
    lines = hosted.provider_lines(Context(secrets={"VOYAGE_API_KEY": KEY}))
    assert len(lines) == len(providers())
    assert {line.name for line in lines if line.ready} == {"voyage", "nim"}
    assert {lines[0].name, lines[1].name} == {"voyage", "nim"}
    cohere = next(line for line in lines if line.name == "cohere")
    assert "COHERE_API_KEY" in cohere.problem
    assert cohere.hint


def test_where_a_key_stands_is_said_and_the_key_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JINA_API_KEY", "env-key")
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    ctx = Context(secrets={"COHERE_API_KEY": "typed-key", "AWS_ACCESS_KEY_ID": "id"})
    states = {
        field.variable: field.state
        for name in ("cohere", "jina", "bedrock", "tei")
        for field in hosted.key_fields(providers()[name], ctx)
    }
    assert states["COHERE_API_KEY"] == "session"
    assert states["JINA_API_KEY"] == "environment"
    assert states["AWS_ACCESS_KEY_ID"] == "session"
    assert states["AWS_SESSION_TOKEN"] == "optional"
    shown = repr(hosted.provider_lines(ctx))
    assert "env-key" not in shown
    assert "typed-key" not in shown


def test_prices_are_dated_or_not_known() -> None:
    lines = {line.name: line for line in hosted.provider_lines(Context())}
    assert str(lines["voyage"].models[0].price) == (
        "$0.05 for 1,000,000 tokens (openrouter.ai, 2026-07-27)"
    )
    assert str(lines["cohere"].models[0].price) == "price not known"


@pytest.mark.parametrize(
    ("estimate", "queries", "words"),
    [
        (
            CostEstimate(1, 1400, "tokens", 0.00007, "USD", "2026-07-27"),
            300,
            "300 requests, about 420,000 tokens, about $0.021 at prices of 2026-07-27",
        ),
        (
            CostEstimate(1, 1, "search units", None),
            1,
            "1 request, about 1 search unit, price not known",
        ),
        (CostEstimate(4, 4, "requests", 0.0), 1, "4 requests, no charge"),
    ],
)
def test_an_estimate_in_words(estimate: CostEstimate, queries: int, words: str) -> None:
    assert hosted.estimate_words(estimate.times(queries)) == words


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (0, "$0.00"),
        (1.2, "$1.20"),
        (0.4, "$0.40"),
        (0.021, "$0.021"),
        (0.0000012, "$0.0000012"),
        (12345, "$12,345.00"),
    ],
)
def test_money(amount: float, words: str) -> None:
    assert hosted.money(amount) == words


def test_the_facts_of_a_call() -> None:
    trace = Trace(
        calls=3, retries=1, documents=100, cache_hits=20, tokens_in=5210, units=5210, unit="tokens",
        cost=0.00026, cost_unit="USD", model_asked="a", model_served="b", server_s=0.0371,
    )  # fmt: skip
    facts = hosted.call_facts(trace, Status.OK)
    assert facts.other_model
    assert facts.model == "b (asked for a)"
    assert (facts.calls, facts.retries, facts.repairs) == ("3 requests", "1 retry", "")
    assert (facts.tokens, facts.units, facts.cost) == ("5,210 tokens", "5,210 tokens", "$0.00026")
    assert facts.server == "37 ms of it at the server"
    assert facts.cache == "20 of 100 from cache"
    unpriced = hosted.call_facts(Trace(units=2, unit="search units"), Status.OK)
    assert unpriced.cost == "price not known"


def test_the_facts_of_a_column_in_a_line() -> None:
    own = Trace(calls=1, network_s=0.2, units=1, unit="search units", retries=2, model_asked="m")
    done = result("bm25 >> identity", [ids(1, 2), ids(2, 1)], [Trace(compute_s=0.1), own])
    assert hosted.facts_line(done) == "m · 1 request · 2 retries · 1 search unit · price not known"
    assert hosted.facts_line(result("bm25 >> identity", [ids(1, 2), ids(2, 1)])) == ""


def test_a_model_on_this_machine_is_not_told_as_a_request() -> None:
    own = Trace(
        calls=2, compute_s=0.2, tokens_in=1025, model_asked="bge-small-en", documents=50,
        model_served="bge-small-en", backend="onnx int8", cache_hits=3,
    )  # fmt: skip
    assert hosted.facts_of(own) == (
        "bge-small-en · on this machine, onnx int8 · 1,025 tokens · 3 of 50 from cache"
    )
    done = result("dense", [ids(1, 2)], [own])
    assert "request" not in hosted.facts_line(done)


def test_tokens_read_and_tokens_in_all_are_told_apart() -> None:
    line = hosted.facts_of(
        Trace(calls=1, tokens_in=1745, units=1747, unit="tokens", model_asked="m")
    )
    assert "1,745 tokens · 1,747 tokens in all" in line
    line = hosted.facts_of(Trace(calls=1, tokens_in=9, units=9, unit="tokens", model_asked="m"))
    assert "in all" not in line


def test_one_click_tells_whether_key_and_model_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALLOW_PRIVATE, "1")
    ctx = Context(secrets={"COHERE_API_KEY": KEY})
    with FakeProvider("cohere") as server:
        reranker = load("reranker", "cohere")(base_url=server.url, retries=0)
        good = probe(reranker, ctx)
        assert (good.works, good.sensible) == (True, True)
        assert good.message == "Cohere works: rerank-v4.0-fast."
        assert good.seconds > 0
        server.always = Switch(status=401, words="invalid api token")
        bad = probe(reranker, ctx)
        assert not bad.works
        assert "invalid api token" in bad.message
        assert "COHERE_API_KEY" in bad.hint
    with FakeProvider("cohere", scorer=lambda _, texts: [0.9, 0.1]) as odd:
        found = probe(load("reranker", "cohere")(base_url=odd.url), ctx)
        assert (found.works, found.sensible) == (True, False)
        assert "bananas" in found.message
