"""From Compare, Evaluate and the side bar to a labelling session for what is on screen."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from rerank_lab.core.types import Document, Query
from rerank_lab.corpora import Corpus, load_corpus
from rerank_lab.corpora.store import save_corpus
from rerank_lab.judging.records import JudgeKind, Judgment, PairOrigin
from rerank_lab.judging.store import JudgmentStore
from rerank_lab.pipeline.pipeline import Pipeline
from tests.ui import pages
from tests.ui.compare.test_page import Q, opened, settled
from tests.ui.pages import drawn, open_page, until, words

PETS = Corpus(
    "pets",
    tuple(Document(f"d{n}", f"cats and dogs, text {n}") for n in range(1, 5)),
    (Query("q1", "cats"), Query("q2", "dogs")),
    {"q1": {"d1": 1, "d2": 0}, "q2": {"d4": 1}},
)


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    yield from pages.fresh()


@pytest.fixture
def pets(home: Path) -> Corpus:
    summary = {"name": "pets", "documents": 4, "queries": 2, "judgments": 3}
    save_corpus(PETS, summary, slug="pets")
    return load_corpus("pets")


def keep(doc_id: str, grade: int, content_hash: str) -> None:
    row = Judgment("pets", "q1", doc_id, grade, "ann", JudgeKind.HUMAN, datetime.now(UTC))
    JudgmentStore.open().append([msgspec.structs.replace(row, content_hash=content_hash)])


def test_compare_starts_a_session_for_its_query_without_ranks() -> None:
    at = settled(opened(q=Q, p=["bm25", "bm25 >> overlap"], show="5"))
    at.button(key="label_query").click()
    drawn(at)
    (session,) = JudgmentStore.open().sessions("helpdesk")
    ranking = Pipeline("bm25").run(Query("q", Q), load_corpus("helpdesk")).ranking
    assert ranking is not None
    assert {pair.doc_id for pair in session.pairs} >= set(ranking.doc_ids[:5])
    assert {pair.origin for pair in session.pairs} == {PairOrigin.CHOSEN}
    assert list(session.queries.values()) == [Q]
    assert session.title in words(at)  # the Label page is open


def test_evaluate_counts_what_is_unjudged_and_starts_a_session_with_it(pets: Corpus) -> None:
    at = open_page("evaluate", corpus="pets", p=["bm25"])
    at.button(key="evaluate").click()
    until(drawn(at), "Judge what is unjudged in these top 10s (5)")
    keep("d3", 1, pets.document_hash("d3"))  # meanwhile, in another session
    until(drawn(at), "Judge what is unjudged in these top 10s (4)")
    at.button(key="judge_unjudged").click()
    drawn(at)
    (session,) = JudgmentStore.open().sessions("pets")
    judged = {("q1", "d1"), ("q1", "d2"), ("q1", "d3"), ("q2", "d4")}
    everything = {(query.id, doc.id) for query in PETS.queries for doc in PETS.documents}
    assert {(p.query_id, p.doc_id) for p in session.pairs} == everything - judged
    assert session.title in words(at)


def test_a_label_of_a_changed_document_is_shown_and_offered_again(pets: Corpus) -> None:
    keep("d1", 1, "0" * 64)
    at = open_page("evaluate", corpus="pets", p=["bm25"])
    assert "1 label left out because the text has changed since" in words(at)
    button = at.button(key="judge_stale")
    assert button.label == "Judge 1 stale label again"
    button.click()
    drawn(at)
    (session,) = JudgmentStore.open().sessions("pets")
    assert [(pair.query_id, pair.doc_id) for pair in session.pairs] == [("q1", "d1")]
