"""The HTML of cards, column heads and the verdict. Every text from outside is escaped."""

from __future__ import annotations

import html
from collections.abc import Sequence

from rerank_lab.views.compare import Card, CompareColumn, Quality
from rerank_lab.views.health import Badge, doubted
from rerank_lab.views.labels import score, seconds
from rerank_lab.views.marks import (
    MOVES_EXPLAINED,
    grade_mark,
    legend_grades,
    move_mark,
    quality_mark,
)
from rerank_lab.views.rank_changes import Movement
from rerank_lab.views.text import Segment
from rerank_lab.views.times import tags, warm_words


def plain(text: str) -> str:
    """Text without lone surrogates, which no page can carry."""
    return text.encode("utf-8", "replace").decode("utf-8")


def escape(text: str) -> str:
    """Text for an element or a quoted attribute, as `plain` has it."""
    return html.escape(plain(text), quote=True)


def segments(parts: Sequence[Segment]) -> str:
    """Text with its marked parts, as HTML."""
    return "".join(_segment(part) for part in parts)


def _segment(part: Segment) -> str:
    text = f"<mark>{escape(part.text)}</mark>" if part.marked else escape(part.text)
    if part.relevant:
        text = f'<span class="rl-relevant" title="relevant, says the model">{text}</span>'
    if part.unread:
        return f'<span class="rl-unread" title="not read by the model">{text}</span>'
    if part.decided:
        return f'<span class="rl-decided" title="the passage that decided">{text}</span>'
    return text


def failures(failed: Sequence[CompareColumn]) -> str:
    """What did not answer, one line a pipeline, as HTML."""
    lines = "".join(
        f'<div class="rl-failure">⚠ <b>{escape(column.label)}</b> did not answer: '
        f"{escape(column.failure.message)}</div>"
        for column in failed
        if column.failure is not None
    )
    return f'<div class="rl-failures" role="status">{lines}</div>'


def more_columns(count: int) -> str:
    """The hint that columns go on to the right; the style sheet shows it where they do."""
    return f'<div class="rl-more">{count} pipelines · scroll sideways to see them all →</div>'


def grade(value: int | None) -> str:
    """The grade as a chip, or nothing when it is not judged."""
    mark = grade_mark(value)
    if mark is None:
        return ""
    return f'<span class="rl-grade rl-g{mark.shade}" title="{mark.meaning}">{mark.text}</span>'


def movement(move: Movement | None) -> str:
    """Arrow and number against the first stage."""
    mark = move_mark(move)
    if mark is None:
        return ""
    return f'<span class="rl-move rl-{mark.kind}" title="{mark.before}">{escape(mark.text)}</span>'


def card_head(card: Card) -> str:
    """The line above a card's title: rank, movement, grade, score."""
    pin = '<span class="rl-pin" title="Pinned">◆</span>' if card.pinned else ""
    number = "" if card.score is None else f"{score(card.score)}"
    scale = f' <span class="rl-scale">{escape(card.scale)}</span>' if number else ""
    return (
        f'<div class="rl-head"><span class="rl-rank">{card.rank}</span>'
        f"{movement(card.movement)}{grade(card.grade)}{pin}"
        f'<span class="rl-score">{number}{scale}</span></div>'
    )


def card_body(card: Card) -> str:
    """The snippet, and which passage it is from when the document was cut."""
    note = f'<div class="rl-note">passage {escape(card.passage)}</div>' if card.passage else ""
    text = segments(card.snippet) or '<span class="rl-note">no text</span>'
    return f'<div class="rl-snippet" dir="auto">{text}</div>{note}'


