"""Connecting a search engine in the app, and a live corpus on Corpora and Compare."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from rerank_lab.corpora import connect_live
from rerank_lab.retrievers.engines.opensearch import OpenSearchEngine
from rerank_lab.testing.search_engine_server import SearchEngineServer
from tests.ui.pages import drawn, fresh, open_page, until, words

pytest.importorskip("opensearchpy")
URL = "RERANK_LAB_ENGINE_OPENSEARCH"
SPEC = 'opensearch(index="articles",title="title")'


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    yield from fresh()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[SearchEngineServer]:
    with SearchEngineServer("opensearch") as running:
        texts = ["The fox jumps.", "Reset the password.", "A <b>password</b> rule."]
        running.index(
            "articles",
            ((f"a{n}", {"title": f"Title {n}", "text": text}) for n, text in enumerate(texts)),
        )
        monkeypatch.setenv(URL, running.address)
        yield running


def form(**values: str) -> AppTest:
    at = open_page("corpora", view="Bring your own")
    at.session_state["import_way"] = "Search engine"
    drawn(at)
    at.selectbox(key="engine_name").select("opensearch")
    drawn(at)
    for name, value in values.items():
        element = at.text_area if name == "template" else at.text_input
        element(key=f"engine_opensearch_{name}").input(value)
    return drawn(at)


def try_out(at: AppTest, query: str) -> AppTest:
    at.text_input(key="engine_query_opensearch").input(query)
    at.button(key="engine_ask_opensearch").click()
    return drawn(at)


def test_an_engine_is_tried_connected_and_compared(server: SearchEngineServer) -> None:
    at = form(index="articles", title="title")
    assert f"{URL} is set where this app runs." in words(at)
    assert '"query": "{query}"' in words(at)
    try_out(at, "password")
    shown = until(at, "Reset the password")
    assert "POST /articles/_search" in words(shown)
    assert "<b>password</b>" in words(shown)  # as text, not as HTML
    at.text_input(key="engine_corpus").input("my help")
    drawn(at)
    at.button(key="engine_connect_now").click()
    drawn(at)
    until(at, "is connected")
    at.button(key="engine_compare").click()
    at.run()
    assert at.session_state["corpus"] == "my help"
    assert list(at.session_state["p"]) == ["live", "live >> ms-marco-minilm-l12"]


def test_the_engine_says_what_is_wrong_with_a_template(server: SearchEngineServer) -> None:
    at = form(index="articles", template='{"query": {"mach": {"text": "{query}"}}}')
    try_out(at, "password")
    shown = words(until(at, "OpenSearch says"))
    assert "unknown query [mach] did you mean [match]?" in shown
    at = form(index="articles", template='{"query": {"query_string": {"query": "x {query}"}}}')
    try_out(at, "password")
    assert "inside the longer text" in words(until(at, "inside the longer text"))


def test_a_variable_that_is_not_for_engines_is_refused(
    server: SearchEngineServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RERANK_LAB_DATABASE_URL", server.address)
    at = form(index="articles", url_env="RERANK_LAB_DATABASE_URL")
    assert "must begin with RERANK_LAB_ENGINE_" in words(at)
    try_out(at, "password")
    assert "may not use the environment variable" in words(until(at, "may not use"))


def test_a_live_corpus_on_corpora_and_compare(server: SearchEngineServer) -> None:
    connect_live("help", SPEC)
    at = open_page("corpora", corpus="help")
    shown = words(at)
    assert "Live" in str(at.dataframe[0].value)
    assert "3 documents in a search engine" in shown
    assert "Documents\n3" in shown
    compare = open_page("compare", corpus="help", q="password")
    assert list(compare.session_state["p"]) == ["live", "live >> ms-marco-minilm-l12"]
    end = time.monotonic() + 60
    while not any("moves 0 of the top 2" in str(one.value) for one in compare.html):
        assert time.monotonic() < end, words(compare)
        time.sleep(0.1)
        drawn(compare)
    for page in ("label", "evaluate", "models"):
        assert not open_page(page, corpus="help").exception


def test_an_engine_that_is_gone_is_an_error_card_and_the_corpus_can_be_deleted(
    server: SearchEngineServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect_live("help", SPEC)
    monkeypatch.setenv(URL, "http://127.0.0.1:9")
    tries = []
    connect = OpenSearchEngine._call
    monkeypatch.setattr(
        OpenSearchEngine, "_call", lambda self, *words: tries.append(words) or connect(self, *words)
    )
    at = open_page("corpora", corpus="help")
    assert "OpenSearch cannot be reached" in words(at)
    assert len(tries) == 1  # a page waits once for an engine that is gone
    assert at.button(key="delete_corpus")
