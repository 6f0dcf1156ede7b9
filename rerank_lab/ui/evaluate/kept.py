"""Kept evaluations: find, open, go on, name, tag, archive, copy, compare, delete."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from rerank_lab.core.errors import LabError
from rerank_lab.evaluation.experiments import ExperimentEntry, list_experiments
from rerank_lab.services.access import Action, may
from rerank_lab.services.experiments import ExperimentFilter, clone, delete, describe
from rerank_lab.ui.evaluate import across
from rerank_lab.ui.evaluate.questions import QUESTION
from rerank_lab.ui.shared import parts, resources
from rerank_lab.views.evaluate import experiment_line
from rerank_lab.views.formatting import older_words

_SHOWN = 8
_EDITED = "kept_edited"
"""The state that holds the id of the evaluation whose name and tags are being edited."""

Act = Callable[[str], None]


def draw(current: str, show: Act, resume: Act) -> None:
    """The latest evaluations that the filter admits, but for the one on screen."""
    every = list_experiments(resources.engine().home)
    on_screen = next((entry for entry in every if entry.id == current), None)
    others = [entry for entry in every if entry.id != current]
    if on_screen is not None:
        _on_screen(on_screen)
    if not others:
        return
    st.markdown("**Kept from before**")
    only = _filter(others)
    entries = [entry for entry in others if only.admits(entry)]
    for entry in entries[:_SHOWN]:
        _entry(entry, on_screen, show, resume)
    if not entries:
        st.caption("None of the kept evaluations fits.")
    elif len(entries) > _SHOWN:
        st.caption(older_words(len(entries) - _SHOWN))


def _filter(entries: list[ExperimentEntry]) -> ExperimentFilter:
    """What to list; boxes for it where there is something to choose."""
    tags = sorted({tag for entry in entries for tag in entry.tags})
    archived = any(entry.archived for entry in entries)
    if len(entries) < 2 and not archived:
        return ExperimentFilter()
    with st.container(horizontal=True, vertical_alignment="bottom", key="kept_filter"):
        words = st.text_input(
            "Find", key="kept_words", placeholder="Name, corpus, pipeline, note", width=300
        )
        tag = None
        if tags:
            tag = st.selectbox(
                "Tag", tags, index=None, placeholder="Any tag", key="kept_tag", width=180
            )
        put_away = st.toggle("Show archived", key="kept_archived") if archived else False
    return ExperimentFilter(words or "", tag or "", put_away)


def _on_screen(entry: ExperimentEntry) -> None:
    """The name and tags of the evaluation on screen, and the way to change them."""
    with st.container(horizontal=True, vertical_alignment="center", key="kept_on_screen"):
        line = experiment_line(entry)
        st.markdown(
            f"On screen: **{parts.literal(line.title)}**"
            + (f" · {parts.literal(line.tags)}" if line.tags else "")
        )
        _edit_button(entry)
    if st.session_state.get(_EDITED) == entry.id:
        _editor(entry)


def _entry(
    entry: ExperimentEntry, on_screen: ExperimentEntry | None, show: Act, resume: Act
) -> None:
    line = experiment_line(entry)
    with st.container(
        horizontal=True, vertical_alignment="center", gap="small", key=f"kept_{entry.id}"
    ):
        with st.container(gap=None):
            st.markdown(f"**{parts.literal(line.title)}** · {parts.literal(line.pipelines)}")
            details = (line.tags, line.progress, line.when)
            st.caption(parts.literal(" · ".join(filter(None, details))))
        st.button("Open", key=f"open_{entry.id}", on_click=show, args=(entry.id,))
        if not line.finished:
            st.button("Go on", key=f"resume_{entry.id}", on_click=resume, args=(entry.id,))
        if on_screen is not None and entry.design.corpus == on_screen.design.corpus:
            st.button(
                "Compare with",
                key=f"across_with_{entry.id}",
                help="Its pipelines against those on screen, query by query",
                on_click=_compare,
                args=(on_screen.id, entry.id),
            )
        _edit_button(entry)
        st.button(
            "Delete",
            key=f"delete_{entry.id}",
            type="tertiary",
            icon=":material/delete:",
            disabled=not may(Action.DELETE),
            on_click=_delete,
            args=(entry.id,),
        )
    if st.session_state.get(_EDITED) == entry.id:
        _editor(entry)


def _edit_button(entry: ExperimentEntry) -> None:
    st.button(
        "Edit",
        key=f"edit_{entry.id}",
        type="tertiary",
        icon=":material/edit:",
        help="Name, tags, note, copy, archive",
        on_click=_edit,
        args=(entry.id,),
    )


def _editor(entry: ExperimentEntry) -> None:
    """Boxes for what people write on an evaluation, and what else can be done with it."""
    with st.container(border=True, key="kept_editor"):
        with st.form(f"describe_{entry.id}", border=False):
            name = st.text_input("Name", entry.name, max_chars=120)
            tags = st.text_input("Tags, with commas between", ", ".join(entry.tags))
            note = st.text_area("Note", entry.note, max_chars=4000, height=80)
            saved = st.form_submit_button("Save", type="primary")
        with st.container(horizontal=True):
            st.button(
                "Copy",
                key=f"clone_{entry.id}",
                icon=":material/content_copy:",
                help="A copy that stays as it is when this one is measured afresh",
                on_click=_clone,
                args=(entry.id,),
            )
            st.button(
                "Take back from the archive" if entry.archived else "Archive",
                key=f"archive_{entry.id}",
                icon=":material/unarchive:" if entry.archived else ":material/archive:",
                on_click=_archive,
                args=(entry.id, not entry.archived),
            )
        if saved:
            try:
                describe(
                    entry.id, resources.engine().home, name=name, tags=tags.split(","), note=note
                )
            except LabError as error:
                parts.error_card(error, key="describe")
                return
            st.session_state.pop(_EDITED, None)
            st.rerun()


def _edit(experiment_id: str) -> None:
    """Open the boxes of an evaluation, or close them."""
    if st.session_state.get(_EDITED) == experiment_id:
        del st.session_state[_EDITED]
    else:
        st.session_state[_EDITED] = experiment_id


def _archive(experiment_id: str, archived: bool) -> None:
    _tried(lambda: describe(experiment_id, resources.engine().home, archived=archived))


def _clone(experiment_id: str) -> None:
    _tried(lambda: clone(experiment_id, resources.engine().home))


def _delete(experiment_id: str) -> None:
    _tried(lambda: delete(experiment_id, resources.engine().home))


def _tried(change: Callable[[], object]) -> None:
    """Do it, close the boxes, and say in passing what went wrong."""
    try:
        change()
    except LabError as error:
        parts.say(f"{error.message} {error.hint}")
    st.session_state.pop(_EDITED, None)


def _compare(on_screen: str, other: str) -> None:
    st.query_params[QUESTION] = across.NAME
    st.query_params[across.OTHER] = other
    for box in (f"question_{on_screen}", f"across_{on_screen}"):
        st.session_state.pop(box, None)  # they take what the link says
