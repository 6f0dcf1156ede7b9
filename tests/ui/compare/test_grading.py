"""Grades in place on Compare: kept at once, seen at once, taken back, and by a name asked once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from rerank_lab.core.types import Query
from rerank_lab.corpora import load_corpus
from rerank_lab.judging.records import JudgeKind
from rerank_lab.judging.store import JudgmentStore
from tests.ui import pages
from tests.ui.compare.card_columns import menu_label, press
from tests.ui.compare.test_page import Q, html, opened, settled
from tests.ui.pages import drawn, words


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    yield from pages.fresh()


def graded(at: AppTest, rank: int, option: str) -> AppTest:
    return press(at, 0, rank, "grade", option=option)


def named(at: AppTest, name: str) -> AppTest:
    at.text_input(key="judge_typed").set_value(name)
    next(b for b in at.button if b.label == "Save the grade").click()
    return drawn(at)


def test_a_grade_is_kept_by_a_name_asked_once_seen_at_once_and_can_be_taken_back() -> None:
    at = settled(opened(q=Q, p=["bm25"]))
    assert menu_label(at, 0, 1) == "Grade"
    assert "Judgments" not in [box.label for box in at.selectbox]

    graded(at, 1, "0")
    assert JudgmentStore.open().rows("helpdesk") == []  # nobody is named yet
    settled(named(at, " Ann  B. "))
    (row,) = JudgmentStore.open().current("helpdesk")
    corpus = load_corpus("helpdesk")
    assert (row.judge, row.grade, row.kind, row.session_id) == ("Ann B.", 0, JudgeKind.HUMAN, "")
    assert row.content_hash == corpus.document_hash(row.doc_id)
    assert corpus.qrels[row.query_id][row.doc_id] == 3
    assert menu_label(at, 0, 1) == "You: 0"
    assert "Grade 0" in html(at).split('rl-rank">2<')[0].split('rl-rank">1<')[1]
    assert at.selectbox(key="judgments").value == "lab over own"

    settled(graded(at, 2, "2"))  # the name is known
    assert len(JudgmentStore.open().current("helpdesk")) == 2
    settled(graded(at, 1, "take back"))
    assert menu_label(at, 0, 1) == "Grade"
    assert "Grade 3" in html(at).split('rl-rank">2<')[0].split('rl-rank">1<')[1]


def test_a_typed_query_is_kept_with_its_grade_and_asked_by_evaluate() -> None:
    text = "how do I reset things"
    at = settled(opened(q=text, p=["bm25"]))
    graded(at, 1, "3")
    settled(named(at, "Ann"))
    (query_set,) = JudgmentStore.open().query_sets("helpdesk")
    assert [query.text for query in query_set.queries] == [text]
    assert [query.query_id for query in query_set.queries] == [Query.of(text).id]
    page = pages.open_page("evaluate", corpus="helpdesk", p=["bm25"])
    (counts,) = [box for box in page.selectbox if str(box.key).startswith("count_")]
    assert counts.options[0] == "all 61"


def test_where_the_corpus_own_judgments_count_a_grade_says_that_it_does_not_show() -> None:
    at = settled(opened(q=Q, p=["bm25"]))
    graded(at, 1, "0")
    settled(named(at, "Ann"))
    at.selectbox(key="judgments").select("own only")
    settled(drawn(at))
    assert "Grade 3" in html(at).split('rl-rank">2<')[0].split('rl-rank">1<')[1]
    assert menu_label(at, 0, 1) == "You: 0"
    graded(at, 1, "1")
    assert any("only the corpus' own" in toast.value.replace("\\", "") for toast in at.toast)


def test_a_document_is_graded_where_it_is_read() -> None:
    at = settled(opened(q=Q, p=["bm25"], doc="hd-002"))
    at.menu_button(key="grade_document").click("1")
    drawn(at)
    settled(named(at, "Ann"))
    (row,) = JudgmentStore.open().current("helpdesk")
    assert (row.doc_id, row.grade) == ("hd-002", 1)
    assert at.menu_button(key="grade_document").label == "You: 1"


def test_a_name_of_nothing_is_asked_for_again() -> None:
    at = settled(opened(q=Q, p=["bm25"]))
    graded(at, 1, "0")
    named(at, "   ")
    assert "Give your name or initials" in words(at)
    assert JudgmentStore.open().rows("helpdesk") == []
