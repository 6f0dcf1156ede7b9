"""One document at the side: full text, its place in every pipeline, its grade, and pinning."""

from __future__ import annotations

from contextlib import suppress

import streamlit as st

from rerank_lab.core.context import Context
from rerank_lab.core.errors import LabError
from rerank_lab.core.guard import lab_errors
from rerank_lab.core.spec import Node
from rerank_lab.core.types import Document
from rerank_lab.rerankers.long_documents import InputCoverage
from rerank_lab.ui.compare import cards
from rerank_lab.ui.shared import parts, resources
from rerank_lab.views.compare import CompareView
from rerank_lab.views.evidence import DocumentView, document
from rerank_lab.views.input_coverage import CoverageLookup, Read
from rerank_lab.views.text import shorten


def show(view: CompareView, doc_id: str) -> None:
    """Open the drawer for a document of the corpus."""
    found = document(view, doc_id, _coverage_lookup(view.topic.query.text))
    if found is None:
        st.toast(f"This corpus has no document {parts.literal(doc_id)}.")
        return
    title = parts.literal(shorten(found.title, 90))
    st.dialog(title, width="medium", position="right", on_dismiss=_closed)(_drawer)(found)


def _coverage_lookup(query: str) -> CoverageLookup:
    """Asks this process' rerankers what they read of a document; nothing is loaded for it."""
    made = resources.engine()
    ctx = Context(cache=made.scores)

    def ask(node: Node, document: Document) -> InputCoverage | None:
        with suppress(LabError), lab_errors(f"The reranker {node}"):
            return made.reranker(node).input_coverage(query, document, ctx)
        return None

    return ask


def _closed() -> None:
    st.session_state["doc"] = ""


def _drawer(found: DocumentView) -> None:
    with st.container(key="document", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center"):
            grade = cards.grade(found.grade) or (
                '<span class="rl-note">not judged for this query</span>'
            )
            st.html(f"{grade} <span class='rl-note'>{cards.escape(found.doc_id)}</span>")
            pinned = st.session_state.get("pin") == found.doc_id
            st.button(
                "Unpin" if pinned else "Pin",
                key="pin_document",
                icon=":material/keep_off:" if pinned else ":material/keep:",
                help="A pinned document is followed in every pipeline and in the chart.",
                on_click=_pin,
                args=("" if pinned else found.doc_id,),
            )
        st.html(places_table(found))
        read = _chosen(found)
        for name, segments in found.read_by(read) if read else found.parts:
            note = f'<div class="rl-note">passage {cards.escape(name)}</div>' if name else ""
            st.html(f'{note}<div class="rl-full" dir="auto">{cards.segments(segments)}</div>')
        if found.cut_at is not None:
            st.caption(f"The first {found.cut_at:,} characters are shown.")
        for place, segments in read.beyond if read else ():
            st.caption(f"Decided by {parts.literal(place)}:")
            st.html(f'<div class="rl-full" dir="auto">{cards.segments(segments)}</div>')
        if found.meta:
            st.caption(" · ".join(f"{parts.literal(k)} {parts.literal(v)}" for k, v in found.meta))


def _chosen(found: DocumentView) -> Read | None:
    """Whose reading of the text is shown: of those that did not read it whole, in one piece."""
    if not found.reads:
        return None
    place = st.segmented_control(
        "As read by",
        range(len(found.reads)),
        default=0,
        format_func=lambda i: parts.literal(found.reads[i].label),
        key=f"read_by_{found.doc_id}",
        help="Grey text never reached the model. Click again to show the plain text.",
    )
    if place is None:
        return None
    for told in found.reads[place].told:
        st.caption(parts.literal(told[:1].upper() + told[1:]))
    return found.reads[place]


def _pin(doc_id: str) -> None:
    st.session_state["pin"] = doc_id
    st.rerun()


def places_table(found: DocumentView) -> str:
    """Rank and score in every stage of every pipeline, as an HTML table."""
    rows = []
    previous = ""
    for place in found.places:
        name = cards.escape(place.label) if place.label != previous else ""
        previous = place.label
        rows.append(
            f"<tr><td>{name}</td><td>{cards.escape(place.stage)}</td>"
            f'<td class="rl-n">{place.rank_words}</td><td class="rl-n">{place.of}</td>'
            f'<td class="rl-n">{cards.escape(place.score_words)}</td></tr>'
        )
    head = "<tr><th>Pipeline</th><th>Stage</th><th>Rank</th><th>Of</th><th>Score</th></tr>"
    return f'<table class="rl-table"><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table>'
