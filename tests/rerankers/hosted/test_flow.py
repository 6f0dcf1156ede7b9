"""Many requests for one query: order, failures, cancel, cache, and models that read all at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from rerank_lab.components.registry import load
from rerank_lab.core.context import CancelToken, Context
from rerank_lab.core.errors import BackendError, Cancelled, DeadlineExceeded, InvalidInput
from rerank_lab.core.types import Document, Status
from rerank_lab.rerankers.score_cache import ScoreCache
from rerank_lab.testing.provider_servers import FakeProvider, Switch, scorer_of
from tests.rerankers.hosted.conftest import DOCS, QUERY, keyed, made, many, run

Start = Callable[..., FakeProvider]


@pytest.mark.parametrize("provider", ["tei", "pinecone"])
def test_a_pool_over_the_servers_cap_is_split_and_scored_as_if_whole(
    provider: str, fake: Start
) -> None:
    docs = many(250)
    server = fake(provider)
    done = made(provider, server).rerank(QUERY, docs, keyed())
    sizes = [len(request.body[server.wire.texts]) for request in server.requests]
    cap = {"tei": 32, "pinecone": 100}[provider]
    assert max(sizes) == cap
    assert sum(sizes) == 250
    assert done.trace.calls == len(sizes)
    expected = server.scorer(QUERY.text, [doc.content for doc in docs])
    order = sorted(range(250), key=lambda i: (-expected[i], i))
    assert done.ranking.doc_ids == tuple(docs[i].id for i in order)


def test_requests_side_by_side_keep_the_order_of_the_documents(fake: Start) -> None:
    """The first request answers last; its scores still belong to the first documents."""
    server = fake("tei", scorer=lambda _, texts: [float(text.split()[-1]) for text in texts])
    server.queue(Switch(delay_s=0.2))
    docs = [Document(str(i), f"score {1000 - i}") for i in range(90)]
    done = made("tei", server, batch=10, concurrency=9).rerank(QUERY, docs, keyed())
    assert done.ranking.doc_ids == tuple(str(i) for i in range(90))


def test_no_more_requests_side_by_side_than_said(fake: Start) -> None:
    lock, now, peak = threading.Lock(), [0], [0]

    def scorer(_: str, texts: Sequence[str]) -> list[float]:
        with lock:
            now[0] += 1
            peak[0] = max(peak[0], now[0])
        time.sleep(0.05)
        with lock:
            now[0] -= 1
        return [0.5] * len(texts)

    server = fake("tei", scorer=scorer)
    made("tei", server, batch=1, concurrency=3).rerank(QUERY, many(12), keyed())
    assert peak[0] == 3


def test_the_first_failure_ends_the_query_and_no_half_ranking_comes_back(fake: Start) -> None:
    server = fake("tei")
    server.queue(Switch(status=413, words="too large"))
    with pytest.raises(BackendError, match="413"):
        made("tei", server, batch=1, concurrency=2).rerank(QUERY, many(60), keyed())
    time.sleep(0.1)
    assert len(server.requests) < 10


def test_after_a_failure_the_other_requests_are_not_tried_again(fake: Start) -> None:
    server = fake("tei")
    server.always = Switch(status=503, headers={"retry-after": "0.5"})
    server.queue(Switch(status=413, delay_s=0.2))
    with pytest.raises(BackendError, match="413"):
        made("tei", server, batch=1, concurrency=4).rerank(QUERY, many(4), keyed())
    time.sleep(1.0)
    assert len(server.requests) == 4


def test_what_was_answered_before_a_failure_is_not_paid_again(fake: Start, tmp_path: Path) -> None:
    server, cache = fake("tei"), ScoreCache(tmp_path / "s.sqlite")
    docs = many(60)
    reranker = made("tei", server, batch=10, concurrency=1)
    for _ in range(4):
        server.queue(Switch())
    server.queue(Switch(status=413))
    with pytest.raises(BackendError):
        reranker.rerank(QUERY, docs, keyed(cache=cache))
    assert len(server.requests) == 5
    done = reranker.rerank(QUERY, docs, keyed(cache=cache))
    assert (len(server.requests), done.trace.cache_hits) == (7, 40)
    assert done.ranking == reranker.rerank(QUERY, docs, keyed()).ranking


def test_a_cancel_is_noticed_while_the_server_takes_its_time(fake: Start) -> None:
    server = fake("voyage")
    server.always = Switch(delay_s=5)
    token = CancelToken()
    threading.Timer(0.2, token.cancel).start()
    start = time.monotonic()
    with pytest.raises(Cancelled):
        run("voyage", server, keyed(cancel=token))
    assert time.monotonic() - start < 3


def test_a_cancel_is_noticed_between_attempts(fake: Start) -> None:
    server = fake("voyage")
    server.always = Switch(status=429, headers={"retry-after": "5"})
    token = CancelToken()
    threading.Timer(0.2, token.cancel).start()
    start = time.monotonic()
    with pytest.raises(Cancelled):
        run("voyage", server, keyed(cancel=token))
    assert time.monotonic() - start < 3
    assert len(server.requests) == 1


def test_the_deadline_bounds_the_wait_for_a_slow_server(fake: Start) -> None:
    server = fake("voyage")
    server.always = Switch(delay_s=5)
    start = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        run("voyage", server, keyed(deadline=time.monotonic() + 0.3))
    assert time.monotonic() - start < 3


def test_scores_are_cached_per_document_and_depth_reuses_them(fake: Start, tmp_path: Path) -> None:
    server, cache = fake("voyage"), ScoreCache(tmp_path / "s.sqlite")
    docs = many(20)
    reranker = made("voyage", server)
    reranker.rerank(QUERY, docs[:12], keyed(cache=cache))
    done = reranker.rerank(QUERY, docs, keyed(cache=cache))
    assert [len(r.body["documents"]) for r in server.requests] == [12, 8]
    assert done.trace.cache_hits == 12


def test_another_address_or_model_never_meets_cached_scores() -> None:
    prints = {
        load("reranker", "voyage")(**options).fingerprint()
        for options in [{}, {"model": "rerank-2"}, {"base_url": "https://x.org/v1"}]
    }
    assert len(prints) == 3
    same = {load("reranker", "voyage")(**o).fingerprint() for o in [{}, {"retries": 1, "top": 5}]}
    assert len(same) == 1


def test_a_model_that_reads_all_at_once_is_never_split(fake: Start) -> None:
    server = fake("jina")
    docs = [Document(str(i), "x") for i in range(3)] + many(2100)
    reranker = made("jina", server, model="jina-reranker-v3")
    with pytest.raises(InvalidInput, match="compares all documents in one request") as caught:
        reranker.rerank(QUERY, docs, keyed())
    assert "top=2048" in caught.value.hint
    assert server.requests == []
    made("jina", server).rerank(QUERY, docs, keyed())
    assert len(server.requests) == 2


def test_scores_that_depend_on_company_are_kept_for_that_company_only(
    fake: Start, tmp_path: Path
) -> None:
    server, cache = fake("jina"), ScoreCache(tmp_path / "s.sqlite")
    reranker = made("jina", server, model="jina-reranker-v3")
    first = reranker.rerank(QUERY, DOCS, keyed(cache=cache))
    again = reranker.rerank(QUERY, DOCS, keyed(cache=cache))
    assert (again.status, again.ranking) == (Status.CACHED, first.ranking)
    assert len(server.requests) == 1
    reranker.rerank(QUERY, DOCS[:3], keyed(cache=cache))
    reranker.rerank(QUERY, DOCS[::-1], keyed(cache=cache))
    assert [len(r.body["documents"]) for r in server.requests] == [4, 3, 4]


def test_a_missing_package_is_said_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "httpcore" else real(name, *a)
    )
    cohere = load("reranker", "cohere")()
    assert "rerank-lab[hosted]" in cohere.problems()[0].hint
    with pytest.raises(type(cohere.problems()[0])):
        cohere.rerank(QUERY, DOCS, keyed())


def test_an_empty_list_and_a_single_document(fake: Start) -> None:
    server = fake("voyage")
    assert made("voyage", server).rerank(QUERY, [], keyed()).ranking.doc_ids == ()
    assert server.requests == []
    assert made("voyage", server).rerank(QUERY, DOCS[:1], keyed()).ranking.doc_ids == ("a",)


@pytest.mark.models
def test_a_server_can_rank_as_the_local_cross_encoder_does(fake: Start) -> None:
    local = load("reranker", "cross-encoder")(model="ms-marco-minilm-l12")
    expected = local.rerank(QUERY, DOCS, Context()).ranking
    done = run("cohere", fake("cohere", scorer=scorer_of(local)))
    assert done.ranking.doc_ids == expected.doc_ids
    assert [h.score for h in done.ranking] == pytest.approx([h.score for h in expected])
