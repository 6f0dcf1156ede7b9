"""The guided tour on screen: the offer, a card beside each page, and what was there before it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Literal

import streamlit as st

from rerank_lab.core.errors import LabError, StorageError
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.services.first_visit import remember_tour, tour_was_offered
from rerank_lab.services.presets import DEFAULT_DEPTH
from rerank_lab.ui.shared import parts, resources, state
from rerank_lab.ui.shared.navigation import (
    COMPARE,
    COMPARE_PAGE,
    CORPORA,
    CORPORA_PAGE,
    EVALUATE,
    EVALUATE_PAGE,
    EXPERIMENT,
    go_to,
)
from rerank_lab.views import tour as views
from rerank_lab.views.compare import CompareView

_BEFORE, _OFFERED = "tour_before", "tour_offered"
_TURN, _STEP = "tour_turn", "tour_step"
_SETTLES_S = 5.0
"""For so long after a press, the browser may still send the step that it showed before."""
_FILES = {COMPARE: COMPARE_PAGE, EVALUATE: EVALUATE_PAGE, CORPORA: CORPORA_PAGE}
_ON_SCREEN = ("corpus", "q", "p", "depth", "pin", "doc", "saved")
_RULES = """<style>
.st-key-tour_card { position: fixed; right: 1.2rem; bottom: 1rem; z-index: 990;
  width: min(66rem, calc(100vw - 17.5rem)); padding: .8rem 1.2rem; border-radius: .6rem;
  background: var(--rl-background); border: 2px solid var(--rl-accent);
  box-shadow: 0 .4rem 1.6rem rgb(0 0 0 / .22); }
.rl-tour-room { height: 9rem; }
@media (max-width: 900px) {
  .st-key-tour_card { flex-wrap: wrap; } .rl-tour-room { height: 14rem; } }
