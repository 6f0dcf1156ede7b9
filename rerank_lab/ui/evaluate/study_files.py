"""The table of a question on Evaluate as files, in one menu, and all of the study as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

import streamlit as st

from rerank_lab.views.study_tables import TABLE_FILES, AnyStudy, study_table

_LABELS = {".csv": "CSV", ".md": "Markdown", ".parquet": "Parquet", ".tex": "LaTeX"}


def draw(name: str, experiment_id: str, *studies: AnyStudy) -> None:
    """A menu with a button for each kind of file; each is written when it is pressed.

    Args:
        name: Of the question, in names of files and keys.
        experiment_id: Of the evaluation.
        studies: Of one kind, at least one.
    """
    with (
        st.container(key=f"{name}_files"),
        st.popover("Download", icon=":material/download:", width="content"),
        st.container(horizontal=True),
    ):
        for suffix, label in _LABELS.items():
            _button(label, f"{name}{suffix}", experiment_id, partial(_table, suffix, studies))
        _button("All of it (JSON)", f"{name}.json", experiment_id, partial(_whole, studies))


def _button(label: str, file: str, experiment_id: str, content: Callable[[], bytes]) -> None:
    st.download_button(
        label,
        content,
        file_name=f"{experiment_id[:8]}-{file}",
        mime="application/octet-stream",
        key=f"file_{file}_{experiment_id}",
        type="tertiary",
        on_click="ignore",
    )


def _table(suffix: str, studies: tuple[AnyStudy, ...]) -> bytes:
    return TABLE_FILES[suffix](study_table(*studies))


def _whole(studies: tuple[AnyStudy, ...]) -> bytes:
    written = [one.to_json() for one in studies]
    whole = written[0] if len(written) == 1 else written
    return json.dumps(whole, ensure_ascii=False, indent=1).encode()
