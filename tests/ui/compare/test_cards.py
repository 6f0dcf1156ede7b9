"""The HTML of cards: what the visitor reads, and that documents cannot bring HTML of their own."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_lab.core.types import Status, Trace
from rerank_lab.ui.compare import cards
from rerank_lab.ui.compare.document import places_table
from rerank_lab.ui.shared.parts import literal
from rerank_lab.views.compare import Card, CompareOptions, Quality, compare
from rerank_lab.views.evidence import document
from rerank_lab.views.health import Badge
from rerank_lab.views.rank_changes import Movement
from rerank_lab.views.text import Marker, Segment
from rerank_lab.views.topic import Topic
from tests.views.made import QUERY, corpus, ids, outcome_of, result, view

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "<style>body{display:none}</style>",
    "</div></div><h1>gone</h1>",
    "&lt;b&gt; &amp; &#60;script&#62;",
    "[link](javascript:alert(1)) $x^2$ :material/home: :red[no]",
    "\u202egnp.exe \u200b\u200b العربية",
    "A" * 100_000,
    "\ud800 lone surrogate",
]
ALLOWED = {
    "div", "span", "mark", "i", "b", "p", "wbr", "button", "table", "thead", "tbody", "tr", "td",
    "th",
}  # fmt: skip
ATTRIBUTES = {
    "class", "style", "title", "dir", "aria-hidden", "data-query", "type", "translate",
    "data-press", "data-rank", "data-doc", "aria-haspopup", "aria-expanded",
}  # fmt: skip


class Tags(HTMLParser):
    """Every tag and attribute, and the text between."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def card(text: str, **changed: object) -> Card:
    values: dict[str, object] = {
        "doc_id": text, "rank": 1, "movement": Movement(text, 14, 1), "title": text,
        "snippet": Marker("x link").snippet(text), "grade": 3, "score": 9.39, "scale": text,
        "passage": text, "pinned": True,
    }  # fmt: skip
    return Card(**(values | changed))  # type: ignore[arg-type]


def safe(html: str) -> Tags:
    found = Tags(html)
    assert set(found.tags) <= ALLOWED, found.tags
    assert found.attributes <= ATTRIBUTES
    html.encode("utf-8")
    return found


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_document_stays_text(text: str) -> None:
    safe(cards.card(card(text), 0, text))
    safe(cards.verdict(text))
    safe(cards.badge(Badge("suspect", (text,))))


@given(st.text(max_size=200))
def test_any_text_stays_text(text: str) -> None:
    shown = safe(cards.segments(Marker("a b").segments(text)))
    assert shown.text == text.replace("\r\n", "\n").replace("\r", "\n") or shown.text == text


def test_a_card_shows_rank_movement_grade_and_score_with_its_scale() -> None:
    shown = safe(cards.card_head(card("d", scale="logit"))).text
    assert shown == "1▲ 13grade 3◆9.39 logit"


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_text_that_was_not_read_or_that_decided_stays_text(text: str) -> None:
    made = [
        Segment(text, unread=True),
        Segment(text, True, unread=True),
        Segment(text, decided=True),
    ]
    shown = cards.segments(made)
    assert safe(shown).text == safe(cards.escape(text)).text * 3
    assert (shown.count("rl-unread"), shown.count("rl-decided")) == (2, 1)


def test_an_unscored_unjudged_unmoved_document_shows_its_rank_only() -> None:
    bare = card("d", movement=None, grade=None, score=None, pinned=False)
    assert safe(cards.card_head(bare)).text == "1"


def test_the_direction_of_a_move_is_a_sign_a_number_and_a_class() -> None:
    assert 'rl-down" title="rank 1 before">▼ 4' in cards.movement(Movement("d", 1, 5))
    assert 'rl-up" title="rank 5 before">▲ 4' in cards.movement(Movement("d", 5, 1))
    assert "not in the first stage" in cards.movement(Movement("d", None, 5))


def test_quality_says_what_was_possible_and_what_is_missing() -> None:
    shown = safe(cards.quality(Quality(0.673, 0.752, 1.0, 8, 10))).text
    assert shown == "nDCG@10 0.673 of 0.752 possible · headroom\xa00.079 · 8 of 10 judged"
    assert cards.quality(Quality(None, None, None, 0, 10)) == ""


def test_a_column_head_tells_cold_from_warm_and_carries_its_warnings() -> None:
    cold = result("bm25", [ids(1, 2)], [Trace(load_s=2.0, compute_s=0.5, warnings=("old <b>",))])
    column = view([outcome_of("bm25", cold)], corpus()).columns[0]
    shown = safe(cards.column_head(column, "#123456", Badge("healthy"), "q1"))
    assert "2.50 s cold 0.50 s once ready" in shown.text
    assert "healthy" in shown.text
    assert "⚠ old <b>" in shown.text


def test_a_remark_that_the_badge_explains_is_not_made_twice() -> None:
    done = result("bm25", [ids(1, 2)], [Trace(warnings=("no projection", "2 texts were cut"))])
    column = view([outcome_of("bm25", done)], corpus()).columns[0]
    health = Badge("suspect", ("no projection: not the published model.",))
    shown = safe(cards.column_head(column, "#123456", health, "q1")).text
    assert shown.count("no projection") == 1
    assert "2 texts were cut" in shown


def test_cached_scores_are_not_called_cold() -> None:
    done = result("bm25 >> identity", [ids(1, 2), ids(2, 1)], [Trace(load_s=1.0), Trace()])
    stages = tuple(replace(stage, status=Status.CACHED) for stage in done.stages)
    column = view([outcome_of("bm25 >> identity", replace(done, stages=stages))], corpus()).columns[
        0
    ]
    shown = cards.column_head(column, "#123456", None, "q1")
    assert ">cached<" in shown
    assert ">cold<" not in shown


def test_the_places_of_a_document_are_a_table() -> None:
    done = result("bm25 >> identity", [ids(1, 2), ids(2, 1)])
    found = document(view([outcome_of("bm25 >> identity", done)], corpus()), "d02")
    assert found is not None
    shown = safe(places_table(found))
    assert shown.tags.count("tr") == 3
    assert "2 logit" in shown.text


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_markdown_of_a_title_is_taken_literally(text: str) -> None:
    shown = literal(text)
    assert "\n" not in shown
    for sign in "*_[]()<>$`#|~":
        assert shown.count(sign) == shown.count(f"\\{sign}")
    assert ":material" not in shown
    assert ":red" not in shown


def test_signs_are_not_turned_into_typography() -> None:
    for signs in ("->", "<-", "--", ">=", "<=", "~="):
        assert literal(signs).replace("\\", "") == f"{signs[0]}\u2060{signs[1]}"


def test_a_page_of_hostile_documents_can_be_compared() -> None:
    from rerank_lab.core.types import Document
    from rerank_lab.corpora import Corpus

    made = Corpus("h", tuple(Document(f"d{i}", text, text) for i, text in enumerate(HOSTILE)))
    done = result("bm25", [[d.id for d in made.documents]])
    shown = compare(Topic(QUERY, made), [outcome_of("bm25", done)], CompareOptions())
    for one in shown.columns[0].cards:
        safe(cards.card_head(one) + cards.card_body(one))
        assert len(one.title) <= 141


def test_the_legend_tells_what_no_mark_means_where_something_is_judged() -> None:
    assert "not judged" in cards.legend(judged=True)
    assert "not judged" not in cards.legend(judged=False)
