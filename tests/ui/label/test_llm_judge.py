"""The LLM judge on the Label page, against a real chat server: cost, job, comparison, counting."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from streamlit.testing.v1 import AppTest

from rerank_lab.corpora import load_corpus
from rerank_lab.judging.records import JudgeKind, Judgment
from rerank_lab.judging.store import JudgmentStore
from rerank_lab.testing.chat_server import FakeChat, sorter
from rerank_lab.testing.provider_servers import KEY
from tests.ui import pages
from tests.ui.pages import drawn, open_page, until, words


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    yield from pages.fresh()


def letters(text: str) -> str:
    return re.sub(r"\W+", " ", text).strip()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeChat]:
    """A judge that grades as the corpus does, but kinder for every fortieth text."""
    monkeypatch.setenv("RERANK_LAB_ALLOW_PRIVATE_URLS", "1")
    monkeypatch.setenv("RERANK_LAB_KEY_HOSTS", "127.0.0.1")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    corpus = load_corpus("helpdesk")
    ids = {letters(document.content)[:80]: document.id for document in corpus.documents}
    queries = {query.text: query.id for query in corpus.queries}

    def grades(query: str, texts: object) -> list[float]:
        assert isinstance(texts, list)
        qrels = corpus.qrels[queries[query]]
        plain = [letters(text) for text in texts]
        return [
            float(qrels.get(ids.get(text[:80], ""), 0)) + (len(text) % 40 == 0) for text in plain
        ]

    with FakeChat(sorter(grades)) as fake:
        yield fake


def opened(server: FakeChat, **query: str) -> AppTest:
    at = open_page("label", corpus="helpdesk", part="LLM judge", p=["bm25"], **query)
    at.text_input(key="llm_judge_model_name").set_value("test-model")
    at.text_input(key="llm_judge_base_url").set_value(server.url)
    for what in ("read", "written"):
        at.number_input(key=f"llm_judge_price_{what}").set_value(1.0)
    at.selectbox(key="llm_judge_depth").set_value(3)
    at.number_input(key="llm_judge_limit_60").set_value(4)
    drawn(at).select_slider(key="llm_judge_sample").set_value(100)
    return drawn(at)


def people_graded(queries: int) -> None:
    """Of each query the best document by the corpus, and two that do not answer."""
    corpus = load_corpus("helpdesk")
    rows = []
    for query in corpus.queries[-queries:]:
        grades = corpus.qrels[query.id]
        ids = sorted(grades, key=lambda doc_id: (-grades[doc_id], doc_id))
        for doc_id in (ids[0], *ids[-2:]):
            rows.append(
                Judgment("helpdesk", query.id, doc_id, grades[doc_id], "Ada", JudgeKind.HUMAN,
                         datetime.now(UTC), content_hash=corpus.document_hash(doc_id))
            )  # fmt: skip
    JudgmentStore.open().append(rows)


def test_cost_first_then_judging_comparing_and_only_then_counting(server: FakeChat) -> None:
    people_graded(20)
    at = opened(server)
    assert "60 documents that people graded" in words(at)
    at.button(key="llm_judge_estimate").click()
    until(drawn(at), "12 documents in the pool, 0 judged before")
    assert "$" in words(at)
    assert server.requests == []
    at.button(key="llm_judge_start").click()
    until(drawn(at), "12 documents graded, 0 left without a grade")
    assert "Not compared with people yet" in words(at)
    assert not [one for one in at.button if str(one.key).startswith("llm_counts_")]
    rows = [row for row in JudgmentStore.open().current("helpdesk") if row.kind is JudgeKind.LLM]
    assert len(rows) == 12

    at.button(key="llm_trust_start").click()
    until(drawn(at), "may enter qrels where no person gave a grade")
    shown = words(at)
    for part in ("Weighted kappa", "On average it", "Two documents in turned order",
                 "With a plea for the best grade"):  # fmt: skip
        assert part in shown
    (button,) = [one for one in at.button if str(one.key).startswith("llm_counts_")]
    assert not at.multiselect(key="llm").value
    button.click()
    drawn(at)
    assert at.multiselect(key="llm").value == [rows[0].judge]
    assert "Let it count no more" in words(at)


def test_a_spend_limit_stops_it_and_it_goes_on_where_it_stopped(server: FakeChat) -> None:
    at = opened(server)
    at.number_input(key="spend_limit").set_value(0.0035)
    at.button(key="llm_judge_estimate").click()
    until(drawn(at), "0 judged before")
    at.button(key="llm_judge_start").click()
    until(drawn(at), "are spent or in flight")
    judged = len(JudgmentStore.open().current("helpdesk"))
    assert judged < 12
    at.number_input(key="spend_limit").set_value(5.0)
    at.button(key="llm_judge_estimate").click()
    until(drawn(at), f"{judged} judged before")
    at.button(key="llm_judge_start").click()
    until(drawn(at), f"{12 - judged} documents graded")
    assert len(JudgmentStore.open().current("helpdesk")) == 12


def test_an_edited_prompt_is_kept_and_one_that_cannot_be_used_says_why(server: FakeChat) -> None:
    at = opened(server)
    text = at.text_area(key="llm_judge_text_umbrela").value
    at.text_area(key="llm_judge_text_umbrela").set_value(text.replace("{query}", "{question}"))
    at.text_input(key="llm_judge_prompt_name").set_value("my-judge")
    at.button(key="llm_judge_prompt_keep").click()
    assert "{question}" in words(drawn(at))
    at.text_area(key="llm_judge_text_umbrela").set_value(text)
    at.text_input(key="llm_judge_prompt_name").set_value("my-judge")
    at.button(key="llm_judge_prompt_keep").click()
    assert drawn(at).selectbox(key="llm_judge_prompt").value == "my-judge"
