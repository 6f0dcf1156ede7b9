"""Compare as one screen for an audience: no side, no settings, large type, and keys to step on.

It lies over the whole window. Its lengths are made from `--u`, a hundredth of the window's width
(or of 16 : 9 of its height), so that what fits into 1280 x 720 pixels fits into every beamer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import streamlit as st

from rerank_lab.charts import figures as charts
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.corpora import Corpus
from rerank_lab.ui.compare import cards
from rerank_lab.ui.models import health
from rerank_lab.ui.shared import parts, state
from rerank_lab.ui.shared.plots import PlainFigure
from rerank_lab.views.compare import Card, CompareColumn, CompareView
from rerank_lab.views.health import Badge, doubted
from rerank_lab.views.jobs import doing
from rerank_lab.views.labels import fraction
from rerank_lab.views.present import (
    ALL,
    Presented,
    QueryPlace,
    next_focus,
    presented,
    query_place,
    stepped_queries,
)

_RULES = """<style>
.st-key-stage { --u: max(9px, min(1vw, 1.7778vh)); position: fixed; inset: 0; z-index: 999980;
  background: var(--rl-background); padding: calc(var(--u) * .9) calc(var(--u) * 1.6);
  overflow: auto; flex-wrap: nowrap; gap: calc(var(--u) * .7); }
/* The bar with the theme's menu would lie over the first line. */
body:has(.st-key-stage) [data-testid="stHeader"] { display: none; }
.rl-question { font-size: calc(var(--u) * 2.1); line-height: 1.2; font-weight: 600;
  text-wrap: balance; display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2;
  overflow: hidden; }
.st-key-stage .rl-verdict { font-size: calc(var(--u) * 1.55); line-height: 1.3; font-weight: 400;
  display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden; }
.st-key-stage_keys { position: absolute; width: 1px; height: 1px; overflow: hidden;
  clip-path: inset(50%); }
.st-key-step_left button p, .st-key-step_right button p { position: absolute; width: 1px;
  height: 1px; overflow: hidden; clip-path: inset(50%); }
.st-key-stage_body > :first-child { flex: 0 0 36%; }
.st-key-stage_body > :last-child { flex: 1 1 0; min-width: 0; }
.st-key-stage_body:has(.rl-stage-1) > :first-child { flex-basis: 44%; }
.st-key-stage_body:has(.rl-stage-2) > :first-child { flex-basis: 42%; }
.st-key-stage_body:has(.rl-stage-4) > :first-child { flex-basis: 31%; }
.st-key-stage_body:has(.rl-stage-5, .rl-stage-6) > :first-child { flex-basis: 26%; }
.st-key-stage_side { min-width: 0; gap: calc(var(--u) * .3); }
.st-key-stage_heads, .rl-stage { gap: calc(var(--u) * 1.2); }
.st-key-stage_heads > * { min-width: 0; flex: 1 1 0; }
.st-key-stage_heads button { justify-content: flex-start; padding: .1rem .5rem;
  min-height: calc(var(--u) * 2.6); }
.st-key-stage_heads button > div { justify-content: flex-start; text-align: left; }
.st-key-stage_heads button p { font-size: calc(var(--u) * 1.2); line-height: 1.25;
  font-weight: 600; overflow-wrap: anywhere; }
.rl-stage { display: grid; grid-template-rows: repeat(4, auto); grid-auto-flow: column;
  grid-auto-columns: minmax(0, 1fr); row-gap: 0; }
.rl-stage section { display: grid; grid-row: span 4; grid-template-rows: subgrid; min-width: 0;
  grid-template-columns: minmax(0, 1fr); }
.rl-stage .rl-facts, .rl-stage .rl-note, .rl-stage .rl-warning { font-size: calc(var(--u) * 1.1);
  line-height: 1.3; min-height: 0; margin: 0; }
