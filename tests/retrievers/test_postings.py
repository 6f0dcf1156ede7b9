"""A search that leaves out what cannot be among the best gives what one over everything gives."""

from __future__ import annotations

import random

import numpy as np
import pytest

from rerank_lab.core.context import Context
from rerank_lab.corpora.analysis import Analyzer
from rerank_lab.retrievers import postings

DOCUMENTS = 3000
WORDS = [f"w{n}" for n in range(400)]


@pytest.fixture(scope="module")
def index() -> postings.Postings:
    rng = random.Random(3)
    chances = [1 / (n + 1) for n in range(len(WORDS))]
    texts = [" ".join(rng.choices(WORDS, chances, k=rng.randint(0, 60))) for _ in range(DOCUMENTS)]
    ids = [f"d{n * 7919 % DOCUMENTS}" for n in range(DOCUMENTS)]
    weighting = postings.Weighting("lucene", 1.2, 0.75)
    return postings.build(texts, ids, Analyzer("none"), weighting, Context())


def over_everything(
    index: postings.Postings, terms: dict[str, float], k: int
) -> list[tuple[int, float]]:
    """Every list is added up, in the order of the query, and every document is looked at."""
    scores = np.zeros(len(index.order), np.float32)
    for term, times in terms.items():
        if term in index.terms:
            number = index.terms[term]
            place = slice(int(index.start[number]), int(index.start[number + 1]))
            np.add.at(scores, index.documents[place], index.weights[place] * np.float32(times))
    best = np.lexsort((index.order, -scores))[:k]
    return [(int(d), float(scores[d])) for d in best if scores[d] > 0]


@pytest.mark.parametrize("k", [1, 5, 40, 1000])
@pytest.mark.parametrize("enough", [10, 4096])
def test_the_same_documents_and_scores_bit_for_bit(
    index: postings.Postings, k: int, enough: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postings, "_ENOUGH", enough)
    monkeypatch.setattr(postings, "_LOOK_UP", 1)
    narrowed = 0
    narrow = postings._narrowed

    def counted(*arguments: object) -> object:
        nonlocal narrowed
        narrowed += 1
        return narrow(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(postings, "_narrowed", counted)
    rng = random.Random(k)
    for _ in range(120):
        words = rng.choices(WORDS, k=rng.randint(1, 7)) + rng.choices(WORDS[:6], k=2)
        terms = {word: rng.choice([1, 1, 1, 2, 0.25]) for word in [*words, "unknown"]}
        assert index.weighted(terms, k) == over_everything(index, terms, k)
    assert narrowed > 10 or k > 5


def test_a_search_leaves_no_trace_in_the_next_one(index: postings.Postings) -> None:
    first = index.search(["w0", "w1", "w300"], 10)
    for _ in range(20):
        index.search([f"w{n}" for n in range(50)], 10)
        assert index.search(["w0", "w1", "w300"], 10) == first
