"""Every provider, its real client, a real server: good replies, and each way of being bad."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from rerank_lab.core.errors import BackendError, LabError
from rerank_lab.core.types import Document, Status
from rerank_lab.testing.provider_servers import FakeProvider, Switch
from rerank_lab.testing.wire_formats import WIRES
from tests.rerankers.hosted.conftest import DOCS, ORDER, QUERY, keyed, made, run

Start = Callable[..., FakeProvider]
every = pytest.mark.parametrize("provider", list(WIRES))
adapters = pytest.mark.parametrize("provider", ["cohere", "voyage", "bedrock", "tei"])


@every
def test_documents_come_back_in_the_servers_order_with_its_scores(
    provider: str, fake: Start
) -> None:
    done = run(provider, fake(provider))
    assert done.ranking.doc_ids == ORDER
    assert done.ranking.hits[0].score == pytest.approx(1.0)
    assert done.status is Status.OK
    assert done.trace.calls == 1
    assert done.trace.network_s > 0
    assert done.trace.units > 0
    assert done.trace.unit


@every
def test_a_request_holds_no_null_and_only_fields_that_the_provider_knows(
    provider: str, fake: Start
) -> None:
    server = fake(provider)
    run(provider, server)
    assert "null" not in json.dumps(server.requests[0].body)


@every
def test_the_order_of_the_results_does_not_matter(provider: str, fake: Start) -> None:
    server = fake(provider)
    server.queue(Switch(order="reversed"))
    assert run(provider, server).ranking.doc_ids == ORDER


@every
def test_duplicate_texts_keep_both_ids(provider: str, fake: Start) -> None:
    docs = [*DOCS, Document("b2", DOCS[1].text)]
    server = fake(provider)
    ranking = made(provider, server).rerank(QUERY, docs, keyed()).ranking
    assert ranking.doc_ids[:2] == ("b", "b2")
    assert len(ranking) == 5


def test_the_same_text_is_sent_and_paid_once(fake: Start) -> None:
    server = fake("voyage")
    made("voyage", server).rerank(QUERY, [*DOCS, Document("b2", DOCS[1].text)], keyed())
    assert len(server.requests[0].body["documents"]) == 4


BAD = {
    "short": (Switch(short=1), "scored 3 of 4 documents, without number 0"),
    "duplicate": (Switch(duplicate=True), "scored document 1 twice"),
    "out of range": (Switch(out_of_range=True), "scored document 4, but 4 were sent"),
    "no score": (Switch(no_score=True), "without a score"),
    "no index": (Switch(no_index=True), "without an index"),
    "not a number": (Switch(nan=True), "not a finite number"),
    "no list": (Switch(no_results=True), "sent no list"),
    "not JSON": (Switch(raw="<html>welcome</html>"), "not JSON"),
}


@every
@pytest.mark.parametrize("kind", list(BAD))
def test_a_useless_reply_is_an_error_of_its_own_and_not_tried_again(
    provider: str, kind: str, fake: Start
) -> None:
    switch, words = BAD[kind]
    server = fake(provider)
    server.always = switch
    with pytest.raises(BackendError) as caught:
        run(provider, server)
    assert caught.value.hint
    assert words in caught.value.message
    assert not caught.value.retryable
    assert len(server.requests) == 1


ODD = [
    "[]", "null", '"x"', "5", '{"results": 5}', '{"results": [5]}', '{"results": "abc"}',
    '{"results": {"a": 1}}', '{"data": [[]]}', '{"results": [{"index": "x", "score": 1}]}',
    '{"results": [{"index": 1e400, "relevance_score": 1, "relevanceScore": 1}]}',
    '{"results": [{"index": 0, "relevance_score": "hi", "relevanceScore": "hi"}]}',
    '{"results": [{"index": true, "relevance_score": 1, "relevanceScore": 1}]}',
]  # fmt: skip


@every
@pytest.mark.parametrize("status", [200, 400])
def test_a_reply_of_any_other_shape_is_an_error_for_people(
    provider: str, status: int, fake: Start
) -> None:
    server = fake(provider)
    reranker = made(provider, server, retries=0)
    for raw in ODD:
        server.always = Switch(raw=raw, status=status)
        with pytest.raises(BackendError) as caught:
            reranker.rerank(QUERY, DOCS, keyed())
        assert reranker.provider.title in caught.value.message


PERMANENT = {
    400: "model name",
    401: "Check the key in",
    402: "billing",
    403: "permissions",
    404: "model name and the base URL",
    413: "fewer candidates",
    422: "field or value",
    424: "not a reranker",
    418: "model name",
}


@adapters
@pytest.mark.parametrize("status", list(PERMANENT))
def test_a_permanent_refusal_is_shown_in_full_at_once(
    provider: str, status: int, fake: Start
) -> None:
    server = fake(provider)
    server.always = Switch(status=status, words="pool of 50 is too much " + "x" * 900)
    with pytest.raises(BackendError) as caught:
        run(provider, server)
    assert f"answered {status}: " in caught.value.message
    assert "pool of 50 is too much" in caught.value.message
    assert "x" * 900 in caught.value.details or provider == "bedrock"
    assert PERMANENT[status] in caught.value.hint
    assert not caught.value.retryable
    assert len(server.requests) == 1


@adapters
@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504])
def test_a_passing_fault_is_tried_again_and_counted(
    provider: str, status: int, fake: Start
) -> None:
    server = fake(provider)
    server.queue(Switch(status=status), times=2)
    done = run(provider, server)
    assert done.ranking.doc_ids == ORDER
    assert done.trace.retries == 2
    assert len(server.requests) == 3


@adapters
@pytest.mark.parametrize("switch", [Switch(drop=True), Switch(cut=True)], ids=["drop", "cut"])
def test_a_broken_connection_is_tried_again(provider: str, switch: Switch, fake: Start) -> None:
    server = fake(provider)
    server.queue(switch)
    done = run(provider, server)
    assert done.ranking.doc_ids == ORDER
    assert len(server.requests) >= 2


@adapters
def test_attempts_are_bounded_and_the_last_error_is_shown(provider: str, fake: Start) -> None:
    server = fake(provider)
    server.always = Switch(status=503, words="the kitchen burns")
    with pytest.raises(BackendError, match=r"503 after 3 attempts: .*the kitchen burns") as caught:
        run(provider, server, retries=2)
    assert caught.value.retryable
    assert len(server.requests) == 3


@adapters
def test_a_server_that_never_answers_times_out(provider: str, fake: Start) -> None:
    server = fake(provider)
    server.always = Switch(delay_s=0.6)
    with pytest.raises(BackendError, match="did not answer in time"):
        run(provider, server, retries=0, timeout_s=0.15)


@pytest.mark.parametrize("provider", ["cohere", "voyage"])
def test_a_reply_that_trickles_in_times_out_as_a_whole(provider: str, fake: Start) -> None:
    server = fake(provider)
    server.always = Switch(drip_s=0.1)
    start = time.monotonic()
    with pytest.raises(BackendError, match="did not answer in time"):
        run(provider, server, retries=0, timeout_s=0.3)
    assert time.monotonic() - start < 3


def test_nobody_listening_is_an_error_with_the_next_step(fake: Start) -> None:
    server = fake("voyage")
    reranker = made("voyage", server, retries=1)
    server.__exit__(None, None, None)
    with pytest.raises(BackendError, match="connection to Voyage AI failed after 2 attempts") as c:
        reranker.rerank(QUERY, DOCS, keyed())
    assert "base URL" in c.value.hint


@pytest.mark.parametrize("provider", ["cohere", "voyage"])
def test_an_enormous_reply_is_not_read_to_its_end(
    provider: str, fake: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rerank_lab.remote import transport

    monkeypatch.setattr(transport, "MAX_REPLY_BYTES", 2**20)
    server = fake(provider)
    server.always = Switch(huge=True)
    with pytest.raises(BackendError, match="larger than 1 MB"):
        run(provider, server)


@pytest.mark.parametrize("provider", ["cohere", "voyage"])
def test_a_redirect_is_not_followed(provider: str, fake: Start) -> None:
    server, other = fake(provider), fake(provider)
    server.always = Switch(status=307, headers={"location": other.root + "/rerank"})
    with pytest.raises(BackendError, match="redirects to another address") as caught:
        run(provider, server)
    assert other.requests == []
    assert other.root in caught.value.details


@pytest.mark.parametrize("form", ["seconds", "date", "milliseconds"])
@adapters
def test_retry_after_is_honoured_in_every_form(provider: str, form: str, fake: Start) -> None:
    server = fake(provider)
    soon = datetime.now(UTC) + timedelta(seconds=2)
    header = {
        "seconds": {"Retry-After": "0.3"},
        "date": {"Retry-After": format_datetime(soon, usegmt=True)},
        "milliseconds": {"retry-after-ms": "300"},
    }[form]
    server.queue(Switch(status=429, headers=header))
    start = time.monotonic()
    done = run(provider, server)
    took = time.monotonic() - start
    assert took >= 0.3
    assert done.trace.queue_s >= 0.3
    assert done.trace.network_s <= took - 0.3


def test_a_wait_longer_than_the_cap_is_not_waited_for(fake: Start) -> None:
    server = fake("voyage")
    server.always = Switch(status=429, headers={"Retry-After": "3600"})
    start = time.monotonic()
    with pytest.raises(BackendError, match="429"):
        run("voyage", server)
    assert time.monotonic() - start < 10
    assert len(server.requests) == 1


def test_a_wait_beyond_the_deadline_ends_at_once(fake: Start) -> None:
    server = fake("voyage")
    server.always = Switch(status=429, headers={"Retry-After": "20"})
    start = time.monotonic()
    with pytest.raises(LabError) as caught:
        run("voyage", server, keyed(deadline=time.monotonic() + 5))
    assert caught.value.kind == "deadline_exceeded"
    assert time.monotonic() - start < 4


@pytest.mark.parametrize("provider", ["voyage", "jina", "pinecone", "vllm", "mixedbread"])
def test_another_model_than_asked_for_is_said(provider: str, fake: Start) -> None:
    server = fake(provider)
    server.always = Switch(model="something-older")
    trace = run(provider, server).trace
    assert trace.model_served == "something-older"
    assert any("answered by something-older" in warning for warning in trace.warnings)
    server.always = Switch()
    assert run(provider, server).trace.warnings == ()


def test_the_latency_mode_that_really_ran_is_said(fake: Start) -> None:
    server = fake("zeroentropy")
    server.always = Switch(mode="slow")
    trace = run("zeroentropy", server).trace
    assert server.requests[0].body["latency"] == "fast"
    assert trace.warnings == ("ZeroEntropy ran in slow mode, fast was asked for.",)
    assert trace.server_s == pytest.approx(0.012)


def test_the_times_and_tokens_of_a_tei_server_are_read_from_its_headers(fake: Start) -> None:
    server = fake("tei")
    server.always = Switch(headers={"x-total-time": "37", "x-compute-tokens": "412"})
    trace = run("tei", server).trace
    assert trace.server_s == pytest.approx(0.037)
    assert trace.tokens_in == 412
    assert trace.total_s == pytest.approx(
        trace.load_s + trace.queue_s + trace.network_s + trace.compute_s
    )


def test_bedrock_follows_every_page(fake: Start) -> None:
    server = fake("bedrock")
    server.always = Switch(page=1)
    assert run("bedrock", server).ranking.doc_ids == ORDER
    assert len(server.requests) == 4
    assert server.requests[0].body["rerankingConfiguration"]["bedrockRerankingConfiguration"] == {
        "numberOfResults": 4,
        "modelConfiguration": {
            "modelArn": "arn:aws:bedrock:us-east-1::foundation-model/amazon.rerank-v1:0"
        },
    }


def test_the_hosted_nim_address_names_the_model_with_underscores() -> None:
    from rerank_lab.components.registry import load

    nim = load("reranker", "nim")()
    assert nim.url(nim.base_url()) == (
        "https://ai.api.nvidia.com/v1/retrieval/nvidia/llama-3_2-nv-rerankqa-1b-v2/reranking"
    )


OPTIONS = {
    "cohere": ({"max_tokens_per_doc": 512, "priority": 3}, {"max_tokens_per_doc": 512}),
    "contextual": ({"instruction": "prefer recent"}, {"instruction": "prefer recent"}),
    "pinecone": ({"truncate": "NONE"}, {"parameters": {"truncate": "NONE"}}),
    "nim": ({"truncate": "NONE"}, {"truncate": "NONE"}),
    "vllm": ({"truncate_prompt_tokens": 256}, {"truncate_prompt_tokens": 256}),
    "zeroentropy": ({"latency": "slow"}, {"latency": "slow"}),
    "mixedbread": ({}, {"top_k": 4}),
}


@pytest.mark.parametrize("provider", list(OPTIONS))
def test_a_providers_own_options_are_sent(provider: str, fake: Start) -> None:
    options, fields = OPTIONS[provider]
    server = fake(provider)
    run(provider, server, **options)
    body = server.requests[0].body
    assert {name: body[name] for name in fields} == fields


def test_blank_documents_and_broken_characters_do_not_fail_the_request(fake: Start) -> None:
    docs = [*DOCS, Document("blank", " "), Document("half", "half a pair \ud83d")]
    server = fake("voyage")
    done = made("voyage", server).rerank(QUERY, docs, keyed())
    assert len(done.ranking) == 6
    assert done.ranking.hits[-1].doc_id == "blank"
    assert "1 candidate has no text and comes last, without a score." in done.trace.warnings


@pytest.mark.parametrize(
    ("provider", "sent"),
    [
        ("voyage", "prefer recent\ncapital of France"),
        (
            "zeroentropy",
            "<query>capital of France</query>\n<instructions>prefer recent</instructions>",
        ),
    ],
)
def test_an_instruction_stands_in_the_query_where_there_is_no_field_for_it(
    provider: str, sent: str, fake: Start
) -> None:
    server = fake(provider)
    told = run(provider, server, instruction=" prefer\n recent")
    assert server.requests[0].body["query"] == sent
    assert not any("instruction" in warning for warning in told.trace.warnings)
    run(provider, server)
    assert server.requests[1].body["query"] == QUERY.text
    plain, asked = made(provider, server), made(provider, server, instruction="prefer recent")
    assert plain.fingerprint() != asked.fingerprint()
    assert asked.cost_estimate(QUERY, DOCS).units > plain.cost_estimate(QUERY, DOCS).units


def test_a_model_that_follows_no_instruction_is_told(fake: Start) -> None:
    told = run("voyage", fake("voyage"), model="rerank-2", instruction="prefer recent")
    assert "rerank-2 follows no instruction" in told.trace.warnings[0]
