"""A comparison as one screen for an audience: what it holds, and its keys."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from tests.ui import pages
from tests.ui.compare.test_page import html, opened, settled
from tests.ui.pages import words

Q = "forgot password iphone app"
P = ["bm25", "bm25 >> identity"]


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    yield from pages.fresh()


def presented(**query: str | list[str]) -> AppTest:
    return settled(opened(present="1", **query))


def press(at: AppTest, key: str) -> AppTest:
    return settled(at.button(key=key).click().run())


def shortcuts(at: AppTest) -> dict[str, str]:
    return {b.proto.shortcut: str(b.key) for b in at.button if b.proto.shortcut}


def test_one_screen_holds_verdict_chart_and_three_answers_of_each() -> None:
    at = presented(q=Q, p=P)
    shown = html(at)
    assert "best judged answer" in shown
    assert shown.count('class="rl-answer"') == 6
    assert shown.count("Reset a forgotten password in the iPhone app") == 2
    assert len(at.get("plotly_chart")) == 1
    assert "0.0" in shown
    assert "nDCG@10" in shown


def test_neither_side_nor_settings_are_drawn() -> None:
    at = presented(q=Q, p=P)
    assert not at.sidebar.children
    assert not any(str(b.key).startswith(("edit_", "remove_", "save_")) for b in at.button)


def test_keys_step_through_queries_and_pipelines_and_leave() -> None:
    at = presented(q=Q, p=P)
    keys = shortcuts(at)
    assert set(keys) == {"left", "right", "up", "down", "1", "2", "escape"}
    asked = at.session_state["q"]
    press(at, keys["right"])
    assert at.session_state["q"] != asked
    press(at, keys["left"])
    assert at.session_state["q"] == asked
    press(at, keys["2"])
    assert at.session_state["focus"] == "2"
    assert html(at).count('class="rl-answer"') == 3
    press(at, keys["down"])
    assert html(at).count('class="rl-answer"') == 6
    press(at, keys["escape"])
    assert at.session_state["present"] == ""
    assert at.session_state["q"] == asked
    assert "bm25" in words(at)
    assert any(b.key == "edit_0" for b in at.button)


def test_the_button_begins_with_a_query_of_the_corpus() -> None:
    at = opened(p=P)
    press(at, "present_start")
    assert at.session_state["present"] == "1"
    assert at.session_state["q"]
    assert html(at).count('class="rl-answer"') == 6


def test_a_link_without_a_query_says_which_key_asks_one() -> None:
    at = presented(p=P)
    assert "right arrow" in html(at)
    press(at, shortcuts(at)["right"])
    assert html(at).count('class="rl-answer"') == 6


def test_what_fails_is_named_on_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    at = presented(q=Q, p=["bm25", 'bm25 >> cross-encoder(model="no-such/<b>model")'])
    assert "no-such/&lt;b&gt;model" in html(at)


def test_another_page_is_not_presented() -> None:
    at = pages.open_page("models", present="1")
    assert at.session_state["present"] == ""
    assert at.sidebar.children
