"""The Serve page with the API off and on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rerank_lab.server import in_app
from tests.ui import pages
from tests.ui.pages import open_page, words


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    yield from pages.fresh()
    in_app.start("localhost", {})


def test_it_tells_the_command_and_code_for_the_pipeline_of_the_link() -> None:
    at = open_page("serve", served="bm25 >> overlap(top=20)")
    shown = words(at)
    assert "rerank-lab serve 'bm25 >> overlap(top=20)' --port 8000" in shown
    assert "rerank-lab app --serve 'bm25 >> overlap(top=20)'" in shown
    assert [tab.label for tab in at.tabs][:4] == ["curl", "Cohere SDK", "LangChain", "LlamaIndex"]
    assert "The API is on" not in shown


@pytest.mark.parametrize(
    ("spec", "message"),
    [("bm25 >> mmr", "an order without scores"), ("bm25 >> nothing", "nothing")],
)
def test_what_cannot_be_served_is_a_card_that_says_why(spec: str, message: str) -> None:
    at = open_page("serve", served=spec)
    assert message in words(at)
    assert not at.tabs


def test_a_first_stage_alone_can_only_search() -> None:
    at = open_page("serve", served="bm25", corpus="helpdesk")
    assert "rerank-lab serve bm25 --corpus helpdesk --port 8000" in words(at)
    assert [tab.label for tab in at.tabs] == ["Search"]


def test_the_state_of_the_api_that_is_on() -> None:
    in_app.start("localhost", {in_app.PIPELINES: "bm25 >> overlap\nbm25 >> bm25-candidates"})
    at = open_page("serve")
    shown = words(at)
    assert "The API is on" in shown
    assert "0 requests since the start" in shown
    assert "bm25 >> bm25-candidates" in shown
    assert "Start it" not in shown
    assert at.button(key="to_serve").label == "API is on"
