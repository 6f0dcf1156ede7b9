"""The strip of columns: one a pipeline, each drawn as soon as it is ready."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

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
            for card in column.cards:
                _card(card, slot, grading)


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


def _card(card: Card, slot: int, grading: Grading | None) -> None:
    kind = "cardpin" if card.pinned else "card"
    with st.container(key=f"{kind}_{slot}_{card.rank}", gap=None):
        with st.container(horizontal=True, wrap=False, vertical_alignment="center", gap="xsmall"):
            st.html(cards.card_head(card))
            if grading is not None:
                grading.menu(card.doc_id, f"grade_{slot}_{card.rank}", card.passage)
        st.button(
            parts.literal(card.title),
            key=f"title_{slot}_{card.rank}",
            type="tertiary",
            on_click=open_document,
            args=(card.doc_id,),
            width="stretch",
        )
        st.html(cards.card_body(card))


def open_document(doc_id: str) -> None:
    """Show a document at the side. Call it from a callback only."""
    st.session_state["doc"] = doc_id
    st.rerun()
