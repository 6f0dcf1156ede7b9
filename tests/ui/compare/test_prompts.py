"""A prompt is copied, edited, tried out, used, edited again and deleted in the pipeline editor."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from rerank_lab.remote.urls import ALLOW_PRIVATE
from rerank_lab.rerankers.llm.prompts import own_folder, prompt_text
from rerank_lab.testing.chat_server import FakeChat, sorter
from rerank_lab.testing.provider_servers import KEY, overlap
from tests.ui import pages
from tests.ui.compare.test_page import Q, settled, titles
from tests.ui.pages import FRAME, drawn, words


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(ALLOW_PRIVATE, "1")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    yield from pages.fresh()


@pytest.fixture
def chat() -> Iterator[FakeChat]:
    with FakeChat(sorter(overlap)) as server:
        yield server


def visit(chat: FakeChat) -> AppTest:
    at = AppTest.from_file(str(FRAME), default_timeout=240)
    at.query_params["q"] = Q
    at.query_params["p"] = ["bm25", f'bm25 >> listwise(base_url="{chat.url}",model="m",top=4)']
    at.session_state["session_keys"] = {"OPENAI_API_KEY": KEY}
    return settled(drawn(at))


def press(at: AppTest, key: str) -> AppTest:
    """The one button whose key ends so."""
    (button,) = [one for one in at.button if str(one.key).endswith(key)]
    button.click().run()
    return drawn(at)


def copied(at: AppTest) -> AppTest:
    press(at, "edit_1")
    press(at, "_prompt_copy")
    return at


def test_a_copy_is_edited_saved_and_used_at_once(chat: FakeChat) -> None:
    at = copied(visit(chat))
    assert at.text_area(key="prompt_text").value == prompt_text("rankgpt")
    assert at.text_input(key="prompt_name").value == "rankgpt-copy"
    assert "Nothing is wrong with it." in words(at)
    before = words(at)
    sent = [turn["content"] for turn in chat.requests[0].body["messages"]]
    assert sent[0] in before  # the system turn
    assert Q in before
    assert sent[3] in before  # the first document on screen
    text = prompt_text("rankgpt").replace("You order search results", "You are a librarian")
    at.text_area(key="prompt_text").set_value(text).run()
    assert "You are a librarian" in words(at)
    press(at, "prompt_save")
    assert 'prompt="rankgpt-copy"' in at.text_area(key="editor_text").value
    chat.requests.clear()
    press(at, "editor_use")
    assert len(titles(settled(at), 1)) == 10
    assert "You are a librarian" in json.dumps(chat.requests[0].body)


def test_problems_are_shown_by_line_and_nothing_is_saved(chat: FakeChat) -> None:
    at = copied(visit(chat))
    wrong = prompt_text("rankgpt").replace("{query}", "{quary}", 1) + "colour: <b>:red[x]</b>\n"
    at.text_area(key="prompt_text").set_value(wrong).run()
    assert "unknown placeholder {quary}" in words(at)
    assert "unknown field 'colour'" in words(at)
    assert "**Line " in words(at)
    assert "What would be sent" not in words(at)
    assert at.button(key="prompt_save").disabled
    at.text_area(key="prompt_text").set_value(prompt_text("rankgpt")).run()
    for name in ("../../evil", "rankgpt", "/etc/passwd.yaml"):
        at.text_input(key="prompt_name").set_value(name).run()
        at.button(key="prompt_save").click().run()
        assert "cannot be kept under the name" in words(at)
    assert not own_folder().exists()
    press(at, "prompt_back")
    assert "listwise(" in at.text_area(key="editor_text").value


def test_other_words_under_the_same_name_are_asked_anew_and_a_deleted_one_is_told(
    chat: FakeChat,
) -> None:
    at = copied(visit(chat))
    press(at, "prompt_save")
    press(at, "editor_use")
    settled(at)
    press(at, "edit_1")
    press(at, "_prompt_edit")
    text = prompt_text("rankgpt").replace("You order search results", "You are a pilot")
    at.text_area(key="prompt_text").set_value(text).run()
    chat.requests.clear()
    press(at, "prompt_save")
    press(at, "editor_use")
    settled(at)
    assert "You are a pilot" in json.dumps(chat.requests[0].body)
    press(at, "edit_1")
    press(at, "_prompt_edit")
    press(at, "prompt_delete")
    assert "1 pipeline on screen uses it" in words(at)
    press(at, "prompt_keep")
    assert at.text_input(key="prompt_name").value == "rankgpt-copy"
    press(at, "prompt_delete")
    press(at, "prompt_delete_now")
    assert list(own_folder().iterdir()) == []
    assert "prompt=" not in at.text_area(key="editor_text").value
    at.session_state["editor_open"] = None
    assert "There is no prompt 'rankgpt-copy'" in words(settled(drawn(at)))
