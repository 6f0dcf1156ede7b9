"""axe-core finds nothing on the main pages, light and dark, and on a phone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from rerank_lab.corpora import load_corpus
from rerank_lab.judging.records import JudgeKind, JudgingPair, Judgment, LabelSession
from rerank_lab.judging.store import JudgmentStore
from tests.browser.conftest import Visitor
from tests.browser.server import Server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

Visit = Callable[..., Visitor]
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
SESSION = "axe1"
PAGES: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("label", {"corpus": "science-answers", "p": ["bm25"]}, ".st-key-label_start"),
    ("label", {"session": SESSION, "judge": "Ada"}, ".st-key-judging .document"),
    ("label", {"session": SESSION, "view": "lead"}, ".st-key-lead_settle"),
    ("label", {"session": SESSION, "view": "settle"}, ".st-key-settle_document"),
    ("arena", {"corpus": "helpdesk", "p": ["bm25", "rm3"], "judge": "Ada", "voting": "1"},
     ".st-key-arena_left"),
    ("arena", {"corpus": "helpdesk", "part": "Ratings"}, ".st-key-arena_no_votes"),
    ("", {"corpus": "helpdesk", "q": "start work", "p": ["bm25"]}, ".st-key-col_0 .rl-name"),
    ("evaluate", {"corpus": "helpdesk", "p": ["bm25"]}, ".st-key-corpus"),
    ("corpora", {"corpus": "helpdesk"}, ".st-key-corpus"),
    ("models", {}, ".st-key-corpus"),
)  # fmt: skip
"""Page, its address, and what is there once it is drawn."""


def disputed(server: Server) -> None:
    """A session of three documents, on two of which Ada and Ben differ; one is left."""
    corpus = load_corpus("helpdesk")
    query = corpus.queries[0]
    pairs = tuple(JudgingPair(query.id, document.id) for document in corpus.documents[:3])
    now = datetime.now(UTC)
    store = JudgmentStore.open(server.home)
    store.save_session(
        LabelSession(
            SESSION, "helpdesk", "Trial", (), 0, pairs, now, overlap=1.0,
            judges=("Ada", "Ben"), queries={query.id: query.text},
        )
    )  # fmt: skip
    store.append(
        [
            Judgment("helpdesk", query.id, pair.doc_id, grade, judge, JudgeKind.HUMAN, now,
                     note="why", session_id=SESSION)
            for place, pair in enumerate(pairs[:2])
            for judge, grade in (("Ada", place), ("Ben", 3))
        ]
    )  # fmt: skip


def violations(page: Any, rules: list[str]) -> list[str]:
    """What axe says of the page as it is, a line each."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    result = axe.run(page, options={"runOnly": rules}).response
    return [
        f"{one['id']}: {node['target']} {node['html'][:200]}"
        for one in result["violations"]
        for node in one["nodes"]
    ]


def still(page: Any) -> None:
    """Wait until nothing is greyed as the remains of an earlier run."""
    page.wait_for_function("() => !document.querySelector('[data-stale=true], .stSpinner')")
    page.wait_for_timeout(150)


@pytest.mark.parametrize("width", [1440, 400])
def test_axe_finds_nothing_in_light_and_dark(visit: Visit, server: Server, width: int) -> None:
    disputed(server)
    visitor = visit(width=width)
    faults = []
    for name, query, wanted in PAGES if width > 1000 else PAGES[1:5]:
        page = visitor.page
        page.emulate_media(color_scheme="light")
        visitor.open(name, **query)
        page.locator(wanted).first.wait_for()
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            still(page)
            rules = RULES if scheme == "light" else ["color-contrast"]
            faults += [f"{name} {query} {scheme} {one}" for one in violations(page, rules)]
        if query.get("view") == "lead":
            visitor.press("lead_settle")
            visitor.key("settle_document").wait_for()
    assert faults == []
