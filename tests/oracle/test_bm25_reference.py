"""BM25 against bm25s and rank-bm25, score for score and order for order."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rerank_lab.core.context import Context
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.retrievers.bm25 import BM25
from rerank_lab.retrievers.postings import VARIANTS
from rerank_lab.retrievers.rank_bm25 import RankBM25

CTX = Context()


def zipf_corpus(seed: int, documents: int = 120, vocabulary: int = 200) -> Corpus:
    rng = random.Random(seed)
    words = [f"w{i}" for i in range(vocabulary)]
    weights = [1 / (i + 1) for i in range(vocabulary)]
    texts = [rng.choices(words, weights, k=rng.randint(0, 60)) for _ in range(documents)]
    rows = tuple(Document(f"d{i:03}", " ".join(text)) for i, text in enumerate(texts))
    return Corpus("zipf", rows)


def queries(seed: int) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(f"w{rng.randrange(210)}" for _ in range(rng.randint(1, 6))) for _ in range(25)]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("k1", "b"), [(1.2, 0.75), (0.9, 0.4), (2.0, 0.0), (0.5, 1.0)])
def test_scores_equal_those_of_bm25s(variant: str, k1: float, b: float) -> None:
    import bm25s

    corpus = zipf_corpus(7)
    ours = BM25(variant=variant, k1=k1, b=b, language="none", k=200)
    ours.build(corpus, CTX)
    terms = [document.text.split() for document in corpus.documents]
    theirs = bm25s.BM25(method=variant, k1=k1, b=b)
    theirs.index(terms, show_progress=False)
    for text in [*queries(3), "w1 w1 w5"]:
        known = [word for word in text.split() if word in theirs.vocab_dict]
        if not known:
            continue
        wanted = theirs.get_scores(known)
        matching = {
            document.id: float(wanted[i])
            for i, document in enumerate(corpus.documents)
            if set(known) & set(terms[i])
        }
        found = {h.doc_id: h.score for h in ours.search(Query.of(text), None, CTX).ranking}
        assert found == pytest.approx({d: s for d, s in matching.items() if s > 0}, abs=1e-5)


@pytest.mark.parametrize("variant", ["okapi", "l", "plus"])
def test_rank_bm25_orders_as_the_package_does(variant: str) -> None:
    import rank_bm25

    corpus = zipf_corpus(11)
    ours = RankBM25(variant=variant, k=200, language="none")
    ours.build(corpus, CTX)
    name = {"okapi": "BM25Okapi", "l": "BM25L", "plus": "BM25Plus"}[variant]
    terms = [document.text.split() for document in corpus.documents]
    theirs: Any = getattr(rank_bm25, name)(terms)
    for text in queries(5):
        scores = theirs.get_scores(text.split())
        ids = [document.id for document in corpus.documents]
        by_package = [ids[i] for i in np.lexsort((ids, -scores))]
        matching = {ids[i] for i, row in enumerate(terms) if set(row) & set(text.split())}
        found = ours.search(Query.of(text), None, CTX).ranking
        assert list(found.doc_ids) == [d for d in by_package if d in matching]


def test_bm25_orders_as_rank_bm25_plus_where_the_formulas_agree() -> None:
    # BM25+ with delta 0.5 is the same formula in both; rank-bm25's default is another delta.
    import rank_bm25

    corpus = zipf_corpus(13)
    ours = BM25(variant="bm25+", k1=1.5, b=0.75, language="none", k=200)
    ours.build(corpus, CTX)
    terms = [document.text.split() for document in corpus.documents]
    theirs = rank_bm25.BM25Plus(terms, k1=1.5, b=0.75, delta=0.5)
    for text in queries(17):
        wanted = dict(
            zip((d.id for d in corpus.documents), theirs.get_scores(text.split()), strict=True)
        )
        for hit in ours.search(Query.of(text), None, CTX).ranking:
            assert hit.score == pytest.approx(wanted[hit.doc_id], abs=1e-5)


@pytest.mark.data
def test_published_effectiveness_on_scifact(data_folder: Path) -> None:
    import json

    import ir_measures
    from ir_measures import nDCG

    def rows(name: str) -> list[dict[str, str]]:
        lines = (data_folder / "scifact" / name).read_text("utf-8").splitlines()
        return [json.loads(line) for line in lines]

    documents = tuple(Document(r["_id"], r["text"], r["title"]) for r in rows("corpus.jsonl"))
    qrels: dict[str, dict[str, int]] = {}
    table = (data_folder / "scifact" / "qrels.tsv").read_text("utf-8").splitlines()[1:]
    for query_id, doc_id, grade in (line.split("\t") for line in table):
        qrels.setdefault(query_id, {})[doc_id] = int(grade)
    retriever = BM25(k1=0.9, b=0.4, k=100)
    retriever.build(Corpus("scifact", documents), CTX)
    asked = [Query(r["_id"], r["text"]) for r in rows("queries.jsonl") if r["_id"] in qrels]
    run = {
        found.ranking.query_id: {h.doc_id: h.score for h in found.ranking}
        for found in retriever.search_many(asked, None, CTX)
    }
    assert ir_measures.calc_aggregate([nDCG @ 10], qrels, run)[nDCG @ 10] >= 0.67
