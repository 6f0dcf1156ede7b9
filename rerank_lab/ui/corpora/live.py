"""A live corpus in depth: ask its engine, a few of its documents, its queries, and what it is."""

from __future__ import annotations

import streamlit as st

from rerank_lab.corpora import CorpusEntry, LiveCorpus
from rerank_lab.ui.corpora import connecting, detail
from rerank_lab.ui.shared import parts
from rerank_lab.ui.shared.waiting import short_key
from rerank_lab.views import corpora as views

ASK, DOCUMENTS, QUERIES, ENGINE = "Ask it", "Some documents", "Queries", "Engine"


def draw(entry: CorpusEntry, corpus: LiveCorpus) -> None:
    """The tabs of a live corpus; only the open one is drawn."""
    tab = st.segmented_control(
        "Part",
        (ASK, DOCUMENTS, QUERIES, ENGINE),
        default=ASK,
        required=True,
        key="live_part",
        label_visibility="collapsed",
    )
    if tab == DOCUMENTS:
        st.caption("The documents that the engine gives first. The others stay there.")
        st.fragment(detail.draw_documents)(views.sample_of(corpus))
    elif tab == QUERIES:
        detail.draw_queries(corpus)
    elif tab == ENGINE:
        _engine(entry, corpus)
    else:
        connecting.try_out(corpus.engine, short_key(corpus.name))


def _engine(entry: CorpusEntry, corpus: LiveCorpus) -> None:
    st.markdown("**What `live` stands for in a pipeline**")
    st.code(corpus.engine, language=None, wrap_lines=True)
    st.caption(
        "Nobody knows whether its documents have changed since an evaluation: a note says so where "
        "a hit comes with another text than before. To change the engine, its queries or its "
        f"judgments, connect it again under the name {parts.literal(entry.name)}."
    )
    st.space("small")
    detail.delete_button(entry)
