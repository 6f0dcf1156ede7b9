"""What servers and SDKs of the field send: scales, refused texts, fields, numbers of results."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rerank_lab.components.registry import load
from rerank_lab.core.errors import BackendError, SpendLimit
from rerank_lab.core.spend import SpendMeter
from rerank_lab.core.types import Document, Status, Trace
from rerank_lab.rerankers.score_cache import ScoreCache
from rerank_lab.testing.provider_servers import KEY, FakeProvider, Switch
from tests.rerankers.hosted.conftest import DOCS, ORDER, QUERY, keyed, made, run

Start = Callable[..., FakeProvider]


def post(server: FakeProvider, body: dict[str, Any]) -> Any:
    """The reply to a request that an SDK makes."""
    wire = server.wire
    request = urllib.request.Request(
        server.root + wire.path,
        json.dumps(body).encode(),
        {"content-type": "application/json", wire.auth: wire.prefix + KEY},
    )
    with urllib.request.urlopen(request, timeout=5) as reply:
        return json.loads(reply.read())


@pytest.mark.parametrize("provider", ["tei", "infinity", "cohere", "voyage"])
def test_scores_outside_0_to_1_are_no_probabilities(provider: str, fake: Start) -> None:
    server = fake(provider, scorer=lambda query, texts: [7.685 - i for i in range(len(texts))])
    done = run(provider, server)
    assert done.ranking.scale == "logit"
    assert any("7.685" in warning for warning in done.trace.warnings)


def test_probabilities_stay_probabilities(fake: Start) -> None:
    done = run("tei", fake("tei"))
    assert done.ranking.scale == "probability"
    assert not done.trace.warnings


@pytest.mark.parametrize(
    ("provider", "status", "words"),
    [
        (
            "tei",
            500,
            "input (9000 tokens) is too large to process. increase the physical batch size",
        ),
        ("vllm", 400, "This model's maximum context length is 512 tokens."),
        ("infinity", 422, "String should have at most 122880 characters"),
        ("jina", 413, "Input text exceeds the maximum length of the model, too long"),
    ],
)
def test_a_text_that_is_too_long_is_named_and_not_sent_again(
    provider: str, status: int, words: str, fake: Start
) -> None:
    server = fake(provider)
    server.always = Switch(status=status, words=words)
    docs = [*DOCS, Document("the-long-one", "capital " * 20_000)]
    with pytest.raises(BackendError) as caught:
        made(provider, server).rerank(QUERY, docs, keyed())
    assert not caught.value.retryable
    assert len(server.requests) == 1
    assert "'the-long-one'" in caught.value.hint
    assert words[:20] in caught.value.message


def test_what_a_fastapi_server_says_of_a_request_is_read_out(fake: Start) -> None:
    server = fake("infinity")
    text = "people of Berlin " * 9000
    said = {"type": "string_too_long", "loc": ["body", "documents", 4], "input": text,
            "msg": "String should have at most 122880 characters"}  # fmt: skip
    server.always = Switch(status=422, raw=json.dumps({"detail": [said, "odd", {"msg": 1}]}))
    with pytest.raises(BackendError) as caught:
        made("infinity", server).rerank(QUERY, [*DOCS, Document("long", text)], keyed())
    assert "422: documents.4: String should have at most 122880 characters (5 documents" in str(
        caught.value.message
    )
    assert "'long'" in caught.value.hint
    assert len(server.requests) == 1


def test_a_reply_of_infinity_is_read_as_it_was_recorded(fake: Start) -> None:
    server = fake("infinity")
    results = [{"relevance_score": 0.5 + i / 16, "index": i, "document": None} for i in range(4)]
    reply = {"object": "rerank", "results": results, "model": "tiny", "created": 1795856784,
             "usage": {"prompt_tokens": 54, "total_tokens": 54}, "id": "infinity-1"}  # fmt: skip
    server.always = Switch(raw=json.dumps(reply))
    done = run("infinity", server, model="no-such-model")
    assert done.ranking.doc_ids == ("d", "c", "b", "a")
    assert (done.ranking.scale, done.trace.tokens_in) == ("probability", 54)
    assert done.trace.warnings == ("Asked for no-such-model, answered by tiny.",)


def test_a_proxy_that_passes_on_a_refusal_for_length_is_not_asked_again(fake: Start) -> None:
    said = (
        'litellm.BadRequestError: InfinityException - {"detail":[{"type":"string_too_long",'
        '"loc":["body","documents",3],"msg":"String should have at most 122880 characters"}]}'
    )
    server = fake("cohere")
    error = {"message": said, "type": "invalid_request_error", "param": None, "code": "422"}
    server.always = Switch(status=422, raw=json.dumps({"error": error}))
    with pytest.raises(BackendError) as caught:
        run("cohere", server)
    assert len(server.requests) == 1
    assert "litellm.BadRequestError: InfinityException" in caught.value.message
    assert "Document" in caught.value.hint


def test_a_server_that_ends_while_it_is_asked_is_named_with_what_to_check(fake: Start) -> None:
    server = fake("infinity")
    server.always = Switch(drop=True)
    with pytest.raises(BackendError, match="The connection to Infinity failed after 2") as caught:
        run("infinity", server, retries=1)
    assert "that the server is up" in caught.value.hint


def test_other_faults_of_a_server_are_tried_again(fake: Start) -> None:
    server = fake("tei")
    server.queue(Switch(status=500, words="CUDA out of memory"))
    assert run("tei", server).status is Status.OK


def test_a_server_of_ones_own_is_free_on_this_network_only() -> None:
    here = load("reranker", "vllm")(base_url="http://127.0.0.1:8000")
    there = load("reranker", "vllm")(base_url="https://rerank.example.com")
    assert here.cost_estimate(QUERY, DOCS).amount == 0.0
    assert there.cost_estimate(QUERY, DOCS).amount is None
    with pytest.raises(SpendLimit, match="price of"):
        there.rerank(QUERY, DOCS, keyed(spend=SpendMeter(limit=1.0)))


TEXTS = {"documents": ["a capital", "France", "capital of France"]}


@pytest.mark.parametrize(
    ("provider", "top", "results"),
    [("cohere", "top_n", "results"), ("voyage", "top_k", "data"), ("jina", "top_n", "results")],
)
def test_a_fake_gives_as_many_results_as_asked_for(
    provider: str, top: str, results: str, fake: Start
) -> None:
    body = {"model": "m", "query": "capital of France", **TEXTS}
    assert len(post(fake(provider), {**body, top: 2})[results]) == 2
    assert len(post(fake(provider), body)[results]) == 3


def test_fakes_take_what_the_official_sdks_send(fake: Start) -> None:
    body = {"model": "m", "query": "capital", **TEXTS, "top_k": None, "truncation": True}
    assert len(post(fake("voyage"), body)["data"]) == 3
    body = {"model": "m", "query": "capital", "texts": TEXTS["documents"], "is_iql": False,
            "scoring_method": "auto", "top_n": None}  # fmt: skip
    assert len(post(fake("isaacus"), body)["results"]) == 3


def test_relevant_spans_are_asked_for_by_an_option(fake: Start) -> None:
    server = fake("cohere")
    done = run("cohere", server, relevant_spans="enabled")
    assert done.ranking.doc_ids == ORDER
    text = DOCS[1].content
    assert [text[start:end] for start, end in done.trace.relevant_spans["b"]] == [
        "capital",
        "of",
        "France",
    ]
    written = json.loads(json.dumps(done.trace.to_json()))
    assert msgspec.convert(written, Trace) == done.trace
    assert run("cohere", server).trace.relevant_spans == {}
    sent = [request.body.get("relevant_spans") for request in server.requests]
    assert sent == [{"mode": "enabled"}, None]


@pytest.mark.parametrize("long", ["head", "max"])
def test_relevant_spans_are_kept_with_the_scores(long: str, fake: Start, tmp_path: Path) -> None:
    server = fake("cohere")
    ctx = keyed(cache=ScoreCache(tmp_path / "scores.sqlite"))
    yellow = " ".join(f"Banana number {i} is yellow." for i in range(60))
    docs = [*DOCS, Document("long", f"{yellow} Paris is the capital.", "Fruit of the world")]
    options = {"relevant_spans": "enabled", "long": long, "max_tokens_per_doc": 100}
    first, again = (made("cohere", server, **options).rerank(QUERY, docs, ctx) for _ in range(2))
    assert len(server.requests) == 1
    assert first.trace.relevant_spans == again.trace.relevant_spans
    content = docs[-1].content
    words = [content[start:end] for start, end in again.trace.relevant_spans["long"]]
    assert words == ["of", "capital"]
    assert set(again.trace.relevant_spans) == {"b", "c", "d", "long"}


def test_spans_that_were_paid_for_are_kept_when_a_later_request_fails(
    fake: Start, tmp_path: Path
) -> None:
    server = fake("cohere")
    cache = ScoreCache(tmp_path / "scores.sqlite")
    reranker = made("cohere", server, relevant_spans="enabled", concurrency=1, retries=0)
    docs = [Document(f"d{i}", f"capital {i}") for i in range(1001)]
    server.queue(Switch())
    server.queue(Switch(status=400))
    with pytest.raises(BackendError):
        reranker.rerank(QUERY, docs, keyed(cache=cache))
    assert cache.count() == 1000
    kept = reranker.rerank(QUERY, docs[:1000], keyed(cache=cache)).trace
    assert (kept.cache_hits, kept.relevant_spans["d7"]) == (1000, ((0, 7),))
