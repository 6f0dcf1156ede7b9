"""The guided tour: offered once, led by real results, left at any step."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from rerank_lab.core.errors import StorageError
from rerank_lab.core.paths import data_home
from rerank_lab.core.spec import parse
from rerank_lab.ui.shared import tour
from rerank_lab.views import tour as steps
from tests.ui import pages
from tests.ui.compare.test_page import opened, settled
from tests.ui.pages import open_page, until, words

QUICK = (parse("bm25"), parse("bm25 >> identity"))


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(steps, "PIPELINES", QUICK)
    yield from pages.fresh()


def press(at: AppTest, key: str) -> AppTest:
    return settled(at.button(key=key).click().run())


def keys(at: AppTest) -> set[str]:
    return {str(button.key) for button in at.button}


def test_it_is_offered_once_in_a_data_folder_and_started_again_from_the_side() -> None:
    first = opened()
    assert "tour_start" in keys(first)
    press(first, "tour_decline")
    assert "tour_start" not in keys(first)
    second = opened()
    assert "tour_start" not in keys(second)
    press(second, "tour_again")
    assert "Step 1 of 5" in words(second)


def test_where_nothing_can_be_written_it_is_offered_once_a_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def read_only(home: object) -> None:
        raise StorageError("The data folder cannot be written.", hint="Choose another one.")

    monkeypatch.setattr(tour, "remember_tour", read_only)
    at = opened()
    press(at, "tour_decline")
    assert "tour_start" not in keys(at)
    assert not list(data_home().glob("tour*"))


def test_its_steps_lead_over_both_pages_and_back_to_what_was_there() -> None:
    own = ["bm25", "bm25 >> overlap"]
    at = settled(opened(q="forgot password iphone app", p=own, pin="hd-002"))
    press(at, "tour_again")
    assert at.session_state["p"] == list(map(str, QUICK))
    assert "BM25 compares words" in words(at)
    press(at, "tour_next")
    assert "A cross-encoder reads question and answer together" in words(at)
    press(at, "tour_next")
    assert "BM25 took" in words(at)
    press(at, "tour_next")
    assert "Press “Evaluate”" in words(at)
    press(at, "evaluate")
    until(at, "95 % interval of the difference")
    assert "On 60 queries" in words(at)
    press(at, "tour_next")
    assert "Your turn" in words(at)
    press(at, "tour_end")
    assert at.session_state["tour"] == ""
    assert at.session_state["p"] == own
    assert at.session_state["q"] == "forgot password iphone app"
    assert at.session_state["pin"] == "hd-002"
    assert at.session_state["depth"] == 50


def test_a_link_opens_it_and_it_can_be_skipped() -> None:
    at = settled(opened(tour="1"))
    assert "Somebody asks" in words(at)
    assert at.session_state["depth"] == steps.DEPTH
    press(at, "tour_end")
    assert "Step 1 of 5" not in words(at)


def test_what_the_browser_said_before_a_press_does_not_undo_it() -> None:
    at = settled(opened(tour="1"))
    press(at, "tour_next")
    at.text_input(key="tour").set_value("1").run()
    assert "Step 2 of 5" in words(at)
    press(at, "tour_end")
    at.text_input(key="tour").set_value("2").run()
    assert "Step" not in words(at)


def test_another_question_leads_back_to_the_one_of_the_tour() -> None:
    at = settled(opened(tour="2", q="forgot password iphone app", p=["bm25"]))
    assert "You went your own way" in words(at)
    press(at, "tour_back")
    assert "A cross-encoder reads question and answer together" in words(at)


def test_another_page_says_where_the_tour_goes_on() -> None:
    at = open_page("models", tour="2", q="forgot password iphone app")
    assert "The tour goes on at Compare" in words(at)
    press(at, "tour_back")
    assert at.session_state["p"] == list(map(str, QUICK))
    at.switch_page("compare.py")
    settled(at)
    assert "A cross-encoder reads question and answer together" in words(at)
