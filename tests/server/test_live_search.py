"""`/v1/search` over a live corpus: the pipeline asks the search engine for every request."""

from __future__ import annotations

import pytest

from rerank_lab.corpora import load_corpus
from rerank_lab.testing.search_engine_server import SearchEngineServer
from tests.server.conftest import QUERY, TEXTS, MakeClient

URL = "RERANK_LAB_ENGINE_OPENSEARCH"


def test_every_request_asks_the_engine(client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("opensearchpy")
    with SearchEngineServer("opensearch") as server:
        server.index("articles", ((f"d{n}", {"text": text}) for n, text in enumerate(TEXTS)))
        monkeypatch.setenv(URL, server.address)
        corpus = load_corpus('opensearch(index="articles")')
        one = client(corpus=corpus, specs={"live": "live >> overlap"})
        body = {"query": QUERY, "top_n": 1, "return_documents": True}
        (hit,) = one.post("/v1/search", json=body).json()["hits"]
        assert (hit["doc_id"], hit["document"]["text"]) == ("d1", TEXTS[1])
        server.indexes["articles"].documents[0][1]["text"] = QUERY
        answer = one.post("/v1/search", json={**body, "return_documents": True}).json()
        assert [one["doc_id"] for one in answer["hits"]] == ["d0"]
        assert "another text in the engine" in answer["trace"]["warnings"][0]