def card(value: Card, slot: int, menu_label: str | None) -> str:
    """A whole card of the column in this place; with a label it has a menu of grades.

    `cards.js` listens to its buttons.
    """
    kind = "cardpin" if value.pinned else "card"
    menu = "" if menu_label is None else (
        '<button type="button" class="rl-menu-button" data-press="grade" aria-haspopup="menu" '
        f'aria-expanded="false"><span>{escape(menu_label)}</span>'
        '<span class="rl-chevron" aria-hidden="true" translate="no">expand_more</span></button>'
    )  # fmt: skip
    return (
        f'<div class="rl-card st-key-{kind}_{slot}_{value.rank}" data-rank="{value.rank}" '
        f'data-doc="{escape(value.doc_id)}">'
        f'<div class="rl-card-top">{card_head(value)}{menu}</div>'
        f'<div class="rl-card-title st-key-title_{slot}_{value.rank}">'
        f'<button type="button" data-press="open"><p>{escape(value.title)}</p></button></div>'
        f"{card_body(value)}</div>"
    )


def column_head(
    column: CompareColumn, colour: str, health: Badge | None, query_id: str = ""
) -> str:
    """Name, health, time and the judged measures of one pipeline."""
    name = escape(column.label).replace(" &gt;&gt; ", " <wbr>&gt;&gt; ")
    facts = [badge(health)] if health else []
    doubts = doubted(health) if health else ()
    # A remark that stands with every result of a model is explained once, by its badge.
    remarks = (*doubts, *(w for w in column.warnings if not any(w in doubt for doubt in doubts)))
    if column.outcome.ranking is not None:
        facts.insert(0, time_line(column))
    return (
        f'<div class="rl-colhead" title="{escape(str(column.spec))}" '
        f'data-query="{escape(query_id)}">'
        f'<span class="rl-dot" style="background:{colour}"></span>'
        f'<span class="rl-name">{name}</span></div>'
        f'<div class="rl-facts">{" · ".join(facts) or "&nbsp;"}</div>'
        f"{quality(column.quality)}"
        f"{_calls(column)}"
        + "".join(f'<div class="rl-warning">⚠ {escape(text)}</div>' for text in remarks)
    )


def _calls(column: CompareColumn) -> str:
    """What the models were given; the place of a column without any is kept."""
    text = escape(column.calls)
    return f'<div class="rl-note rl-calls" title="{text}">{text}</div>'


def time_line(column: CompareColumn) -> str:
    """Seconds of this query, and how they came about: cold, from cache, ..."""
    trace = column.trace
    warm = warm_words(trace, cached=column.cached)
    total = f'<span class="rl-num">{seconds(trace.total_s)}</span>'
    return (
        total
        + "".join(
            f' <span class="rl-tag" title="{escape(tag.why)}">{tag.name}</span>'
            for tag in tags(trace, cached=column.cached)
        )
        + (f' <span class="rl-note">{escape(warm)}</span>' if warm else "")
    )


def quality(values: Quality | None) -> str:
    """nDCG@10 with the ceiling that these candidates allow; nothing for an unjudged query."""
    mark = quality_mark(values)
    if mark is None:
        return ""
    return (
        f'<div class="rl-quality"><span class="rl-label">{mark.measure}</span> '
        f'<span class="rl-big">{mark.value}</span> '
        f'<span class="rl-note">{mark.note.replace("headroom ", "headroom&nbsp;")}</span>'
        f'<div class="rl-bar" aria-hidden="true"><i style="width:{mark.reach * 100:.1f}%">'
        f'<b style="width:{mark.share * 100:.1f}%"></b></i></div></div>'
    )


def verdict(text: str) -> str:
    """The line above the comparison, as HTML."""
    return f'<div class="rl-verdict">{escape(text)}</div>'


def legend(judged: bool) -> str:
    """What grades and arrows mean, once for the page."""
    chips = "".join(map(grade, legend_grades(judged)))
    if judged:
        chips += '<span class="rl-grade rl-unjudged">no mark: not judged</span>'
    arrows = (
        '<span class="rl-move rl-up">▲ 3</span><span class="rl-move rl-down">▼ 2</span>'
        f'<span class="rl-note">{MOVES_EXPLAINED}</span>'
    )
    return f'<div class="rl-legend">{chips}{arrows}</div>'


def badge(health: Badge | None) -> str:
    """The health badge, with its reasons in words when there are any."""
    if health is None:
        return ""
    title = escape(" ".join(health.reasons))
    return f'<span class="rl-badge rl-{escape(health.state)}" title="{title}">{health.state}</span>'