.rl-line { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.rl-stage .rl-big { font-size: calc(var(--u) * 1.8); line-height: 1.2; }
.rl-stage .rl-tag, .rl-stage .rl-badge { font-size: calc(var(--u) * .95); }
.rl-answer { border-top: 1px solid var(--rl-border); margin-top: calc(var(--u) * .6);
  padding-top: calc(var(--u) * .4); min-width: 0; }
.rl-stage .rl-head { font-size: calc(var(--u) * 1.15); align-items: center; }
.rl-stage .rl-rank { font-size: calc(var(--u) * 1.5); line-height: 1.25;
  min-width: calc(var(--u) * 1.4); }
.rl-stage .rl-grade { font-size: calc(var(--u) * 1.1); line-height: 1.4; }
.rl-answer-title { font-size: calc(var(--u) * 1.4); line-height: 1.25; font-weight: 600; }
.rl-stage .rl-snippet { font-size: calc(var(--u) * 1.15); line-height: 1.35; max-height: 4em;
  color: var(--rl-muted); }
.rl-stage .rl-snippet mark { color: var(--rl-text); }
.rl-answer-title, .rl-stage .rl-snippet { display: -webkit-box; -webkit-box-orient: vertical;
  -webkit-line-clamp: 2; overflow: hidden; overflow-wrap: anywhere; }
.rl-stage .rl-snippet { -webkit-line-clamp: 3; }
.rl-roomy .rl-answer-title { font-size: calc(var(--u) * 1.6); }
.rl-roomy .rl-snippet { font-size: calc(var(--u) * 1.3); }
.rl-roomy .rl-head { font-size: calc(var(--u) * 1.25); }
.rl-stage-1 .rl-answer-title { font-size: calc(var(--u) * 1.9); }
.rl-stage-1 .rl-snippet { font-size: calc(var(--u) * 1.35); }
.rl-stage-4 .rl-answer-title { font-size: calc(var(--u) * 1.4); -webkit-line-clamp: 3; }
.rl-stage-4 .rl-snippet { font-size: calc(var(--u) * 1.15); -webkit-line-clamp: 2;
  max-height: 2.7em; }
.rl-stage-5 .rl-snippet, .rl-stage-6 .rl-snippet { display: none; }
.rl-stage-5 .rl-answer-title, .rl-stage-6 .rl-answer-title { -webkit-line-clamp: 4; }
.rl-stage-5 .rl-answer-title, .rl-stage-6 .rl-answer-title { font-size: calc(var(--u) * 1.2); }
.st-key-stage_chart { height: calc(var(--u) * 39); }
.st-key-stage_body:has(.rl-roomy) .st-key-stage_chart { height: calc(var(--u) * 43); }
.st-key-stage_body:has(.rl-stage-4, .rl-stage-5, .rl-stage-6) .st-key-stage_heads button p {
  font-size: calc(var(--u) * 1.05); }
.st-key-stage_body:has(.rl-stage-4, .rl-stage-5, .rl-stage-6) .st-key-stage_heads { gap:
  calc(var(--u) * .8); }
</style>"""


def button(corpus: Corpus | None) -> None:
    """The button that begins a presentation."""
    st.button(
        "Present",
        key="present_start",
        icon=":material/present_to_all:",
        help="One screen for an audience. Keys: ← → queries, ↑ ↓ or 1 to 6 pipelines, Esc leaves.",
        on_click=_begin,
        args=(corpus,),
    )


def _begin(corpus: Corpus | None) -> None:
    st.session_state["present"], st.session_state["focus"] = "1", ""
    queries = stepped_queries(corpus) if corpus else ()
    if not st.session_state.get("q") and queries:
        state.set_query(queries[0].text)


def _leave() -> None:
    st.session_state["present"] = st.session_state["focus"] = ""


def leave_button() -> None:
    """The way back to the page; Esc presses it."""
    st.button(
        "Leave", key="present_leave", icon=":material/close:", type="tertiary", shortcut="Esc",
        on_click=_leave,
    )  # fmt: skip


@contextmanager
def stage(screen: state.Screen, corpus: Corpus) -> Iterator[None]:
    """The screen with its first line; what the block draws stands below.

    Its buttons stand in no fragment: one that ends just then would lose a press.
    """
    st.html(_RULES)
    with st.container(key="stage"):
        _bar(screen, query_place(corpus, screen.query))
        yield


def empty(screen: state.Screen, corpus: Corpus) -> None:
    """The screen while there is nothing to compare yet."""
    text = (
        "Leave, and add a pipeline to compare."
        if not screen.pipelines
        else f"The right arrow asks the first query of {corpus.name}."
        if corpus.queries
        else f"{corpus.name} has no queries of its own. Leave, and ask one."
    )
    with stage(screen, corpus):
        st.html(cards.verdict(text))


def draw(
    view: CompareView, focus: int, checks: health.Checks, colours: Mapping[PipelineSpec, int]
) -> None:
    """What the stage shows of a comparison: verdict, chart, and first answers."""
    data = presented(view, focus)
    st.html(cards.verdict(view.verdict or "…"))
    with st.container(horizontal=True, wrap=False, gap="medium", key="stage_body"):
        _chart(data)
        with st.container(key="stage_side"):
            _heads(data, colours)
            st.html(answers(data, checks))
    _focus_keys(data)


def _bar(screen: state.Screen, place: QueryPlace) -> None:
    with st.container(
        horizontal=True, wrap=False, vertical_alignment="center", gap="xsmall", key="stage_bar"
    ):
        st.html(f'<div class="rl-question" dir="auto">{cards.escape(screen.query)}</div>')
        if place.count:
            _step("Previous query", "Left", place.before)
            st.html(f'<span class="rl-note">{place.words}</span>', width="content")
            _step("Next query", "Right", place.after)
        leave_button()


def _step(label: str, key: str, query: str) -> None:
    st.button(
        label, key=f"step_{key.lower()}", type="tertiary", shortcut=key, disabled=not query,
        on_click=state.set_query, args=(query,),
    )  # fmt: skip


def _chart(data: Presented) -> None:
    with st.container(key="stage_chart"):
        if data.chart is not None and data.chart.lines:
            st.plotly_chart(
                PlainFigure(charts.bump_chart(data.chart, parts.theme(), charts.STAGE_SIZES)),
                theme=None,
                height="stretch",
                key="stage_bump",
                config={"displayModeBar": False, "staticPlot": True},
                alt="The ranks of the documents shown, from the first stage to each pipeline",
            )
        elif data.view.pending:
            st.skeleton(height="stretch")


def _heads(data: Presented, colours: Mapping[PipelineSpec, int]) -> None:
    """The pipelines by name, each with the key that shows it alone."""
    with st.container(horizontal=True, wrap=False, key="stage_heads"):
        for number, column in enumerate(data.view.columns, start=1):
            in_focus = data.focus == number
            with st.container(
                horizontal=True,
                wrap=False,
                vertical_alignment="center",
                gap="xsmall",
                key=f"focus_{number}",
            ):
                st.html(
                    f'<span class="rl-dot" style="background:var(--rl-p{colours[column.spec]})">'
                    "</span>",
                    width="content",
                )
                st.button(
                    parts.literal(column.label),
                    key=f"focus_on_{number}",
                    shortcut=str(number),
                    type="primary" if in_focus else "secondary",
                    on_click=_focus,
                    args=(ALL if in_focus else number,),
                    width="stretch",
                    wrap=True,
                )


def _focus_keys(data: Presented) -> None:
    """Up and down; for those who cannot see them, the buttons have names."""
    with st.container(key="stage_keys"):
        for label, key, step in (("Previous pipeline", "Up", -1), ("Next pipeline", "Down", 1)):
            focus = next_focus(data.focus, len(data.view.columns), step)
            st.button(
                label, key=f"focus_{key.lower()}", shortcut=key, on_click=_focus, args=(focus,)
            )


def _focus(number: int) -> None:
    st.session_state["focus"] = str(number or "")
    st.rerun()


def answers(data: Presented, checks: health.Checks) -> str:
    """The first answers of the columns, as HTML."""
    columns = "".join(_column(column, health.of(checks, column.spec)) for column in data.columns)
    room = " rl-roomy" if data.roomy else ""
    return f'<div class="rl-stage rl-stage-{len(data.columns)}{room}">{columns}</div>'


def _column(column: CompareColumn, badge: Badge | None) -> str:
    kind = "rl-facts" if column.failure is not None else "rl-facts rl-line"
    head = f'<div class="{kind}">{_facts(column, badge)}</div>'
    remarks = [*(doubted(badge) if badge else ()), *column.warnings]
    if remarks:
        text = cards.escape(" ".join(remarks))
        head += f'<div class="rl-warning rl-line" title="{text}">⚠ {text}</div>'
    return f"<section><div>{head}</div>{''.join(map(_answer, column.cards))}</section>"


def _facts(column: CompareColumn, badge: Badge | None) -> str:
    """Judged quality and time of a finished pipeline; else what it is doing, or why it failed."""
    if column.waiting:
        outcome = column.outcome
        return cards.escape(
            doing(outcome.doing, outcome.done, outcome.total, outcome.elapsed_s or None)
        )
    if column.failure is not None:
        return f"⚠ {cards.escape(column.failure.message)}"
    facts = [f"<span>{cards.time_line(column)}</span>"]
    if column.quality is not None and column.quality.ndcg is not None:
        value = fraction(column.quality.ndcg)
        facts.insert(0, f'nDCG@10 <span class="rl-big">{value}</span>')
    if badge is not None and doubted(badge):
        facts.append(cards.badge(badge))
    return " · ".join(facts)


def _answer(card: Card) -> str:
    return (
        f'<div class="rl-answer"><div class="rl-head"><span class="rl-rank">{card.rank}</span>'
        f"{cards.movement(card.movement)}{cards.grade(card.grade)}</div>"
        f'<div class="rl-answer-title" dir="auto">{cards.escape(card.title)}</div>'
        f'<div class="rl-snippet" dir="auto">{cards.segments(card.snippet)}</div></div>'
    )
