"""A search that leaves out what cannot be among the best gives what one over everything gives."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from rerank_lab.core.context import Context
from rerank_lab.corpora.analysis import Analyzer
from rerank_lab.retrievers import postings

DOCUMENTS = 3000
WORDS = [f"w{n}" for n in range(400)]
WEIGHTING = postings.Weighting("lucene", 1.2, 0.75)


@pytest.fixture(scope="module")
def index() -> postings.Postings:
    rng = random.Random(3)
    chances = [1 / (n + 1) for n in range(len(WORDS))]
    texts = [" ".join(rng.choices(WORDS, chances, k=rng.randint(0, 60))) for _ in range(DOCUMENTS)]
    ids = [f"d{n * 7919 % DOCUMENTS}" for n in range(DOCUMENTS)]
    return postings.build(texts, ids, Analyzer("none"), WEIGHTING, Context())


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
@pytest.mark.parametrize("sparse", [0, 8, 10**9])
@pytest.mark.parametrize(("known", "look_up"), [(True, 16), (True, 1), (False, 1)])
def test_the_same_documents_and_scores_bit_for_bit(
    index: postings.Postings,
    k: int,
    sparse: int,
    known: bool,
    look_up: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(postings, "_SPARSE", sparse)
    monkeypatch.setattr(postings, "_LOOK_UP", look_up)
    if not known:
        index = replace(index, tops=None, peaks=None)
    narrowed = 0
    narrow = postings._narrowed

    def counted(*arguments: object) -> object:
        nonlocal narrowed
        narrowed += bool(arguments[1])
        return narrow(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(postings, "_narrowed", counted)
    rng = random.Random(k)
    for _ in range(60):
        words = rng.choices(WORDS, k=rng.randint(1, 7)) + rng.choices(WORDS[:6], k=2)
        terms = {word: rng.choice([1, 1, 1, 2, 0.25]) for word in [*words, "unknown"]}
        assert index.weighted(terms, k) == over_everything(index, terms, k)
    assert narrowed > 10 or k > 5


def test_entries_that_add_nothing_spoil_no_bound() -> None:
    rng = np.random.default_rng(5)
    documents, weights, start = [], [], [0]
    for size in (40, 60, 90, 200, 200):
        documents.append(np.sort(rng.choice(200, size, replace=False)).astype(np.int32))
        weights.append(np.where(rng.random(size) < 0.4, 0, rng.random(size)).astype(np.float32))
        start.append(start[-1] + size)
    starts, all_weights = np.array(start), np.concatenate(weights)
    index = postings.Postings(
        {f"t{n}": n for n in range(5)},
        starts,
        np.concatenate(documents),
        all_weights,
        np.zeros(5, np.float32),
        np.arange(200, dtype=np.int32),
        postings.peaks_of(starts, all_weights),
        postings.tops_of(starts, all_weights),
    )
    for count in range(1, 6):
        for k in (1, 3, 20, 150):
            terms = {f"t{n}": 1.0 for n in range(count)}
            assert index.weighted(terms, k) == over_everything(index, terms, k)


def test_the_best_weights_of_each_term_are_kept(index: postings.Postings) -> None:
    assert index.tops is not None
    for number in range(len(index.terms)):
        own = np.sort(index.weights[index.start[number] : index.start[number + 1]])[::-1]
        for top, weight in zip(postings.TOPS, index.tops[number].tolist(), strict=True):
            assert weight == (own[top - 1] if len(own) >= top else 0)


def test_a_search_leaves_no_trace_in_the_next_one(index: postings.Postings) -> None:
    first = index.search(["w0", "w1", "w300"], 10)
    for _ in range(20):
        index.search([f"w{n}" for n in range(50)], 10)
        assert index.search(["w0", "w1", "w300"], 10) == first


def test_columns_of_common_words_change_nothing_and_take_bounded_memory(
    index: postings.Postings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postings, "_COLUMN_BYTES", 5 * 4 * DOCUMENTS)
    index = replace(index)
    terms = [{f"w{n}": 1.0, f"w{n // 7}": 2.0, f"w{2 * n + 90}": 0.5} for n in range(30)]
    answers = [[index.weighted(words, 20) for words in terms] for _ in range(5)]
    assert all(answer == answers[0] for answer in answers)
    columns = [own for own in index._at_hand.lists.values() if own.column is not None]
    assert len(columns) == 5
    for own in columns:
        assert own.column is not None
        assert np.array_equal(np.flatnonzero(own.column), own.documents)


def test_an_index_may_be_smaller_than_the_one_searched_before(index: postings.Postings) -> None:
    small = postings.build(
        ["a b", "b", "a a b"], ["1", "2", "3"], Analyzer("none"), WEIGHTING, Context()
    )
    before = small.search(["a", "b"], 3)
    index.search(["w0", "w1", "w2"], 10)
    assert small.search(["a", "b"], 3) == before
    assert [number for number, _ in before] == [2, 0, 1]
