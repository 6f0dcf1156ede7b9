"""BM25 over given candidates: the scores of the first stage over a corpus that holds just these."""

from __future__ import annotations

import pytest

from rerank_lab.core.context import Context
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora.analysis import STOP_WORDS_ONLY
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.pipeline.reranking import rerank_documents
from rerank_lab.rerankers.rules.bm25_candidates import BM25Candidates
from rerank_lab.retrievers.bm25 import BM25

TEXTS = ["Tea is hot.", "A cup of green tea, and more tea.", "Coffee.", "Bread and butter."]
DOCS = tuple(Document(f"d{i}", text) for i, text in enumerate(TEXTS))
QUERY = Query.of("green tea")


@pytest.mark.parametrize("variant", ["lucene", "bm25l", "bm25+"])
def test_scores_are_those_of_the_first_stage_over_the_candidates(variant: str) -> None:
    retriever = BM25(variant=variant, k1=0.9, b=0.4)
    retriever.build(Corpus("pool", DOCS), Context())
    first_stage = retriever.search(QUERY, None, Context()).ranking
    reranked = BM25Candidates(variant=variant, k1=0.9, b=0.4).rerank(QUERY, DOCS, Context())
    assert reranked.ranking.doc_ids == ("d1", "d0", "d2", "d3")
    assert reranked.ranking.hits[:2] == first_stage.hits
    assert [hit.score for hit in reranked.ranking.hits[2:]] == [0.0, 0.0]


def test_a_pool_of_texts_is_reranked_without_a_corpus() -> None:
    result = rerank_documents("bm25-candidates", "green tea", TEXTS)
    assert result.ranking is not None
    assert result.ranking.doc_ids[0] == "1"


def test_a_query_of_stop_words_keeps_the_order_and_says_why() -> None:
    done = BM25Candidates().rerank(Query.of("to be or not to be"), DOCS, Context())
    assert done.ranking.doc_ids == ("d0", "d1", "d2", "d3")
    assert done.trace.warnings == (STOP_WORDS_ONLY,)
