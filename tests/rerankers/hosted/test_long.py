"""Documents longer than a provider reads: told as cut, or sent in passages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rerank_lab.components.registry import load
from rerank_lab.core.context import Context
from rerank_lab.core.types import Document, Status
from rerank_lab.rerankers.hosted.split import estimated_tokens
from rerank_lab.rerankers.score_cache import ScoreCache
from rerank_lab.testing.provider_servers import FakeProvider, overlap
from tests.rerankers.hosted.conftest import DOCS, QUERY, keyed, made

Start = Callable[..., FakeProvider]


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
    assert reranker.cost_estimate(QUERY, many).units > plain.cost_estimate(QUERY, many).units == 1


def test_what_a_provider_read_is_only_estimated() -> None:
    reranker = load("reranker", "cohere")(max_tokens_per_doc=100)
    long, short = Document("long", "capital " * 200), Document("short", "capital " * 50)
    seen = reranker.input_coverage("q", long, Context())
    assert seen.estimated
    assert seen.spans == ((0, 500),)
    assert reranker.input_coverage("q", short, Context()).whole


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
