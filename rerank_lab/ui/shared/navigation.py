"""Going to another page with something on screen there."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from rerank_lab.core.spec import PipelineSpec
from rerank_lab.ui.shared import state

COMPARE, EVALUATE, CORPORA = "Compare", "Evaluate", "Corpora"
"""Titles of pages."""
COMPARE_PAGE, EVALUATE_PAGE, CORPORA_PAGE = "compare.py", "evaluate.py", "corpora.py"
MODELS_PAGE, LABEL_PAGE, CHOOSE_PAGE = "models.py", "label.py", "choose.py"
SERVE_PAGE, SERVED = "serve.py", "served"
"""The page Serve, and the URL parameter that holds the pipeline on screen there."""
EXPERIMENT = "exp"
"""The URL parameter that holds the id of the experiment on screen."""


def compare_button(
    label: str,
    key: str,
    *,
    corpus: str = "",
    query: str | None = None,
    pipelines: Sequence[PipelineSpec | str] = (),
    primary: bool = False,
) -> None:
    """A button that opens Compare on this corpus, query and pipelines; what is left out stays."""

    def prepare() -> None:
        if corpus:
            st.session_state["corpus"] = corpus
        if query is not None:
            state.set_query(query)
        if pipelines:
            state.set_pipelines(pipelines)

    pressed = st.button(
        label,
        key=key,
        icon=":material/compare_arrows:",
        type="primary" if primary else "secondary",
        on_click=prepare,
    )
    if pressed:
        go_to(COMPARE_PAGE)


def go_to(page: str, **unbound: str) -> None:
    """Open another page. What the frame's widgets hold stays; `unbound` are its own parameters."""
    st.switch_page(page, query_params=unbound)
