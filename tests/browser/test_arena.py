"""Voting in a real browser: by keys alone, two lists and two documents, a reload, taking back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from rerank_lab.judging.arena.tallies import standing
from rerank_lab.judging.records import ArenaVote
from rerank_lab.judging.store import JudgmentStore
from tests.browser.conftest import Visitor
from tests.browser.server import Server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

Visit = Callable[..., Visitor]
PIPELINES = ["bm25", "bm25(k1=0.1,b=0.1)"]


def votes(server: Server, judge: str) -> list[ArenaVote]:
    every = JudgmentStore.open(server.home).votes("helpdesk")
    return [vote for vote in standing(every) if vote.judge == judge]


def query(page: Any) -> str:
    page.locator(".st-key-arena_votes button").first.wait_for()
    return str(page.locator(".rl-asked").inner_text())


def press(page: Any, key: str) -> str:
    """Vote, not sooner than anybody could have read, and give the query that stands there then."""
    before = query(page)
    page.wait_for_timeout(300)
    page.keyboard.press(key)
    page.wait_for_function(
        "before => { const asked = document.querySelector('.rl-asked');"
        " return asked && asked.innerText !== before"
        " && document.querySelector('.st-key-arena_votes button'); }",
        arg=before,
    )
    return query(page)


def test_lists_and_documents_are_voted_on_by_keys_and_a_reload_goes_on(
    visit: Visit, server: Server
) -> None:
    visitor = visit()
    ada, ben = (f"{name} {uuid4().hex[:6]}" for name in ("Ada", "Ben"))
    page = visitor.go("arena", corpus="helpdesk", p=PIPELINES, judge=ada, mode="lists")
    visitor.press("arena_start")
    first = query(page)
    for key in "1234":
        press(page, key)
    outcomes = [vote.outcome.value for vote in votes(server, ada)]
    assert outcomes == ["left", "tie", "both-bad", "right"]

    here = query(page)
    page.reload()
    assert query(page) == here
    page.wait_for_timeout(300)
    page.keyboard.press("u")
    page.wait_for_function(
        "here => document.querySelector('.rl-asked')?.innerText !== here", arg=here
    )
    assert len(votes(server, ada)) == 3
    assert query(page) != first
    shown = page.locator(".st-key-arena_left").inner_text()
    assert not any(spec in shown for spec in PIPELINES)

    page = visitor.go(
        "arena", corpus="helpdesk", p=PIPELINES, judge=ben, mode="documents", voting="1"
    )
    press(page, "4")
    press(page, "2")
    assert [vote.outcome.value for vote in votes(server, ben)] == ["right", "tie"]
    assert {vote.mode for vote in votes(server, ben)} == {"documents"}
    assert page.locator(".st-key-arena_left .rl-full").count() == 1

    page = visitor.go("arena", corpus="helpdesk", part="Ratings", votes="documents")
    page.locator(".st-key-arena_ratings_mode").wait_for()
    # The browser fetches what draws the style sheet beside what draws the page.
    page.wait_for_function(
        "() => getComputedStyle(document.querySelector('[data-testid=stCaptionContainer]'))"
        ".opacity === '1'"
    )
    page.wait_for_timeout(500)
    assert "votes=documents" in page.url
    assert visitor.dialogs == visitor.left == []
