"""Which judgments count, at the side of every page: the link, the sentence, and what it changes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from rerank_lab.corpora import load_corpus
from rerank_lab.judging.records import JudgeKind, Judgment
from rerank_lab.judging.store import JudgmentStore
from tests.ui import pages
from tests.ui.pages import drawn, open_page, until, words


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    yield from pages.fresh()


def label_some(queries: int) -> None:
    """Two judges who differ on the first judged document of so many queries."""
    corpus, now = load_corpus("helpdesk"), datetime.now(UTC)
    JudgmentStore.open().append(
        [
            Judgment("helpdesk", query.id, next(iter(corpus.qrels[query.id])), grade, judge,
                     JudgeKind.HUMAN, now)
            for query in corpus.queries[:queries]
            for judge, grade in (("ann", 3), ("ben", 0))
        ]
    )  # fmt: skip


def test_without_labels_there_is_nothing_to_choose() -> None:
    at = open_page("evaluate", corpus="helpdesk", p=["bm25"], judgments="lab only")
    assert "Judgments" not in [box.label for box in at.selectbox]
    assert "60 judged queries are asked" in words(at)


def test_a_link_says_which_judgments_count_and_the_evaluation_keeps_it() -> None:
    label_some(5)
    at = open_page(
        "evaluate", corpus="helpdesk", p=["bm25"], judgments="lab only", policy="majority"
    )
    assert at.selectbox(key="judgments").value == "lab only"
    assert at.selectbox(key="policy").value == "majority"
    assert "5 judged queries are asked" in words(at)
    at.button(key="evaluate").click()
    until(drawn(at), "judgments: 5 grades of the lab; the grade that most judges gave counts")
    assert "--judgments lab --policy majority" in words(at)


def test_calibrate_and_train_read_the_same_choice() -> None:
    label_some(5)
    for page in ("calibrate", "train"):
        at = open_page(page, corpus="helpdesk", p=["bm25"], judgments="lab only")
        assert "has 5 judged queries" in words(at) or "has no query" in words(at)
        at.selectbox(key="judgments").select("lab over own")
        drawn(at)
        assert any(button.key == page for button in at.button)
