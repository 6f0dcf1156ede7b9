"""Rerankers that need no model: overlap, MMR, and the best at both ends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank_lab.core.context import Context
from rerank_lab.core.types import Document, Query
from rerank_lab.rerankers.base import Reranker
from rerank_lab.rerankers.rules.long_context_reorder import LongContextReorder
from rerank_lab.rerankers.rules.mmr import MMR, mmr
from rerank_lab.rerankers.rules.overlap import Overlap

CTX = Context()


def ranked(reranker: Reranker, query: str, *texts: str) -> list[tuple[str, float | None]]:
    docs = [Document(f"d{i}", text) for i, text in enumerate(texts)]
    ranking = reranker.rerank(Query.of(query), docs, CTX).ranking
    return [(hit.doc_id, hit.score) for hit in ranking]


def test_overlap_counts_stemmed_words_of_the_query() -> None:
    texts = ("The fox sleeps.", "Foxes and dogs jump.", "Rain.", "")
    assert ranked(Overlap(), "the jumping fox and dog", *texts) == [
        ("d1", 1.0),
        ("d0", pytest.approx(1 / 3)),
        ("d2", 0.0),
        ("d3", None),
    ]
    assert dict(ranked(Overlap(measure="jaccard"), "fox", *texts))["d0"] == 0.5


@pytest.mark.parametrize(
    ("n", "order"), [(0, ""), (1, "0"), (2, "01"), (5, "02431"), (6, "024531")]
)
def test_the_best_stand_at_both_ends(n: int, order: str) -> None:
    found = ranked(LongContextReorder(), "q", *"abcdef"[:n])
    assert "".join(doc_id[1:] for doc_id, _ in found) == order


def test_mmr_puts_back_what_repeats_the_first() -> None:
    texts = ("fox and dog", "fox and dog", "rain in Spain", "snow")
    assert [doc for doc, _ in ranked(MMR(balance=0.5), "fox", *texts)] == ["d0", "d2", "d3", "d1"]
    by_rank = ranked(MMR(balance=1.0), "fox", *texts)
    assert [doc for doc, _ in by_rank] == ["d0", "d1", "d2", "d3"]
    by_cosine = ranked(MMR(balance=1.0, relevance="cosine"), "rain", *texts)
    assert by_cosine[0] == ("d2", None)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 7), st.integers(0, 10_000), st.floats(0, 1))
def test_mmr_is_the_greedy_choice_of_the_paper(n: int, seed: int, balance: float) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    relevance, cosines = rng.random(n), vectors @ vectors.T
    order = mmr(relevance, lambda i: cosines[i], balance)
    assert sorted(order) == list(range(n))
    for taken, rest in ((order[:i], order[i:]) for i in range(n)):
        values = {
            d: balance * relevance[d]
            - (1 - balance) * max((cosines[d, t] for t in taken), default=0.0)
            for d in rest
        }
        assert values[rest[0]] == pytest.approx(max(values.values()), abs=1e-9)
