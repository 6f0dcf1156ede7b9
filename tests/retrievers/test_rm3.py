"""RM3: what is added to a query, by hand, and that it finds what the query's words miss."""

from __future__ import annotations

import pytest

from rerank_lab.core.context import Context
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.retrievers.bm25 import BM25
from rerank_lab.retrievers.rm3 import RM3, relevance_model

CTX = Context()
TEXTS = ("heat pump compressor", "heat pump refrigerant", "compressor refrigerant", "rain", "snow")
CORPUS = Corpus("pumps", tuple(Document(f"d{i}", text) for i, text in enumerate(TEXTS)))


def built(**options: int | float) -> RM3:
    retriever = RM3(**options)
    retriever.build(CORPUS, CTX)
    return retriever


def test_the_relevance_model_by_hand() -> None:
    documents = [({"a": 3, "b": 1}, 3.0), ({"b": 2}, 1.0)]
    everything = relevance_model(documents, 10)
    assert everything == pytest.approx({"a": 0.75 * 0.75, "b": 0.75 * 0.25 + 0.25})
    assert relevance_model(documents, 1) == {"a": 1.0}
    assert relevance_model([], 10) == {}


def test_the_expanded_query_weighs_old_and_new_words_as_asked() -> None:
    weights = built(fb_docs=2, original=0.6).expanded("heat pump")
    assert sum(weights.values()) == pytest.approx(1)
    assert weights["heat"] == pytest.approx(weights["pump"]) == pytest.approx(0.3 + 0.4 / 3)
    assert weights["compressor"] == pytest.approx(0.4 / 6)
    assert "rain" not in weights


def test_it_finds_a_document_that_has_no_word_of_the_query() -> None:
    query = Query.of("heat pump")
    bm25 = BM25()
    bm25.build(CORPUS, CTX)
    assert set(bm25.search(query, None, CTX).ranking.doc_ids) == {"d0", "d1"}
    assert built().search(query, None, CTX).ranking.doc_ids == ("d0", "d1", "d2")


def test_with_all_weight_on_the_query_it_orders_as_bm25() -> None:
    query = Query.of("heat compressor rain")
    bm25 = BM25()
    bm25.build(CORPUS, CTX)
    expected = bm25.search(query, None, CTX).ranking
    found = built(original=1.0).search(query, None, CTX).ranking
    assert found.doc_ids == expected.doc_ids
    assert [h.score * 3 for h in found if h.score] == pytest.approx([h.score for h in expected])


def test_the_querys_own_document_is_no_feedback() -> None:
    own = Document("d9", "heat pump heat pump avalanche avalanche")
    with_own = Corpus("pumps", (*CORPUS.documents, own))
    retriever = RM3(fb_docs=2, original=0.6)
    retriever.build(with_own, CTX)
    assert "avalanch" in retriever.expanded("heat pump")
    assert "avalanch" not in retriever.expanded("heat pump", {"d9"})
    assert (
        retriever.expanded("heat pump", {"d9"}).keys()
        == built(fb_docs=2).expanded("heat pump").keys()
    )
    excluding = Query("d9", "heat pump", excluded=frozenset({"d9"}))
    result = Pipeline("rm3(fb_docs=2)").run(excluding, with_own, CTX)
    assert result.ranking is not None
    assert set(result.ranking.doc_ids) == {"d0", "d1", "d2"}


def test_no_passage_of_the_querys_own_document_is_feedback() -> None:
    passages = tuple(
        Document(f"d9#{n}", f"heat pump heat pump avalanche{n}", parent="d9") for n in range(3)
    )
    retriever = RM3(fb_docs=2)
    retriever.build(Corpus("pumps", (*CORPUS.documents, *passages)), CTX)
    weights = retriever.expanded("heat pump", {"d9"})
    assert set(weights) == set(built(fb_docs=2).expanded("heat pump"))
