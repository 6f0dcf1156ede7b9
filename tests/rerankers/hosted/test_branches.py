"""What goes wrong now and then with a provider: odd replies, endless pages, proxies."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rerank_lab.components.registry import load
from rerank_lab.core.context import Context
from rerank_lab.core.errors import BackendError
from rerank_lab.core.spend import SpendMeter
from rerank_lab.core.types import Status
from rerank_lab.rerankers.hosted import base
from rerank_lab.testing.provider_servers import FakeProvider, Switch
from tests.rerankers.hosted.conftest import DOCS, ORDER, QUERY, keyed, run

Start = Callable[..., FakeProvider]


def refused(provider: str, server: FakeProvider, **options: object) -> BackendError:
    with pytest.raises(BackendError) as caught:
        run(provider, server, retries=0, **options)
    return caught.value


def test_pages_without_end_are_given_up(fake: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "_MAX_PAGES", 5)
    server = fake("bedrock")
    server.always = Switch(raw='{"results": [], "nextToken": "more"}')
    assert "more than 5 pages" in refused("bedrock", server).message
    assert len(server.requests) == 5


def test_a_bedrock_server_that_is_away_is_called_so(fake: Start) -> None:
    server = fake("bedrock")
    server.__exit__(None, None, None)
    message = refused("bedrock", server).message
    assert "connection to AWS Bedrock failed" in message
    assert "pages" not in message


def test_cohere_on_pinecone_is_not_sent_what_it_refuses(fake: Start) -> None:
    server = fake("pinecone")
    run("pinecone", server, model="cohere-rerank-4-fast")
    run("pinecone", server, model="bge-reranker-v2-m3")
    assert ["parameters" in request.body for request in server.requests] == [False, True]


def test_all_three_aws_keys_of_the_environment_belong_together(
    fake: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = fake("bedrock", keys=("id-of-the-server",))
    monkeypatch.setenv("RERANK_LAB_KEY_HOSTS", "127.0.0.1")
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "id-of-the-server"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_SESSION_TOKEN", "token-of-the-server"),
    ):
        monkeypatch.setenv(name, value)
    assert run("bedrock", server, Context()).status is Status.OK
    assert server.requests[0].headers["x-amz-security-token"] == "token-of-the-server"


@pytest.mark.parametrize("provider", ["voyage", "pinecone", "elastic", "tei", "together"])
def test_the_providers_own_words_are_shown_and_not_its_json(provider: str, fake: Start) -> None:
    server = fake(provider)
    server.always = Switch(status=402, words="Your credit is used up.")
    error = refused(provider, server)
    assert "answered 402: Your credit is used up (" in error.message
    assert "{" not in error.message
    server.always = Switch(status=402, raw="<h1>Pay  first.</h1>")
    assert "answered 402: <h1>Pay first.</h1> (" in refused(provider, server).message


def test_a_long_message_is_cut_and_stands_whole_in_the_details(fake: Start) -> None:
    server = fake("voyage")
    server.always = Switch(status=402, words="word " * 400)
    error = refused("voyage", server)
    assert len(error.message) < 600
    assert " ... (" in error.message
    assert len(error.details) > 2000


def test_a_server_of_ones_own_costs_nothing_so_any_limit_is_kept(fake: Start) -> None:
    done = run("tei", fake("tei"), keyed(spend=SpendMeter(limit=0.01)))
    assert done.status is Status.OK
    assert done.ranking.doc_ids == ORDER
    assert done.trace.cost == 0.0


def test_requests_go_through_the_networks_proxy_unless_it_is_bypassed(
    fake: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, server = fake("vllm"), fake("vllm")
    monkeypatch.setenv("http_proxy", proxy.root)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    far = load("reranker", "vllm")(base_url="http://rerank.example", retries=0)
    with pytest.raises(BackendError, match="no such path"):
        far.rerank(QUERY, DOCS, Context())
    assert [request.path for request in proxy.requests] == ["http://rerank.example/rerank"]
    assert run("vllm", server).ranking.doc_ids == ORDER
    assert len(proxy.requests) == 1
