"""The HTML of cards, column heads and the verdict. Every text from outside is escaped."""

from __future__ import annotations

import html
from collections.abc import Sequence

from rerank_lab.views.compare import Card, Column, Quality
from rerank_lab.views.health import Badge, doubted
from rerank_lab.views.labels import fraction, score, seconds
from rerank_lab.views.moves import Movement
from rerank_lab.views.text import Segment
from rerank_lab.views.times import tags, warm_words

GRADE_NAMES = {0: "not relevant", 1: "slightly", 2: "relevant", 3: "perfect"}


def escape(text: str) -> str:
    """Text for an element or a quoted attribute. Lone surrogates, which no page can carry, go."""
    return html.escape(text.encode("utf-8", "replace").decode("utf-8"), quote=True)


def segments(parts: Sequence[Segment]) -> str:
    return "".join(_segment(part) for part in parts)


def _segment(part: Segment) -> str:
    text = f"<mark>{escape(part.text)}</mark>" if part.marked else escape(part.text)
    if part.unread:
        return f'<span class="rl-unread" title="not read by the model">{text}</span>'
    if part.decided:
        return f'<span class="rl-decided" title="the passage that decided">{text}</span>'
    return text


def grade(value: int | None) -> str:
    """The grade as a chip, or nothing when it is not judged."""
    if value is None:
        return ""
    shade = max(0, min(3, value))
    meaning = GRADE_NAMES.get(value, "")
    return (
        f'<span class="rl-grade rl-g{shade}" title="Grade {value}: {meaning}">grade {value}</span>'
    )


def movement(move: Movement | None) -> str:
    """Arrow and number against the first stage."""
    if move is None:
        return ""
    up = move.up
    kind = "new" if up is None else "same" if up == 0 else "up" if up > 0 else "down"
    before = "not in the first stage" if move.before is None else f"rank {move.before} before"
    return f'<span class="rl-move rl-{kind}" title="{before}">{escape(move.shown)}</span>'


def card_head(card: Card) -> str:
    """The line above a card's title: rank, movement, grade, score."""
    pin = '<span class="rl-pin" title="Pinned">◆</span>' if card.pinned else ""
    shown = "" if card.score is None else f"{score(card.score)}"
    scale = f' <span class="rl-scale">{escape(card.scale)}</span>' if shown else ""
    return (
        f'<div class="rl-head"><span class="rl-rank">{card.rank}</span>'
        f"{movement(card.movement)}{grade(card.grade)}{pin}"
        f'<span class="rl-score">{shown}{scale}</span></div>'
    )


def card_body(card: Card) -> str:
    """The snippet, and which passage it is from when the document was cut."""
    note = f'<div class="rl-note">passage {escape(card.passage)}</div>' if card.passage else ""
    text = segments(card.snippet) or '<span class="rl-note">no text</span>'
    return f'<div class="rl-snippet" dir="auto">{text}</div>{note}'


def column_head(column: Column, colour: str, health: Badge | None, query_id: str = "") -> str:
    """Name, health, time and the judged measures of one pipeline."""
    name = escape(column.label).replace(" &gt;&gt; ", " <wbr>&gt;&gt; ")
    facts = [badge(health)] if health else []
    doubts = doubted(health) if health else ()
    if column.outcome.ranking is not None:
        facts.insert(0, time_line(column))
    return (
        f'<div class="rl-colhead" title="{escape(column.spec)}" data-query="{escape(query_id)}">'
        f'<span class="rl-dot" style="background:{colour}"></span>'
        f'<span class="rl-name">{name}</span></div>'
        f'<div class="rl-facts">{" · ".join(facts) or "&nbsp;"}</div>'
        f"{quality(column.quality) if column.quality else ''}"
        f"{_calls(column.calls)}"
        + "".join(
            f'<div class="rl-warning">⚠ {escape(text)}</div>'
            for text in (*doubts, *column.warnings)
        )
    )


def _calls(text: str) -> str:
    return f'<div class="rl-note rl-calls">{escape(text)}</div>' if text else ""


def time_line(column: Column) -> str:
    """Seconds of this query, and how they came about: cold, from cache, ..."""
    trace = column.trace
    warm = warm_words(trace, cached=column.cached)
    shown = f'<span class="rl-num">{seconds(trace.total_s)}</span>'
    return (
        shown
        + "".join(
            f' <span class="rl-tag" title="{escape(tag.why)}">{tag.name}</span>'
            for tag in tags(trace, cached=column.cached)
        )
        + (f' <span class="rl-note">{escape(warm)}</span>' if warm else "")
    )


def quality(found: Quality) -> str:
    """nDCG@10 with the ceiling that these candidates allow; nothing for an unjudged query."""
    if found.ndcg is None:
        return ""
    share = 0.0 if not found.ceiling else max(0.0, min(1.0, found.ndcg / found.ceiling))
    ceiling = 0.0 if found.ceiling is None else max(0.0, min(1.0, found.ceiling))
    judged = "" if found.judged == found.of else f" · {found.judged} of {found.of} judged"
    return (
        '<div class="rl-quality"><span class="rl-label">nDCG@10</span> '
        f'<span class="rl-big">{fraction(found.ndcg)}</span> '
        f'<span class="rl-note">of {fraction(found.ceiling)} possible'
        f" · headroom {fraction(found.headroom)}{judged}</span>"
        f'<div class="rl-bar" aria-hidden="true"><i style="width:{ceiling * 100:.1f}%">'
        f'<b style="width:{share * 100:.1f}%"></b></i></div></div>'
    )


def verdict(text: str) -> str:
    return f'<div class="rl-verdict">{escape(text)}</div>'


def legend(judged: bool) -> str:
    """What grades and arrows mean, once for the page."""
    chips = "".join(grade(value) for value in (3, 2, 1, 0)) if judged else ""
    arrows = (
        '<span class="rl-move rl-up">▲ 3</span><span class="rl-move rl-down">▼ 2</span>'
        '<span class="rl-note">ranks gained or lost against the pipeline\'s own first stage</span>'
    )
    return f'<div class="rl-legend">{chips}{arrows}</div>'


def badge(found: Badge | None) -> str:
    """The health badge, with its reasons in words when there are any."""
    if found is None:
        return ""
    title = escape(" ".join(found.reasons))
    return f'<span class="rl-badge rl-{escape(found.state)}" title="{title}">{found.state}</span>'
