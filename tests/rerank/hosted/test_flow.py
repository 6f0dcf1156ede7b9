"""Splitting, order, limits a minute, cache, cancel, and models that read all documents at once."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_lab.cache import ScoreCache
from rerank_lab.context import CancelToken, Context
from rerank_lab.errors import BackendError, Cancelled, DeadlineExceeded, InvalidInput
from rerank_lab.registry import load
from rerank_lab.rerank.hosted.split import estimated_tokens, sendable, split
from rerank_lab.testing_servers import FakeProvider, Switch, overlap, scorer_of
from rerank_lab.types import Document, Status
from rerank_lab.wire import limiter
from rerank_lab.wire.limiter import RateLimiter, limiter_of
from rerank_lab.wire.providers import Limits
from tests.rerank.hosted.conftest import DOCS, QUERY, keyed, made, run

Start = Callable[..., FakeProvider]
TEXT = st.text(max_size=100)
LIMITS = st.builds(
    Limits,
    documents=st.integers(1, 60),
    tokens=st.integers(0, 400) | st.just(0),
    bytes=st.integers(4000, 6000),
)


def _many(n: int) -> list[Document]:
    return [Document(f"d{i:03}", f"{'capital ' * (i % 7)}of number {i}") for i in range(n)]


@given(TEXT, st.lists(TEXT, max_size=60), LIMITS)
def test_batches_cover_every_text_once_and_keep_to_the_limits(
    query: str, texts: list[str], limits: Limits
) -> None:
    batches = split(query, texts, limits, "X")
    assert [i for b in batches for i in range(b.start, b.end)] == list(range(len(texts)))
    for batch in batches:
        part = [sendable(text) for text in texts[batch.start : batch.end]]
        assert 1 <= len(part) <= limits.documents
        tokens = estimated_tokens(query) * len(part) + sum(map(estimated_tokens, part))
        assert not limits.tokens or len(part) == 1 or tokens <= limits.tokens + 2 * len(part)
        body = {"model": "m" * 60, "query": sendable(query), "documents": part}
        assert len(json.dumps(body, ensure_ascii=False).encode()) <= limits.bytes


def test_requests_stay_under_the_byte_limit_as_json_writes_them() -> None:
    texts = ['line\n"quoted" \u00e9 \x01' * 12 for _ in range(50)]
    batches = split("query", texts, Limits(documents=1000, bytes=5000), "X")
    assert len(batches) > 1
    for batch in batches:
        body = {"query": "query", "documents": texts[batch.start : batch.end]}
        assert len(json.dumps(body, ensure_ascii=False).encode()) <= 5000


def test_a_text_over_the_byte_limit_is_refused_by_number() -> None:
    with pytest.raises(InvalidInput, match="Candidate 2 has"):
        split("q", ["fits", "x" * 5000], Limits(bytes=3000), "TEI")


def test_one_text_over_the_token_limit_goes_alone() -> None:
    sizes = [b.documents for b in split("q", ["a", "b " * 900, "c"], Limits(tokens=100), "X")]
    assert sizes == [1, 1, 1]


@given(st.text())
def test_what_is_sent_can_be_written_as_json_and_is_never_blank(text: str) -> None:
    sent = sendable(text + "\ud800")
    assert sent.encode()
    assert sendable(text).strip()


@pytest.mark.parametrize("provider", ["tei", "pinecone"])
def test_a_pool_over_the_servers_cap_is_split_and_scored_as_if_whole(
    provider: str, fake: Start
) -> None:
    docs = _many(250)
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
    made("tei", server, batch=1, concurrency=3).rerank(QUERY, _many(12), keyed())
    assert peak[0] == 3


def test_the_first_failure_ends_the_query_and_no_half_ranking_comes_back(fake: Start) -> None:
    server = fake("tei")
    server.queue(Switch(status=413, words="too large"))
    with pytest.raises(BackendError, match="413"):
        made("tei", server, batch=1, concurrency=2).rerank(QUERY, _many(60), keyed())
    time.sleep(0.1)
    assert len(server.requests) < 10


def test_after_a_failure_the_other_requests_are_not_tried_again(fake: Start) -> None:
    server = fake("tei")
    server.always = Switch(status=503, headers={"retry-after": "0.5"})
    server.queue(Switch(status=413, delay_s=0.2))
    with pytest.raises(BackendError, match="413"):
        made("tei", server, batch=1, concurrency=4).rerank(QUERY, _many(4), keyed())
    time.sleep(1.0)
    assert len(server.requests) == 4


def test_what_was_answered_before_a_failure_is_not_paid_again(fake: Start, tmp_path: Path) -> None:
    server, cache = fake("tei"), ScoreCache(tmp_path / "s.sqlite")
    docs = _many(60)
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
    docs = _many(20)
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
    docs = [Document(str(i), "x") for i in range(3)] + _many(2100)
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


def test_long_documents_are_marked_as_cut_where_the_provider_cuts(fake: Start) -> None:
    docs = [*DOCS, Document("long", "capital " * 6000)]
    done = made("pinecone", fake("pinecone")).rerank(QUERY, docs, keyed())
    assert (done.status, done.trace.truncated) == (Status.TRUNCATED, 1)
    done = made("cohere", fake("cohere"), max_tokens_per_doc=100).rerank(QUERY, docs, keyed())
    assert (done.status, done.trace.truncated) == (Status.TRUNCATED, 1)


def test_long_documents_are_sent_in_passages_that_fit_and_are_paid_for_as_such(
    fake: Start,
) -> None:
    server = fake("cohere", scorer=overlap)
    reranker = made("cohere", server, max_tokens_per_doc=100, long="max")
    yellow = " ".join(f"Banana number {i} is yellow." for i in range(60))
    late = Document("late", f"{yellow} Paris is the capital of France.")
    done = reranker.rerank(QUERY, [*DOCS[:1], late], keyed())
    assert (done.status, done.trace.truncated) == (Status.OK, 0)
    assert done.ranking.doc_ids == ("late", "a")
    (request,) = server.requests
    sent = request.body["documents"]
    assert done.trace.counts["passages"] == len(sent) - 1 > 4
    assert all(estimated_tokens(text) <= 100 for text in sent)
    many = [Document("many", " ".join(f"Banana number {i} is yellow." for i in range(2000)))]
    plain = made("cohere", server, max_tokens_per_doc=100)
    assert reranker.estimate(QUERY, many).units > plain.estimate(QUERY, many).units == 1


def test_what_a_provider_read_is_only_estimated() -> None:
    reranker = load("reranker", "cohere")(max_tokens_per_doc=100)
    long, short = Document("long", "capital " * 200), Document("short", "capital " * 50)
    seen = reranker.seen("q", long, Context())
    assert seen.estimated
    assert seen.spans == ((0, 500),)
    assert reranker.seen("q", short, Context()).whole


def test_where_nobody_says_how_much_is_read_no_document_is_cut(fake: Start) -> None:
    server = fake("infinity")
    docs = [*DOCS, Document("long", "capital " * 2000)]
    done = made("infinity", server, long="max").rerank(QUERY, docs, keyed())
    assert len(server.requests[0].body["documents"]) == 5
    assert any("not known" in warning for warning in done.trace.warnings)


def test_passages_for_a_model_that_reads_all_at_once_go_in_one_request(
    fake: Start, tmp_path: Path
) -> None:
    server, cache = fake("jina", scorer=overlap), ScoreCache(tmp_path / "s.sqlite")
    reranker = made("jina", server, model="jina-reranker-v3", long="max")
    docs = [*DOCS, Document("long", "Bananas are yellow. " * 30_000)]
    first = reranker.rerank(QUERY, docs, keyed(cache=cache))
    again = reranker.rerank(QUERY, docs, keyed(cache=cache))
    assert len(server.requests) == 1
    assert len(server.requests[0].body["documents"]) > 5
    assert (again.status, again.ranking) == (Status.CACHED, first.ranking)


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
            QUERY, _many(5), keyed(deadline=time.monotonic() + 2)
        )
    assert len(server.requests) == 3


def test_a_missing_package_is_said_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "cohere" else real(name, *a)
    )
    cohere = load("reranker", "cohere")()
    assert "rerank-lab[hosted]" in cohere.problems()[0].hint
    with pytest.raises(type(cohere.problems()[0])):
        cohere.rerank(QUERY, DOCS, keyed())
    assert load("reranker", "voyage")().problems() == []


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
