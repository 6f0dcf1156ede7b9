"""Experiments kept in the data folder: open one, go on with one, delete one."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from rerank_lab.evaluation.experiments import ExperimentEntry, delete_experiment, list_experiments
from rerank_lab.ui.shared import parts, resources
from rerank_lab.views.evaluate import experiment_line
from rerank_lab.views.formatting import older_words

_SHOWN = 8


def draw(current: str, show: Callable[[str], None], resume: Callable[[str], None]) -> None:
    """The latest experiments, but for the one on screen."""
    entries = [e for e in list_experiments(resources.engine().home) if e.id != current]
    if not entries:
        return
    st.markdown("**Kept from before**")
    for entry in entries[:_SHOWN]:
        _entry(entry, show, resume)
    if len(entries) > _SHOWN:
        st.caption(older_words(len(entries) - _SHOWN))


def _entry(
    entry: ExperimentEntry, show: Callable[[str], None], resume: Callable[[str], None]
) -> None:
    line = experiment_line(entry)
    with st.container(
        horizontal=True, vertical_alignment="center", gap="small", key=f"kept_{entry.id}"
    ):
        with st.container(gap=None):
            st.markdown(f"**{parts.literal(line.corpus)}** · {parts.literal(line.pipelines)}")
            st.caption(f"{line.progress} · {line.when}")
        st.button("Open", key=f"open_{entry.id}", on_click=show, args=(entry.id,))
        if not line.finished:
            st.button("Go on", key=f"resume_{entry.id}", on_click=resume, args=(entry.id,))
        st.button(
            "Delete",
            key=f"delete_{entry.id}",
            type="tertiary",
            icon=":material/delete:",
            on_click=_delete,
            args=(entry.id,),
        )


def _delete(experiment_id: str) -> None:
    delete_experiment(experiment_id, resources.engine().home)
