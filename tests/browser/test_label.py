"""Judging in a real browser: fifty documents by keyboard, a reload, undos, a second judge."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from rerank_lab.corpora import load_corpus
from rerank_lab.judging.policies import current_rows
from rerank_lab.judging.records import JudgingPair, Judgment, LabelSession
from rerank_lab.judging.store import JudgmentStore
from tests.browser.conftest import Visitor
from tests.browser.server import Server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

Visit = Callable[..., Visitor]
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"
PER_QUERY = 20
INSIDE = "document.querySelector('.st-key-judging [data-testid*=omponent]').shadowRoot"
"""The judging screen, in the scripts of a page."""


def session(
    server: Server, queries: int, session_id: str = "browser1", **changes: Any
) -> LabelSession:
    """A stored session over helpdesk; the first question holds markup."""
    corpus = load_corpus("helpdesk")
    asked = corpus.queries[:queries]
    pairs = tuple(
        JudgingPair(query.id, document.id)
        for place, query in enumerate(asked)
        for document in corpus.documents[place * PER_QUERY : (place + 1) * PER_QUERY]
    )
    texts = {query.id: query.text for query in asked}
    texts[asked[0].id] += HOSTILE
    labels = LabelSession(
        session_id, "helpdesk", HOSTILE, (), 0, pairs, datetime.now(UTC), queries=texts, **changes
    )
    JudgmentStore.open(server.home).save_session(labels)
    return labels


def rows(server: Server, session_id: str = "browser1") -> list[Judgment]:
    return JudgmentStore.open(server.home).rows("helpdesk", session_id=session_id)


def opened(visitor: Visitor, judge: str, session_id: str = "browser1") -> Any:
    page = visitor.go("label", session=session_id, judge=judge)
    visitor.key("judging").locator(".document").wait_for()
    return page


def shown(page: Any) -> str:
    return str(page.locator(".st-key-judging .document").inner_text())


def press(page: Any, key: str) -> None:
    """Press a key, not sooner than anybody could have read. The next document is there at once."""
    page.locator(".st-key-judging .card").wait_for(state="visible")
    before = shown(page)
    page.wait_for_timeout(160)
    page.keyboard.press(key)
    assert shown(page) != before, f"after {key!r} the document is the same"


def saved(page: Any) -> None:
    page.locator(".st-key-judging .saved").get_by_text("· saved").wait_for()


def test_two_judges_by_keyboard_with_a_reload_and_undos(visit: Visit, server: Server) -> None:
    session(server, queries=5)
    ada, ben = visit(), visit()
    page, other = opened(ada, "Ada"), opened(ben, HOSTILE[:40])
    for place in range(25):
        press(page, "0123c"[place % 5])
        if place < 10:
            press(other, "2")
    saved(page)
    page.reload()
    ada.key("judging").locator(".document").wait_for()
    press(page, "u")
    press(page, "u")
    for place in range(27):
        press(page, "3210"[place % 4])
    page.keyboard.press("n")
    page.keyboard.type(HOSTILE)
    page.keyboard.press("Escape")
    press(page, "1")
    saved(page)
    saved(other)

    every = rows(server)
    mine = [row for row in every if row.judge == "Ada"]
    grades = [row for row in mine if row.undoes is None]
    undone = [row.undoes for row in mine if row.undoes is not None]
    assert len(grades) == 25 + 27 + 1
    assert undone == [grades[24].row_id, grades[23].row_id]
    current = [row for row in current_rows(every) if row.judge == "Ada"]
    assert len(current) == 51
    expected = ["0123c"[place % 5] for place in range(23)]
    expected += ["3210"[place % 4] for place in range(27)] + ["1"]
    assert ["c" if row.grade is None else str(row.grade) for row in current] == expected
    assert current[-1].note == HOSTILE
    assert all(row.content_hash and row.seconds > 0 and row.position for row in current)
    theirs = {(row.query_id, row.doc_id) for row in every if row.judge != "Ada"}
    assert len(theirs) == 10
    assert not theirs & {(row.query_id, row.doc_id) for row in grades}
    assert ada.dialogs == ben.dialogs == []
    assert page.locator(".st-key-judging .query img, .st-key-judging img").count() == 0


def test_what_is_pressed_without_a_connection_is_sent_later(visit: Visit, server: Server) -> None:
    visitor = visit(width=400)
    page = opened(visitor, "Cleo")
    before = len(rows(server))
    main = "document.querySelector('[data-testid=stMain]')"
    assert page.evaluate(f"{main}.scrollWidth - {main}.clientWidth") <= 0
    port = server.port
    server.kill()
    for _ in range(3):
        press(page, "2")
    page.locator(".st-key-judging .saved").get_by_text("3 not saved yet").wait_for()
    server.start(port)
    page.reload()
    visitor.key("judging").locator(".document").wait_for()
    page.wait_for_timeout(1000)
    cleo = [row for row in rows(server) if row.judge == "Cleo"]
    assert [row.grade for row in cleo] == [2, 2, 2]
    assert len(rows(server)) == before + 3


def tab_to(page: Any, name: str) -> None:
    """Press Tab until what has the focus says this."""
    focused = "(({ innerText, ariaLabel }) => innerText || ariaLabel || '')(document.activeElement)"
    for _ in range(60):
        page.keyboard.press("Tab")
        words = page.evaluate(focused)
        if name in words and len(words) < 60:  # the page itself can have the focus too
            return
    raise AssertionError(f"Tab does not reach {name!r}")


def test_a_whole_session_without_a_mouse(visit: Visit, server: Server) -> None:
    visitor = visit()
    page = visitor.go("label", corpus="science-answers", p=["bm25"])
    visitor.key("label_start").wait_for()
    visitor.wait_for_text("No jobs running")
    tab_to(page, "Start")
    page.keyboard.press("Enter")
    visitor.key("lead_judge").wait_for()
    tab_to(page, "Judge")
    page.keyboard.press("Enter")
    name = page.locator(".st-key-label_own_name input")
    name.wait_for()
    tab_to(page, "Your name")
    page.keyboard.type("Dora")
    page.keyboard.press("Enter")
    visitor.key("judging").locator(".document").wait_for()
    (session_id,) = re.findall("session=([0-9a-f]+)", page.url)

    first = shown(page)
    press(page, "s")
    second = shown(page)
    press(page, "3")
    press(page, "c")
    third = shown(page)
    press(page, "p")
    page.keyboard.press("ArrowRight")
    assert shown(page) == third
    press(page, "u")
    press(page, "u")
    assert shown(page) == second
    page.keyboard.press("n")
    page.keyboard.type("names it ?")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert "Skip: it comes again at the end" in page.locator("dialog.sheet[open]").inner_text()
    page.keyboard.press("Escape")
    press(page, "2")
    page.keyboard.press("j")
    page.keyboard.type("wh")
    page.keyboard.press("Tab")
    goal = page.evaluate(INSIDE + ".activeElement.firstChild.innerText")
    page.keyboard.press("Enter")
    page.wait_for_function("goal => " + INSIDE + ".querySelector('.query').innerText === goal",
                           arg=goal)  # fmt: skip
    press(page, "1")
    saved(page)
    every = JudgmentStore.open(server.home).rows("science-answers", session_id=session_id)
    standing = current_rows(every)
    assert [(row.grade, row.note) for row in standing] == [(2, "names it ?"), (1, "")]
    assert len(every) == 6
    here = shown(page)
    page.go_back()
    visitor.key("label_who").or_(visitor.key("lead_judge")).first.wait_for()
    page.go_forward()
    visitor.key("judging").locator(".document").wait_for()
    page.wait_for_function(
        "here => " + INSIDE + ".querySelector('.document').innerText === here", arg=here
    )
    assert first != here
    assert visitor.dialogs == []


def test_two_tabs_of_one_judge_and_a_third_later(visit: Visit, server: Server) -> None:
    session(server, queries=1, session_id="browser2")
    visitor = visit()
    one = opened(visitor, "Fay", "browser2")
    other = visitor.context.new_page()
    other.goto(one.url)
    other.locator(".st-key-judging .document").wait_for()
    skipped = shown(other)
    assert shown(one) == skipped
    press(other, "s")
    press(other, "3")
    saved(other)
    press(one, "s")
    graded_elsewhere = rows(server, "browser2")[0].doc_id
    for _ in range(5):
        press(one, "1")
    saved(one)
    other.close()
    third = visitor.context.new_page()
    third.goto(one.url)
    third.locator(".st-key-judging .document").wait_for()
    assert shown(third) == shown(one) != skipped
    every = [row for row in rows(server, "browser2") if row.judge == "Fay"]
    assert [row.grade for row in every] == [3, 1, 1, 1, 1, 1]
    assert [row.doc_id for row in every].count(graded_elsewhere) == 1
