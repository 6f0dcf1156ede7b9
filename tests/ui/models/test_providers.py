"""Keys and tests of hosted providers on the Models page, against real servers in their formats."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from rerank_lab.remote.urls import ALLOW_PRIVATE
from rerank_lab.testing.chat_server import FakeChat, sorter
from rerank_lab.testing.provider_servers import KEY, FakeProvider, Switch, overlap
from tests.ui import pages
from tests.ui.pages import drawn, open_page, until, words


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(ALLOW_PRIVATE, "1")
    for variable in ("COHERE_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    yield from pages.fresh()


def chosen(name: str) -> AppTest:
    at = open_page("models")
    at.session_state["provider_chosen"] = name
    return drawn(at)


def row(at: AppTest, title: str) -> dict[str, str]:
    table = at.dataframe[1].value
    return dict(table[table["Name"] == title].iloc[0])


def typed(at: AppTest, variable: str, key: str = KEY) -> AppTest:
    at.text_input(key=f"key_{variable}").set_value(key).run()
    assert not at.exception, at.exception
    return at


def test_every_provider_has_a_row_with_its_key_and_price() -> None:
    at = open_page("models")
    assert row(at, "Cohere")["Key"] == "Missing"
    assert row(at, "Cohere")["Key variable"] == "COHERE_API_KEY"
    assert row(at, "Voyage AI")["Price"] == "$0.05 for 1,000,000 tokens"
    assert row(at, "Voyage AI")["Price as of"] == "2026-07-27"
    assert row(at, "OpenAI")["Price"].startswith("$0.40 read, $1.60 written")
    assert row(at, "Cohere")["Price as of"] == "2026-06-01"
    assert row(at, "Jina AI")["Price as of"] == "–"


def test_a_key_typed_is_taken_over_and_shown_nowhere() -> None:
    at = typed(chosen("cohere"), "COHERE_API_KEY", "secret-typed-key")
    assert row(at, "Cohere")["Key"] == "This session"
    assert at.text_input(key="key_COHERE_API_KEY").value == ""
    assert "this browser session only" in words(at)
    assert "secret-typed-key" not in words(at) + str(dict(at.query_params))
    at.button(key="forget_COHERE_API_KEY").click().run()
    assert row(at, "Cohere")["Key"] == "Missing"


def test_the_test_tells_that_it_works_and_what_it_took() -> None:
    with FakeProvider("cohere") as server:
        at = typed(chosen("cohere"), "COHERE_API_KEY")
        at.text_input(key="address_of_cohere").set_value(server.url).run()
        at.button(key="test_provider").click().run()
        until(at, "Cohere works: rerank-v4.0-fast.")
        assert "1 search unit" in words(at)


def test_a_refused_key_is_an_error_card_with_the_next_step() -> None:
    with FakeProvider("cohere") as server:
        server.always = Switch(status=401, words="invalid api token")
        at = typed(chosen("cohere"), "COHERE_API_KEY")
        at.text_input(key="address_of_cohere").set_value(server.url).run()
        at.button(key="test_provider").click().run()
        until(at, "invalid api token")
        assert KEY not in words(at)


def test_without_a_key_the_test_says_so() -> None:
    at = chosen("cohere")
    at.button(key="test_provider").click().run()
    until(at, "No key is set: COHERE_API_KEY.")


def test_a_language_model_is_tested_the_same_way() -> None:
    with FakeChat(sorter(overlap)) as server:
        at = typed(chosen("openai"), "OPENAI_API_KEY")
        at.text_input(key="address_of_openai").set_value(server.url).run()
        at.button(key="test_provider").click().run()
        until(at, "OpenAI works")


def test_a_limit_typed_holds_for_the_session_and_can_be_taken_away() -> None:
    at = open_page("models")
    assert "$0.00 spent so far, by the dated prices." in words(at)
    at.number_input(key="spend_limit").set_value(2.5).run()
    assert at.session_state["spend_meter"].limit == 2.5
    assert "$2.50 of the limit left" in words(at)
    at.number_input(key="spend_limit").set_value(None).run()
    assert at.session_state["spend_meter"].limit is None
    at.number_input(key="spend_limit").set_value(1.5).run()
    at.switch_page("compare.py").run()
    at.switch_page("models.py").run()
    assert at.number_input(key="spend_limit").value == 1.5
