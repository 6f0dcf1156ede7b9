"""The strip of columns: one a pipeline, each drawn as soon as it is ready."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from importlib import resources as package_files

import streamlit as st

from rerank_lab.core.errors import MissingKey
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.ui.compare import cards
from rerank_lab.ui.compare.grading import Grading
from rerank_lab.ui.models import health, providers
from rerank_lab.ui.shared import parts, resources, run
from rerank_lab.ui.shared.navigation import MODELS_PAGE, go_to
from rerank_lab.views.compare import Card, CompareColumn, CompareView
from rerank_lab.views.jobs import doing

_ENTER_KEY = "Enter the key"


def draw(
    view: CompareView,
    tasks: Sequence[run.Task],
    colours: Mapping[PipelineSpec, int],
    checks: health.Checks,
    earlier_specs: Collection[PipelineSpec] = (),
    grading: Grading | None = None,
) -> None:
    """The columns share the width as long as it is enough; else they scroll in their own strip.

    What failed is named above them, for its column may be out of sight. What failed in a column
    of `earlier_specs` is not offered to be tried again. With `grading` each card has a menu.
    """
    tasks_by_spec = {task.spec: task for task in tasks}
    failed = [column for column in view.columns if column.failure is not None]
    if failed:
        st.html(cards.failures(failed))
    count = len(view.columns)
    with st.container(key=f"columns_{count}", gap="xsmall"):
        if count > 1:
            st.html(cards.more_columns(count))
        strip = st.container(horizontal=True, wrap=False, gap="medium", key="strip")
    places = [strip.container(width="stretch") for _ in view.columns]
    for column, place in zip(view.columns, places, strict=True):
        slot = colours[column.spec]
        with place.container(key=f"col_{slot}", gap="small"):
            badge = health.of(checks, column.spec)
            query_id = view.topic.query.id
            st.html(cards.column_head(column, f"var(--rl-p{slot})", badge, query_id))
            if column.waiting:
                _wait(tasks_by_spec[column.spec], slot)
            elif column.outcome.ranking is None:
                _failed(column, slot, can_retry=column.spec not in earlier_specs)
            if column.cards:
                _cards(column.cards, slot, query_id, grading)


def _wait(task: run.Task, slot: int) -> None:
    """The place of a column to come. Only what it is doing now is drawn again meanwhile."""
    poll_s = run.pace([task])
    st.fragment(_waiting, run_every=poll_s)(task, slot, poll_s)
    for height in (96, 96, 96):
        st.skeleton(height=height)


def _waiting(task: run.Task, slot: int, poll_s: float | None) -> None:
    resources.jobs().touch(resources.waiter())
    outcome = run.outcome(task)
    if not outcome.waiting or run.pace([task]) != poll_s:
        st.rerun()
    sentence = doing(outcome.doing, outcome.done, outcome.total, outcome.elapsed_s or None)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(parts.literal(sentence))
        st.button(
            "Cancel",
            key=f"stop_{slot}",
            type="tertiary",
            icon=":material/close:",
            on_click=run.cancel,
            args=(task.spec,),
        )
    if outcome.total:
        st.progress(min(1.0, outcome.done / outcome.total))


def _failed(column: CompareColumn, slot: int, *, can_retry: bool) -> None:
    failure = column.failure
    if failure is not None:
        retry = (lambda: run.again(column.spec)) if can_retry else None
        parts.error_card(failure, key=f"col_{slot}", retry=retry)
        if isinstance(failure, MissingKey):
            pressed = st.button(
                _ENTER_KEY,
                key=f"enter_key_{slot}",
                icon=":material/key:",
                on_click=providers.choose_for,
                args=(failure,),
            )
            if pressed:
                go_to(MODELS_PAGE)


def _cards(shown: Sequence[Card], slot: int, query_id: str, grading: Grading | None) -> None:
    """The cards of a column, one element: as elements of their own they are most of the page."""
    labels = {card.rank: None if grading is None else grading.label(card.doc_id) for card in shown}
    menus = {} if grading is None else {c.rank: grading.options(c.doc_id) for c in shown}
    key = f"cards_{slot}"
    component = st.components.v2.component(
        "rerank_lab.cards",
        html='<div class="rl-cards"></div>',
        js=_script(),
        isolate_styles=False,
    )
    component(
        key=key,
        data={
            "query": cards.plain(query_id),
            "html": "".join(cards.card(card, slot, labels[card.rank]) for card in shown),
            "menus": {rank: list(options.items()) for rank, options in menus.items()},
        },
        height="content",
        on_open_change=lambda: _opened(_pressed(key, "open", shown, query_id)),
        on_grade_change=lambda: _graded(key, shown, query_id, menus, grading),
    )


@cache
def _script() -> str:
    return package_files.files(__package__).joinpath("cards.js").read_text("utf-8")


def _pressed(key: str, event: str, shown: Sequence[Card], query_id: str) -> Card | None:
    """The card that a press was for; None for one that is no longer shown, or never was."""
    of = st.session_state[key].get(event)
    if not isinstance(of, Mapping) or of.get("query") != cards.plain(query_id):
        return None
    by_place = {(card.rank, cards.plain(card.doc_id)): card for card in shown}
    rank, doc_id = of.get("rank"), of.get("doc")
    return (
        by_place.get((rank, doc_id)) if isinstance(rank, int) and isinstance(doc_id, str) else None
    )


def _opened(card: Card | None) -> None:
    if card is not None:
        open_document(card.doc_id)


def _graded(
    key: str,
    shown: Sequence[Card],
    query_id: str,
    menus: Mapping[int, Mapping[str, str]],
    grading: Grading | None,
) -> None:
    card = _pressed(key, "grade", shown, query_id)
    if card is None or grading is None:
        return
    option = st.session_state[key]["grade"].get("option")
    if isinstance(option, str) and option in menus[card.rank]:
        grading.choose(card.doc_id, card.passage, option)


def open_document(doc_id: str) -> None:
    """Show a document at the side. Call it from a callback only."""
    st.session_state["doc"] = doc_id
    st.rerun()
