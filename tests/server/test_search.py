"""`/v1/search`: the whole pipeline over the server's corpus."""

from __future__ import annotations

from rerank_lab.corpora.corpus import Corpus
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
