"""Query sets on the Label page: every source, what leaks, tags, taking out, and asking them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from rerank_lab.core.context import Context
from rerank_lab.corpora import load_corpus
from rerank_lab.judging.records import LabQuerySet
from rerank_lab.judging.store import JudgmentStore
from rerank_lab.pipeline.engine import default_engine
from rerank_lab.services import query_sets
from rerank_lab.services.query_sets import QuerySetRequest, extend
from tests.ui import pages
from tests.ui.pages import drawn, open_page, until, words


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    yield from pages.fresh()


def opened() -> AppTest:
    return open_page("label", corpus="helpdesk", part="Query sets", p=["bm25"])


def stored() -> LabQuerySet:
    (query_set,) = JudgmentStore.open().query_sets("helpdesk")
    return query_set


def extended(**options: object) -> LabQuerySet:
    request = QuerySetRequest("mine", **options)  # type: ignore[arg-type]
    corpus = load_corpus("helpdesk")
    return extend(request, corpus, Context(), default_engine(), JudgmentStore.open()).query_set


def test_queries_are_pasted_and_a_name_is_needed() -> None:
    at = opened()
    assert "A query set is what people ask" in words(at)
    at.text_area(key="query_set_text").set_value("reset my password\n\n=1+1 <b>bold</b>\n")
    at.text_input(key="query_set_name").set_value(" ")
    at.button(key="query_set_go").click()
    until(drawn(at), "The query set has no name")
    at.text_input(key="query_set_name").set_value("first")
    at.text_area(key="query_set_text").set_value("reset my password\n\n=1+1 <b>bold</b>\n")
    at.button(key="query_set_go").click()
    until(drawn(at), "2 queries added to “first”")
    at.button(key="query_set_use").click()
    assert "All pages ask these queries" in words(drawn(at))
    assert at.selectbox(key="query_set").value == "first"
    assert [query.text for query in stored().queries] == ["reset my password", "=1+1 <b>bold</b>"]


def test_a_log_is_sampled_with_its_frequencies() -> None:
    at = opened()
    at.segmented_control(key="query_set_source").set_value("A search log")
    drawn(at)
    log = "query,frequency\nlogin,90\ninvoice,30\nexport csv,3\n"
    at.file_uploader(key="query_set_file_True").upload("log.csv", log.encode())
    at.text_input(key="query_set_name").set_value("logged")
    drawn(at).button(key="query_set_go").click()
    until(drawn(at), "3 queries added to “logged”")
    assert {query.text: query.frequency for query in stored().queries} == {
        "login": 90, "invoice": 30, "export csv": 3,
    }  # fmt: skip
    assert list(at.dataframe[0].value["Frequency"]) == [90, 30, 3]


def test_a_log_that_cannot_be_read_says_where() -> None:
    at = opened()
    at.segmented_control(key="query_set_source").set_value("A search log")
    drawn(at)
    at.file_uploader(key="query_set_file_True").upload("log.csv", b"query,frequency\nlogin,often\n")
    at.text_input(key="query_set_name").set_value("logged")
    drawn(at).button(key="query_set_go").click()
    until(drawn(at), "log.csv:2: 'often' is no frequency")


def test_made_queries_are_marked_as_synthetic_and_leaks_are_counted() -> None:
    at = opened()
    at.segmented_control(key="query_set_source").set_value("From documents")
    drawn(at)
    at.text_input(key="query_set_name").set_value("template")
    at.number_input(key="query_set_documents").set_value(8)
    drawn(at).button(key="query_set_go").click()
    until(drawn(at), "left out because they repeat their document")
    assert "easier and narrower than those of people" in words(at)
    table = at.dataframe[0].value
    assert set(table["From"]) == {"synthetic, template"}
    assert all(cell.endswith("of 3 words in a row") for cell in table["Repeats of its document"])


def test_queries_are_tagged_and_taken_out() -> None:
    query_set = extended(lines=("one thing", "two things"))
    store = JudgmentStore.open()
    ids = [query_set.queries[0].query_id]
    tagged = query_sets.with_tag(query_set, ids, " short ", store)
    assert [query.tags for query in tagged.queries] == [("short",), ()]
    query_sets.without_queries(tagged, ids, store)
    assert [query.text for query in stored().queries] == ["two things"]
    with pytest.raises(Exception, match="no query left"):
        query_sets.without_queries(stored(), [stored().queries[0].query_id], store)


def test_pages_ask_the_queries_of_the_set_that_is_chosen_at_the_side() -> None:
    extended(lines=("one thing", "two things"), tags=("odd",))
    extended(lines=("a third thing",))
    at = open_page("label", corpus="helpdesk", p=["bm25"], query_set="mine")
    assert "18 grades" in words(at)
    assert len(at.multiselect(key="label_queries_helpdesk_").options) == 3
    at = open_page("label", corpus="helpdesk", p=["bm25"], query_set="mine", query_tag="odd")
    at.button(key="label_start").click()
    until(drawn(at), "Links for judges")
    (labels,) = JudgmentStore.open().sessions("helpdesk")
    assert set(labels.queries.values()) == {"one thing", "two things"}
    at = open_page("evaluate", corpus="helpdesk", p=["bm25"], query_set="mine")
    assert at.selectbox(key="count_3").value == 3
