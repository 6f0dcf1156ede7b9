"""Chat calls against a real server: keys, faults, limits, money, recordings, many calls."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rerank_lab.core.context import CancelToken, Context
from rerank_lab.core.errors import (
    BackendError,
    Cancelled,
    DeadlineExceeded,
    InvalidInput,
    LabError,
    MissingKey,
    SpendLimit,
)
from rerank_lab.core.spend import SpendMeter
from rerank_lab.core.types import Status
from rerank_lab.remote.recordings import Recording
from rerank_lab.rerankers.llm.chat import ChatEndpoint, chat_provider
from rerank_lab.rerankers.llm.listwise import Listwise
from rerank_lab.rerankers.llm.pointwise import PointwiseLLM
from rerank_lab.rerankers.llm.setwise import Setwise
from rerank_lab.rerankers.score_cache import ScoreCache
from rerank_lab.testing.chat_server import FakeChat, Question, Reply, sorter
from rerank_lab.testing.provider_servers import KEY, Switch

from .conftest import QUERY, Serve, by_value, documents, make

DOCS = documents([1, 3, 2])


def failure(server: FakeChat, ctx: Context, **options: Any) -> LabError:
    with pytest.raises(LabError) as caught:
        make(Listwise, server, **options).rerank(QUERY, DOCS, ctx)
    return caught.value


def test_what_is_sent_is_what_the_options_say_and_no_more(
    serve: Serve, ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Private: secret")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-private")
    server = serve()
    make(Listwise, server, temperature=0.5, seed=7, reasoning_tokens=100).rerank(QUERY, DOCS, ctx)
    body, headers = server.requests[0].body, server.requests[0].headers
    assert body["temperature"] == 0.5
    assert body["seed"] == 7
    assert body["max_tokens"] == 8 * 3 + 64 + 100
    assert "private" not in json.dumps(dict(headers)).lower()
    server.requests.clear()
    make(Listwise, server, temperature=-1.0, form="json").rerank(QUERY, DOCS, ctx)
    assert "temperature" not in server.requests[0].body
    schema = server.requests[0].body["response_format"]["json_schema"]
    assert schema["strict"] is True
    listed = schema["schema"]["properties"]["ranking"]
    assert listed["items"]["enum"] == list(range(1, listed["maxItems"] + 1))


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_key_is_refused_at_once_with_the_next_step(serve: Serve, status: int) -> None:
    server = serve()
    server.always = Switch(status=status, words="Incorrect API key provided.")
    error = failure(server, Context(secrets={"OPENAI_API_KEY": "wrong"}))
    assert len(server.requests) == 1
    assert "Incorrect API key provided" in error.message
    assert "OPENAI_API_KEY" in error.hint


def test_an_endpoint_of_this_machine_needs_no_key(serve: Serve) -> None:
    server = serve(keys=())
    result = make(Listwise, server).rerank(QUERY, DOCS, Context())
    assert result.status is Status.OK
    assert "authorization" not in server.requests[0].headers


def test_when_an_endpoint_of_this_machine_wants_a_key_it_is_asked_for(serve: Serve) -> None:
    error = failure(serve(), Context())
    assert "wants a key" in error.hint


def test_openai_needs_a_key_and_gets_only_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    reranker = Listwise()
    missing = reranker.missing_key(Context())
    assert isinstance(missing, MissingKey)
    assert "OPENAI_API_KEY" in missing.message
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-operator")
    assert reranker.missing_key(Context()) is None
    elsewhere = ChatEndpoint(Listwise(base_url="https://llm.example.com/v1").options)
    assert elsewhere.access(Context()).key == ""
    typed = Context(secrets={"OPENAI_API_KEY": "sk-typed"})
    assert elsewhere.access(typed).key == "sk-typed"
    monkeypatch.setenv("DATABASE_PASSWORD", "hunter2")
    other = Listwise(base_url="https://llm.example.com/v1", key_variable="DATABASE_PASSWORD")
    assert ChatEndpoint(other.options).access(Context()).key == ""


def test_a_router_has_its_own_key() -> None:
    routed = Listwise(base_url="https://openrouter.ai/api/v1", model="openai/gpt-4o-mini")
    missing = routed.missing_key(Context())
    assert missing is not None
    assert "OPENROUTER_API_KEY" in missing.message


def test_private_addresses_are_refused_unless_the_operator_allows_them(
    serve: Serve, ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve()
    monkeypatch.delenv("RERANK_LAB_ALLOW_PRIVATE_URLS")
    assert "private network" in failure(server, ctx).message
    assert isinstance(make(Listwise, server).problems()[0], InvalidInput)
    assert not server.requests
    assert Listwise(base_url="ftp://x").problems()


@pytest.mark.parametrize(
    "switch",
    [
        Switch(status=429, headers={"retry-after-ms": "1"}),
        Switch(status=500),
        Switch(status=503),
        Switch(drop=True),
    ],
)
def test_what_may_pass_is_tried_again(serve: Serve, ctx: Context, switch: Switch) -> None:
    server = serve()
    server.queue(switch, times=2)
    result = make(Listwise, server).rerank(QUERY, DOCS, ctx)
    assert result.status is Status.OK
    assert result.trace.retries == 2
    assert result.trace.calls == len(server.requests) == 3


def test_tries_are_bounded(serve: Serve, ctx: Context) -> None:
    server = serve()
    server.always = Switch(status=500, words="overloaded")
    error = failure(server, ctx, retries=2)
    assert len(server.requests) == 3
    assert "after 3 attempts" in error.message
    assert "overloaded" in error.message


@pytest.mark.parametrize(
    ("status", "hint"), [(400, "model name"), (404, "base URL"), (402, "credit")]
)
def test_what_cannot_pass_is_told_at_once(
    serve: Serve, ctx: Context, status: int, hint: str
) -> None:
    server = serve()
    server.always = Switch(status=status, words="The model does not exist.")
    error = failure(server, ctx)
    assert len(server.requests) == 1
    assert "The model does not exist" in error.message
    assert hint in error.hint


def test_a_server_pinned_to_another_model_is_told_in_its_words(serve: Serve, ctx: Context) -> None:
    server = serve()
    said = "Server is pinned to 'owner/chat'; requested 'no-such-model'."
    server.always = Switch(status=400, raw=json.dumps({"detail": said}))
    error = failure(server, ctx)
    assert len(server.requests) == 1
    assert said.rstrip(".") in error.message


def test_a_model_named_with_its_revision_is_the_one_asked_for(serve: Serve, ctx: Context) -> None:
    server = serve()
    message = {"content": "[3] > [2] > [1]", "role": "assistant"}
    choice = {"finish_reason": "stop", "index": 0, "message": message}
    reply = {"id": "7c677cf7", "choices": [choice], "model": "test-model@main",
             "usage": {"completion_tokens": 4, "prompt_tokens": 1, "total_tokens": 5}}  # fmt: skip
    server.always = Switch(raw=json.dumps(reply))
    result = make(Listwise, server).rerank(QUERY, DOCS, ctx)
    assert result.status is Status.OK
    assert result.trace.warnings == ()
    assert (result.trace.tokens_in, result.trace.tokens_out) == (1, 4)


@pytest.mark.parametrize(
    "switch",
    [Switch(raw="<html>hello</html>"), Switch(raw="{}"), Switch(raw="[]"), Switch(cut=True)],
)
def test_a_reply_that_is_none_is_told(serve: Serve, ctx: Context, switch: Switch) -> None:
    server = serve()
    server.always = switch
    error = failure(server, ctx, retries=0)
    assert isinstance(error, BackendError)
    assert error.hint


def test_a_slow_server_is_given_up_by_timeout_and_deadline(serve: Serve, ctx: Context) -> None:
    server = serve()
    server.always = Switch(delay_s=0.5)
    assert "in time" in failure(server, ctx, timeout_s=0.1, retries=0).message
    start = time.monotonic()
    error = failure(server, replace(ctx, deadline=start + 0.2), retries=5)
    assert isinstance(error, DeadlineExceeded | BackendError)
    assert time.monotonic() - start < 2


def test_a_cancel_ends_the_waiting(serve: Serve, ctx: Context) -> None:
    token = CancelToken()

    def mind(question: Question) -> Reply:
        token.cancel()
        return sorter(by_value)(question)

    server = serve(mind)
    with pytest.raises(Cancelled):
        make(Listwise, server, window=2, step=1).rerank(QUERY, DOCS, replace(ctx, cancel=token))
    assert len(server.requests) == 1


def test_another_model_than_asked_for_is_told(serve: Serve, ctx: Context) -> None:
    server = serve()
    server.always = Switch(model="small-model")
    trace = make(Listwise, server).rerank(QUERY, DOCS, ctx).trace
    assert trace.model_asked == "test-model"
    assert trace.model_served == "small-model"
    assert any("answered by small-model" in warning for warning in trace.warnings)
    server.always = Switch(model="test-model-2026-01-01")
    assert not make(Listwise, server).rerank(QUERY, DOCS, ctx).trace.warnings


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (PointwiseLLM, {"form": "yesno"}),
        (PointwiseLLM, {"form": "likelihood"}),
        (Listwise, {"form": "first"}),
        (Setwise, {"sort": "likelihood"}),
    ],
)
def test_without_probabilities_these_forms_are_refused_with_a_way_out(
    serve: Serve, ctx: Context, kind: Any, options: dict[str, Any]
) -> None:
    for server in (serve(logprobs=0, echo=False), _silent(serve)):
        with pytest.raises(BackendError) as caught:
            make(kind, server, **options).rerank(QUERY, DOCS, ctx)
        assert "does not give" in caught.value.message
        assert 'backend="local"' in caught.value.hint


def _silent(serve: Serve) -> FakeChat:
    """A server that takes the wish for probabilities and does not grant it."""
    server = serve()
    answer = server.answer

    def without(path: str, headers: Any, body: Any) -> tuple[int, Any]:
        status, payload = answer(path, headers, body)
        for choice in payload.get("choices", []):
            choice["logprobs"] = None
        return status, payload

    server.answer = without  # type: ignore[method-assign]
    return server


def test_an_endpoint_without_json_schemas_says_what_to_use(serve: Serve, ctx: Context) -> None:
    assert "rankllm" in failure(serve(schema=False), ctx, form="json").hint


def test_prices_are_counted_and_the_limit_is_kept(serve: Serve, ctx: Context) -> None:
    server = serve()
    meter = SpendMeter(limit=1.0)
    paid = replace(ctx, spend=meter)
    reranker = make(Listwise, server, price_in=1000.0, price_out=2000.0)
    trace = reranker.rerank(QUERY, DOCS, paid).trace
    assert trace.cost == pytest.approx((trace.tokens_in * 1000 + trace.tokens_out * 2000) / 1e6)
    assert trace.cost_unit == "USD"
    assert meter.spent == pytest.approx(trace.cost)

    def spend() -> None:
        for _ in range(10):
            reranker.rerank(QUERY, DOCS, paid)

    with pytest.raises(SpendLimit):
        spend()
    assert meter.spent <= 1.0


def test_a_call_that_timed_out_counts_as_spent(serve: Serve, ctx: Context) -> None:
    server = serve()
    server.always = Switch(delay_s=0.5)
    meter = SpendMeter(limit=1.0)
    failure(
        server, replace(ctx, spend=meter), price_in=1000.0, price_out=0.0, timeout_s=0.1, retries=0
    )
    assert meter.spent > 0
    server.always = Switch(status=500)
    before = meter.spent
    failure(server, replace(ctx, spend=meter), price_in=1000.0, price_out=0.0, retries=0)
    assert meter.spent == before
    assert meter.left == pytest.approx(1.0 - before)


def test_a_price_that_is_not_known_cannot_keep_a_limit(ctx: Context) -> None:
    reranker = Listwise(base_url="https://llm.example.com/v1", model="unheard-of")
    assert reranker.cost_estimate(QUERY, DOCS).amount is None
    with pytest.raises(SpendLimit):
        reranker.rerank(QUERY, DOCS, replace(ctx, spend=SpendMeter(limit=1.0)))


def test_a_limit_holds_for_a_model_on_this_machine(serve: Serve, ctx: Context) -> None:
    server = serve()
    limited = replace(ctx, spend=SpendMeter(limit=1.0))
    with pytest.raises(SpendLimit, match=r"price of test-model at 127\.0\.0\.1") as caught:
        make(Listwise, server).rerank(QUERY, DOCS, limited)
    assert "price_in=" in caught.value.hint
    assert "price_out=" in caught.value.hint
    assert not server.requests
    stated = make(Listwise, server, price_in=0.0, price_out=0.0)
    assert stated.rerank(QUERY, DOCS, limited).trace.cost == 0.0
    assert make(Listwise, server).cost_estimate(QUERY, DOCS).unknown


@pytest.mark.parametrize("field", ["seed", "temperature"])
def test_a_field_that_an_endpoint_does_not_take_is_left_out(
    field: str, serve: Serve, ctx: Context
) -> None:
    server = serve()
    answer = server.answer

    def strict(path: str, headers: Any, body: Any) -> tuple[int, Any]:
        if field in body:
            return 422, {"detail": f"Unsupported fields in the request: {{'{field}'}}"}
        return answer(path, headers, body)

    server.answer = strict  # type: ignore[method-assign]
    result = make(Listwise, server).rerank(QUERY, DOCS, ctx)
    assert result.status is Status.OK
    assert any(f"does not take {field}" in warning for warning in result.trace.warnings)


def test_the_limit_on_tokens_is_named_as_the_endpoint_wants_it(serve: Serve, ctx: Context) -> None:
    server = serve()
    answer = server.answer

    def newer(path: str, headers: Any, body: Any) -> tuple[int, Any]:
        if "max_tokens" in body:
            words = "'max_tokens' is not supported, use 'max_completion_tokens' instead."
            return 400, {"error": {"message": words}}
        return answer(path, headers, body)

    server.answer = newer  # type: ignore[method-assign]
    assert make(Listwise, server).rerank(QUERY, DOCS, ctx).status is Status.OK


def test_a_recording_of_an_older_schema_still_answers(
    serve: Serve, ctx: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rerank_lab.rerankers.llm import listwise

    newer = listwise._schema
    server = serve()
    with Recording(tmp_path / "r.sqlite", "record") as recording:
        monkeypatch.setattr(listwise, "_schema", lambda n: newer(0))
        first = make(Listwise, server, form="json").rerank(
            QUERY, DOCS, replace(ctx, recording=recording)
        )
    monkeypatch.setattr(listwise, "_schema", newer)
    with Recording(tmp_path / "r.sqlite", "replay") as recording:
        again = make(Listwise, server, form="json").rerank(
            QUERY, DOCS, Context(recording=recording)
        )
    assert again.ranking == first.ranking


def test_the_dated_price_list_gives_an_estimate_before_a_run() -> None:
    estimate = Listwise(model="gpt-4o-mini").cost_estimate(QUERY, documents(range(100)))
    assert estimate.calls == 9
    assert estimate.amount is not None
    assert 0.0005 < estimate.amount < 0.01
    assert estimate.as_of == chat_provider("", "").provider.as_of != ""


def test_a_recording_answers_without_key_or_network(
    serve: Serve, ctx: Context, tmp_path: Path
) -> None:
    server = serve()
    reranker = make(Listwise, server, window=2, step=1)
    path = tmp_path / "recording.sqlite"
    with Recording(path, "record") as recording:
        recorded = reranker.rerank(QUERY, DOCS, replace(ctx, recording=recording))
    sent = len(server.requests)
    with Recording(path, "replay") as recording:
        replayed = reranker.rerank(QUERY, DOCS, Context(recording=recording))
        with pytest.raises(BackendError, match="holds no answer"):
            reranker.rerank(QUERY, documents([5, 6]), Context(recording=recording))
    assert replayed.ranking == recorded.ranking
    assert len(server.requests) == sent
    assert replayed.trace.cost == 0
    assert KEY.encode() not in path.read_bytes()


def test_a_recording_holds_every_question_even_when_answers_are_known(
    serve: Serve, ctx: Context, tmp_path: Path
) -> None:
    warm = replace(ctx, cache=ScoreCache(tmp_path / "scores.sqlite"))
    server = serve()
    for kind in (Listwise, PointwiseLLM):
        known = make(kind, server).rerank(QUERY, DOCS, warm).ranking
        with Recording(tmp_path / f"{kind.__name__}.sqlite", "record") as recording:
            make(kind, server).rerank(QUERY, DOCS, replace(warm, recording=recording))
        with Recording(tmp_path / f"{kind.__name__}.sqlite", "replay") as recording:
            assert (
                make(kind, server).rerank(QUERY, DOCS, Context(recording=recording)).ranking
                == known
            )


def test_the_key_is_nowhere(serve: Serve, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    canary = "sk-canary-5f3e"
    caplog.set_level(logging.DEBUG)
    cache = ScoreCache(tmp_path / "scores.sqlite")
    shown: list[str] = []
    with Recording(tmp_path / "recording.sqlite", "record") as recording:
        ctx = Context(cache=cache, secrets={"OPENAI_API_KEY": canary}, recording=recording)
        for switch in (
            Switch(),
            *(Switch(status=status, echo_key=True) for status in (400, 401, 403, 429, 500)),
            Switch(drop=True),
            Switch(raw="nonsense"),
        ):
            server = serve(keys=(canary,))
            server.always = switch
            reranker = make(Listwise, server, retries=1)
            try:
                shown.append(repr(reranker.rerank(QUERY, DOCS, ctx)))
            except LabError as error:
                shown += [repr(error), error.message, error.hint, error.details]
                shown += [repr(error.__cause__), repr(error.__context__)]
            shown += [reranker.fingerprint(), repr(vars(reranker)), repr(ctx)]
    assert canary not in "\n".join(shown)
    assert canary not in caplog.text
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or canary.encode() not in path.read_bytes()


def test_sixteen_queries_side_by_side_take_little_longer_than_one(
    serve: Serve, ctx: Context
) -> None:
    server = serve()
    server.always = Switch(delay_s=0.4)
    reranker = make(Listwise, server)
    alone = reranker.rerank(QUERY, DOCS, ctx).ranking

    def one(_: int) -> Sequence[str]:
        return reranker.rerank(QUERY, DOCS, ctx).ranking.doc_ids

    start = time.perf_counter()
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(one, range(16)))
    took = time.perf_counter() - start
    assert found == [alone.doc_ids] * 16
    assert took < 16 * 0.4 / 2, f"16 calls of 0.4 s took {took:.2f} s"


def test_documents_scored_alone_are_asked_about_side_by_side(serve: Serve, ctx: Context) -> None:
    server = serve()
    server.always = Switch(delay_s=0.4)
    reranker = make(PointwiseLLM, server, concurrency=8)
    result = reranker.rerank(QUERY, documents(range(8)), ctx)
    assert result.ranking.doc_ids[0] == "d7"
    assert 0.4 <= result.trace.network_s < 8 * 0.4 / 2
    assert result.trace.calls == 8


def test_a_limit_of_requests_a_minute_makes_calls_wait(serve: Serve, ctx: Context) -> None:
    server = serve()
    reranker = make(Listwise, server, requests_per_minute=1, window=2, step=1)
    with pytest.raises(DeadlineExceeded, match="rate limit"):
        reranker.rerank(QUERY, DOCS, replace(ctx, deadline=time.monotonic() + 1.0))
    assert len(server.requests) == 1