@media (max-width: 700px) { .st-key-tour_card { width: calc(100vw - 2.4rem); } }
%s</style><div class="rl-tour-room"></div>"""
_MARK = "{ outline: 2px solid var(--rl-accent); outline-offset: .25rem; border-radius: .4rem; }"


def follow_link() -> None:
    """A link to the tour that names no query: put its question on screen. Before any widget."""
    number = views.step_number(str(st.query_params.get("tour", "")))
    if number and "tour" not in st.session_state and "q" not in st.query_params:
        _begin()


def offer() -> None:
    """The tour, offered once in a data folder; the welcome draws it."""
    if _was_offered() or not _possible():
        return
    with st.container(border=True, key="tour_offer"):
        st.markdown(
            "**New here?** In three minutes this tour shows, on the sample *helpdesk*, what BM25 "
            "misses, what a reranker finds, what it costs, and whether one can be sure."
        )
        with st.container(horizontal=True):
            st.button("Start the tour", key="tour_start", icon=":material/tour:", on_click=_begin)
            st.button("Not now", key="tour_decline", type="tertiary", on_click=_remember)


def start_button() -> None:
    """The way to the tour at any time, at the foot of the side bar."""
    if not _possible():
        return
    st.button(
        "Guided tour", key="tour_again", icon=":material/tour:", type="tertiary", on_click=_begin
    )


def is_on() -> bool:
    """Whether a step about Compare is to be drawn there."""
    return views.on_compare(_number())


def beside_compare(view: CompareView, colours: Mapping[PipelineSpec, int]) -> None:
    """The card of a step about Compare. It stands in no fragment, which could lose a press."""
    slots = [colours[column.spec] for column in view.columns]
    _card(views.compare_step(_number(), view, slots))


def beside_page(page: str) -> None:
    """The card on the other pages: a step about Evaluate, or the way back to the tour."""
    number = _number()
    if not number or (page == COMPARE and views.on_compare(number)):
        return
    if page != EVALUATE or views.on_compare(number):
        _card(views.elsewhere(number))
        return
    experiment_id = str(st.query_params.get(EXPERIMENT, ""))
    try:
        evaluation = resources.evaluation(experiment_id) if experiment_id else None
    except LabError:
        evaluation = None
    _card(views.evaluate_step(number, evaluation, started=bool(experiment_id)))


def _card(step: views.TourStep) -> None:
    marks = ", ".join(f".st-key-{mark}" for mark in step.marks)
    st.html(_RULES % (f"{marks} {_MARK}" if marks else ""))
    with st.container(horizontal=True, vertical_alignment="center", key="tour_card"):
        words = st.container(gap="xxsmall", key="tour_text")
        # The buttons first: who reads the words and presses at once means the step they belong to.
        with st.container(horizontal=True, wrap=False, width="content", key="tour_buttons"):
            _buttons(step)
        words.markdown(f"**{parts.literal(step.title)}** :gray[· {step.place}]")
        words.markdown(parts.literal(step.text))


def _buttons(step: views.TourStep) -> None:
    if step.astray:
        st.button("Back to it", key="tour_back", type="primary", on_click=_return,
                  args=(step.number,))  # fmt: skip
    elif step.number == views.STEPS:
        st.button("Bring documents", key="tour_documents", type="primary", on_click=_to_documents)
    else:
        kind: Literal["primary", "secondary"] = "primary" if step.ready else "secondary"
        st.button("Next" if step.ready else "Go on without", key="tour_next", type=kind,
                  on_click=_go_on, args=(step.number + 1,))  # fmt: skip
    last = step.number == views.STEPS
    st.button("Finish" if last else "Skip the tour", key="tour_end", type="tertiary",
              on_click=_end)  # fmt: skip


def _page_of(number: int) -> str:
    return COMPARE_PAGE if views.on_compare(number) else EVALUATE_PAGE


def _number() -> int:
    return views.step_number(str(st.session_state.get("tour") or ""))


def turn_page(page: str) -> None:
    """Go to the page of a step that has just begun. The frame calls it before it draws."""
    step, until = st.session_state.get(_STEP, ("", 0.0))
    if time.monotonic() < until:
        st.session_state["tour"] = step
    target = str(st.session_state.get(_TURN, ""))
    if target in ("", _FILES.get(page)):
        st.session_state[_TURN] = ""
    else:
        # Not forgotten before it is reached: a poll of the page that is left may come between.
        go_to(target)


def _go_on(number: int) -> None:
    _set_step(str(number))
    st.session_state[_TURN] = _page_of(number)


def _set_step(step: str) -> None:
    """Go to a step, "" to end the tour, whatever a poll of the page before says of it."""
    st.session_state["tour"] = step
    st.session_state[_STEP] = (step, time.monotonic() + _SETTLES_S)


def _to_documents() -> None:
    _end()
    st.session_state[_TURN] = CORPORA_PAGE


def _begin() -> None:
    st.session_state[_BEFORE] = {
        key: st.session_state[key] for key in _ON_SCREEN if st.session_state.get(key)
    }
    _remember()
    _return(views.MISSES)


def _return(number: int) -> None:
    """Put the tour's question on screen at this step."""
    query = next(q for q in resources.corpus(views.CORPUS).queries if q.id == views.QUERY_ID)
    st.session_state.update(
        {
            "corpus": views.CORPUS,
            "p": list(map(str, views.PIPELINES)),
            "depth": views.DEPTH,
            "saved": "",
            "present": "",
        }
    )
    _set_step(str(number))
    state.set_query(state.flat(query.text))
    st.session_state[_TURN] = _page_of(number)


def _end() -> None:
    """Leave the tour. What was on screen before it comes back, where there was a question."""
    _set_step("")
    before = st.session_state.pop(_BEFORE, {})
    if before.get("q"):
        empty = {"depth": DEFAULT_DEPTH, "pin": "", "doc": "", "saved": ""}
        st.session_state.update(empty | before)


def _possible() -> bool:
    """Whether the sample of the tour is here and can be opened."""
    try:
        return views.is_possible(resources.corpus(views.CORPUS))
    except LabError:
        return False


def _was_offered() -> bool:
    return bool(st.session_state.get(_OFFERED)) or tour_was_offered(resources.engine().home)


def _remember() -> None:
    """Offer it no more: in this data folder, or in this session where that cannot be written."""
    st.session_state[_OFFERED] = True
    try:
        remember_tour(resources.engine().home)
    except StorageError:
        return
