"""`/v1/search`: the whole pipeline over the server's corpus."""

from __future__ import annotations

from rerank_lab.corpora.corpus import Corpus
from rerank_lab.server.limits import RequestLimits
from tests.server.conftest import QUERY, TEXTS, MakeClient


def test_hits_come_with_scores_and_what_it_took(client: MakeClient, corpus: Corpus) -> None:
    body = {"query": QUERY, "top_n": 1, "return_documents": True}
    answer = client(corpus=corpus).post("/v1/search", json=body).json()
    assert answer["pipeline"] == "bm25 >> overlap"
    assert answer["hits"] == [
        {"rank": 1, "doc_id": "d1", "score": 1.0, "document": {"title": "", "text": TEXTS[1]}}
    ]
    assert (answer["scale"], answer["status"]) == ("share", "ok")
    assert answer["trace"]["compute_s"] > 0


def test_it_is_not_there_without_a_corpus(client: MakeClient) -> None:
    answer = client().post("/v1/search", json={"query": QUERY})
    assert (answer.status_code, "--corpus" in answer.json()["message"]) == (404, True)


def test_what_the_first_reranker_would_read_is_limited(client: MakeClient, corpus: Corpus) -> None:
    """Without a tokenizer: 6 tokens of the query, 11 of d1, 7 of d2; d0 has none of its words."""
    call = {"query": QUERY}
    refused = client(corpus=corpus, limits=RequestLimits(tokens=20)).post("/v1/search", json=call)
    assert refused.status_code == 422
    assert refused.json()["message"].startswith(
        "query: with the query what was retrieved for it has more than 20 tokens"
    )
    limits = RequestLimits(tokens=20)
    few = client(specs={"top": "bm25 >> overlap(top=1)"}, corpus=corpus, limits=limits)
    assert few.post("/v1/search", json=call).status_code == 200
    words = client(specs={"words": "bm25"}, corpus=corpus, limits=limits)
    assert words.post("/v1/search", json=call).status_code == 200
    assert words.post("/v1/search", json={"query": "pump " * 20}).status_code == 422
