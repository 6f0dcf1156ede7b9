"""The way through the queries of an evaluation: back to it, and on to the next and previous one."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from rerank_lab.core.errors import LabError
from rerank_lab.ui.shared import resources, state
from rerank_lab.ui.shared.navigation import EVALUATE_PAGE, go_to
from rerank_lab.views.evaluate import query_lines
from rerank_lab.views.present import QueryPlace, place_among

_QUERIES = "walk_queries"
_CHOICES = "evaluate_choices"
_LEAVING = "walk_leaving"
"""Set by a callback, which cannot open another page itself."""
_BACK = "walk_back"
"""Set while Evaluate is to open at its queries, where the visitor left it."""


def begin(experiment_id: str, queries: Sequence[str]) -> None:
    """Go through these queries of an evaluation, in this order. Call it from a callback only."""
    st.session_state["from"] = experiment_id
    st.session_state[_QUERIES] = (experiment_id, tuple(map(state.flat, queries)))


def draw(screen: state.Screen) -> None:
    """The bar above the chips, where an evaluation led here."""
    leaving_for = st.session_state.pop(_LEAVING, "")
    if leaving_for:
        st.session_state[_BACK] = leaving_for
        go_to(EVALUATE_PAGE, exp=leaving_for)
    experiment_id = str(st.session_state.get("from") or "")
    if not experiment_id:
        return
    place = place_among(_queries(experiment_id), screen.query)
    with st.container(horizontal=True, vertical_alignment="center", key="walk"):
        st.button(
            "Back to the evaluation",
            key="walk_back_button",
            type="tertiary",
            icon=":material/arrow_back:",
            on_click=_go_back,
        )
        if place.number:
            _steps(place)
        st.space("stretch")
        st.button(
            "Leave it",
            key="walk_leave",
            type="tertiary",
            icon=":material/close:",
            help="Go on here without the evaluation's queries",
            on_click=_leave,
        )


def _steps(place: QueryPlace) -> None:
    for label, icon, text in (
        ("Previous", ":material/chevron_left:", place.before),
        ("Next", ":material/chevron_right:", place.after),
    ):
        st.button(
            f"{label} query",
            key=f"walk_{label.lower()}",
            icon=icon,
            disabled=not text,
            on_click=state.set_query,
            args=(text,),
        )
    st.caption(f"Query {place.words} of the evaluation", width="content")


def came_back(experiment_id: str) -> bool:
    """Whether a visitor has just come back to this evaluation; asked once it says no."""
    return bool(st.session_state.pop(_BACK, "") == experiment_id)


def keep_choices(experiment_id: str, keys: Sequence[str]) -> None:
    """Note what the boxes of these keys say, which is forgotten on another page."""
    chosen = {key: st.session_state[key] for key in keys if key in st.session_state}
    kept: dict[str, dict[str, object]] = st.session_state.setdefault(_CHOICES, {})
    kept[experiment_id] = kept.get(experiment_id, {}) | chosen


def restore_choices(experiment_id: str) -> bool:
    """Put back what `keep_choices` noted, before the boxes are drawn; whether there was any."""
    kept: dict[str, object] = st.session_state.get(_CHOICES, {}).get(experiment_id, {})
    lost = {key: value for key, value in kept.items() if key not in st.session_state}
    st.session_state.update(lost)
    return bool(lost)


def _queries(experiment_id: str) -> tuple[str, ...]:
    """Those on the table that the visitor left; from a link, all in the order of the table."""
    listed: tuple[str, tuple[str, ...]] = st.session_state.get(_QUERIES, ("", ()))
    if listed[0] != experiment_id:
        listed = (experiment_id, _queries_of(experiment_id))
        st.session_state[_QUERIES] = listed
    return listed[1]


def _queries_of(experiment_id: str) -> tuple[str, ...]:
    try:
        evaluation = resources.evaluation(experiment_id)
    except LabError:
        return ()
    lines = query_lines(evaluation, *evaluation.compared_by())
    return tuple(state.flat(line.text) for line in lines)


def _go_back() -> None:
    st.session_state[_LEAVING] = st.session_state["from"]
    st.session_state["doc"] = st.session_state["from"] = ""


def _leave() -> None:
    st.session_state["from"] = ""
