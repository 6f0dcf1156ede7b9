"""The indexes of a corpus: what is built, what can be built, and how far it is."""

from __future__ import annotations

import streamlit as st

from rerank_lab.components import registry
from rerank_lab.components.catalogue import catalogue
from rerank_lab.components.registry import Broken
from rerank_lab.core.errors import LabError
from rerank_lab.corpora import Corpus
from rerank_lab.services import indexes
from rerank_lab.services.access import Action, may
from rerank_lab.ui.shared import parts, resources
from rerank_lab.ui.shared.visitor import session
from rerank_lab.ui.shared.waiting import first_time, short_key, watch
from rerank_lab.views import corpora as views


def draw(corpus: Corpus) -> None:
    """The indexes with delete buttons, and the form that builds another."""
    stored = indexes.indexes_of(corpus.content_hash, resources.engine())
    lines = views.index_lines(stored, _defaults())
    if not lines:
        st.caption(
            "No index yet. Compare builds what it needs by itself; a large one is better "
            "built here beforehand."
        )
    for line in lines:
        with st.container(
            horizontal=True,
            vertical_alignment="center",
            border=True,
            key=f"index_{short_key(line.name)}",
        ):
            st.markdown(f"`{line.spec}`", width="stretch")
            st.caption(line.facts)
            st.button(
                "Delete",
                key=f"drop_{short_key(line.name)}",
                icon=":material/delete:",
                type="tertiary",
                disabled=not may(Action.DELETE),
                on_click=_drop,
                args=(corpus, line.name),
            )
    _problem()
    _build_form(corpus)
    _running(corpus)


def _drop(corpus: Corpus, name: str) -> None:
    try:
        indexes.delete(corpus, name, resources.engine())
    except LabError as error:
        st.session_state["index_problem"] = error


def _problem() -> None:
    error = st.session_state.pop("index_problem", None)
    if isinstance(error, LabError):
        parts.error_card(error, key="index")


def _build_form(corpus: Corpus) -> None:
    with (
        st.form("build_index", border=False),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        name = st.selectbox("Build an index", _first_stages(), key="index_name", width=260)
        options = st.text_input(
            "Options",
            key="index_options",
            placeholder="as they are, or k1=0.9,b=0.4",
            width=260,
        )
        pressed = st.form_submit_button("Build", icon=":material/build:", key="build")
    if not pressed or not name:
        return
    try:
        node = registry.resolve(f"{name}({options})" if options else name).source
        indexes.start(node, corpus, session())
    except LabError as error:
        parts.error_card(error, key="build")


def _running(corpus: Corpus) -> None:
    for job in indexes.jobs_of(corpus, session()):
        if not job.state.ended:
            watch(job)
        elif first_time(job) and job.error is None:
            st.rerun()
        elif job.error is not None and job.error.kind != "cancelled":
            parts.error_card(job.error, key=f"built_{job.key.digest}")


def _first_stages() -> list[str]:
    names = [
        row.name
        for row in registry.infos("retriever")
        if not isinstance(row, Broken) and row.has_index
    ]
    models = [name for name, model in catalogue().items() if model.retriever]
    return ["bm25", *(name for name in [*names, *models] if name != "bm25")]


def _defaults() -> dict[str, dict[str, object]]:
    return {
        row.name: {param.name: param.default for param in row.params}
        for row in registry.infos("retriever")
        if not isinstance(row, Broken)
    }
