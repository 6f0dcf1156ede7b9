"""Judging in a real browser: fifty documents by keyboard, a reload, undos, a second judge."""

from __future__ import annotations

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
