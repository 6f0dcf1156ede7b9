"""The door for runs of other systems: uploaded, and added beside the pipelines."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from rerank_lab.core.errors import LabError
from rerank_lab.corpora import Corpus
from rerank_lab.services.access import Action, may
from rerank_lab.services.presets import MAX_PIPELINES
from rerank_lab.services.run_files import (
    UploadedRun,
    add_run_file,
    delete_run_file,
    run_files,
)
from rerank_lab.ui.shared import parts
from rerank_lab.ui.shared.state import Screen, set_pipelines
from rerank_lab.views.formatting import counted

_UPLOAD, _CHOICE, _PROBLEM = "run_file_upload", "run_file_choice", "run_file_problem"
_DELETED = "run_file_deleted"


def draw(now: Screen, corpus: Corpus) -> None:
    """A place to upload a run, and those that are here already."""
    with st.expander("Add a run of another system", icon=":material/upload_file:", key="run_files"):
        error = st.session_state.pop(_PROBLEM, None)
        if isinstance(error, LabError):
            parts.error_card(error, key="run_file")
        st.caption(
            "The rankings of any search engine for these queries, as a TREC run file "
            "(query Q0 document rank score tag). They are measured as your pipelines are, and can "
            "be reranked: the file is a first stage like any other."
        )
        full = len(now.pipelines) >= MAX_PIPELINES
        st.file_uploader(
            "Run file",
            key=_UPLOAD,
            label_visibility="collapsed",
            disabled=full,
            on_change=_upload(now, corpus),
        )
        others = {n: spec for n, spec in run_files().items() if spec not in now.pipelines}
        if others:
            st.selectbox(
                "Or one that was uploaded before",
                list(others),
                index=None,
                placeholder="Choose one",
                key=_CHOICE,
                disabled=full,
                on_change=_choose(now),
            )
        _deletion()
        if full:
            st.caption(f"There is room for {MAX_PIPELINES} pipelines: take one away first.")


def _deletion() -> None:
    """A way to be rid of an uploaded run; the evaluations that it was part of stay."""
    names = list(run_files())
    if not names:
        return
    with st.popover("Delete a run", icon=":material/delete:", width="content"):
        name = st.selectbox("Uploaded run", names, key=_DELETED)
        st.caption("Evaluations that it is part of keep its answers.")
        st.button(
            "Delete",
            key="run_file_delete",
            disabled=not may(Action.DELETE),
            on_click=_delete,
            args=(str(name),),
        )


def _delete(name: str) -> None:
    try:
        delete_run_file(name)
    except LabError as error:
        st.session_state[_PROBLEM] = error
        return
    parts.say(f"{name} is deleted.")


def _upload(now: Screen, corpus: Corpus) -> Callable[[], None]:
    def changed() -> None:
        file = st.session_state.get(_UPLOAD)
        if file is None:
            return
        try:
            run = add_run_file(file.name, file.getvalue(), corpus)
        except LabError as error:
            st.session_state[_PROBLEM] = error
            return
        set_pipelines([*now.pipelines, run.pipeline])
        parts.say(_summary(run))

    return changed


def _choose(now: Screen) -> Callable[[], None]:
    def changed() -> None:
        name = st.session_state.get(_CHOICE)
        spec = run_files().get(str(name))
        if spec is not None:
            set_pipelines([*now.pipelines, spec])
        st.session_state[_CHOICE] = None

    return changed


def _summary(run: UploadedRun) -> str:
    """What was added, and what it lacks."""
    lacks = f"; {counted(run.unknown, 'document')} of it the corpus has not" if run.unknown else ""
    return (
        f"{run.name} is added: it answers {run.answered:,} of "
        f"{counted(run.asked, 'query', 'queries')}{lacks}."
    )
