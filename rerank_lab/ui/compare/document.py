"""One document at the side: full text, its place in every pipeline, its grade, and pinning."""

from __future__ import annotations

from contextlib import suppress

import streamlit as st

from rerank_lab.components.registry import source_kind
from rerank_lab.core.context import Context
from rerank_lab.core.errors import LabError
from rerank_lab.core.guard import lab_errors
from rerank_lab.core.input_coverage import InputCoverage
from rerank_lab.core.spec import Node
from rerank_lab.core.types import Document
from rerank_lab.ui.compare import cards
from rerank_lab.ui.compare.grading import Grading
from rerank_lab.ui.shared import parts, resources
from rerank_lab.views.compare import CompareView
from rerank_lab.views.evidence import DocumentView, document
from rerank_lab.views.input_coverage import CoverageLookup, Read
from rerank_lab.views.text import shorten


def show(view: CompareView, doc_id: str, grading: Grading | None = None) -> None:
    """Open the drawer for a document of the corpus."""
    opened = document(view, doc_id, _coverage_lookup(view.topic.query.text))
    if opened is None:
        st.toast(f"This corpus has no document {parts.literal(doc_id)}.")
        return
    title = parts.literal(shorten(opened.title, 90))
    st.dialog(title, width="medium", position="right", on_dismiss=_closed)(_drawer)(opened, grading)


def _coverage_lookup(query: str) -> CoverageLookup:
    """Asks this process' models what they read of a document; nothing is loaded for it."""
    engine = resources.engine()
    ctx = Context(cache=engine.scores)

    def ask(node: Node, document: Document) -> InputCoverage | None:
        with suppress(LabError), lab_errors(f"The model of {node}"):
            if source_kind(node) == "retriever":
                return engine.retriever(node).input_coverage(document)
            return engine.reranker(node).input_coverage(query, document, ctx)
        return None

    return ask


def _closed() -> None:
    st.session_state["doc"] = ""


def _drawer(opened: DocumentView, grading: Grading | None) -> None:
    with st.container(key="document", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center"):
            grade = cards.grade(opened.grade) or (
                '<span class="rl-note">not judged for this query</span>'
            )
            st.html(f"{grade} <span class='rl-note'>· {cards.escape(opened.doc_id)}</span>")
            if grading is not None:
                grading.menu(opened.doc_id, "grade_document")
            pinned = st.session_state.get("pin") == opened.doc_id
            st.button(
                "Unpin" if pinned else "Pin",
                key="pin_document",
                icon=":material/keep_off:" if pinned else ":material/keep:",
                help="A pinned document is followed in every pipeline and in the chart.",
                on_click=_pin,
                args=("" if pinned else opened.doc_id,),
            )
        st.html(places_table(opened))
        read = _chosen(opened)
        for name, segments in opened.read_by(read) if read else opened.parts:
            note = f'<div class="rl-note">passage {cards.escape(name)}</div>' if name else ""
            st.html(f'{note}<div class="rl-full" dir="auto">{cards.segments(segments)}</div>')
        if opened.cut_at is not None:
            st.caption(f"The first {opened.cut_at:,} characters are shown.")
        for place, segments in read.beyond if read else ():
            st.caption(f"Decided by {parts.literal(place)}:")
            st.html(f'<div class="rl-full" dir="auto">{cards.segments(segments)}</div>')
        if opened.meta:
            st.caption(" · ".join(f"{parts.literal(k)} {parts.literal(v)}" for k, v in opened.meta))


def _chosen(opened: DocumentView) -> Read | None:
    """Whose reading of the text is shown: of those that did not read it whole, in one piece."""
    if not opened.reads:
        return None
    place = st.segmented_control(
        "As read by",
        range(len(opened.reads)),
        default=0,
        format_func=lambda i: parts.literal(opened.reads[i].label),
        key=f"read_by_{opened.doc_id}",
        help="Grey text never reached the model. Click again to show the plain text.",
    )
    if place is None:
        return None
    for note in opened.reads[place].sentences:
        st.caption(parts.literal(note[:1].upper() + note[1:]))
    return opened.reads[place]


def _pin(doc_id: str) -> None:
    st.session_state["pin"] = doc_id
    st.rerun()


def places_table(opened: DocumentView) -> str:
    """Rank and score in every stage of every pipeline, as an HTML table."""
    rows = []
    previous = ""
    for place in opened.places:
        name = cards.escape(place.label) if place.label != previous else ""
        previous = place.label
        rows.append(
            f"<tr><td>{name}</td><td>{cards.escape(place.stage)}</td>"
            f'<td class="rl-n">{place.rank_words}</td><td class="rl-n">{place.of}</td>'
            f'<td class="rl-n">{cards.escape(place.score_words)}</td></tr>'
        )
    head = "<tr><th>Pipeline</th><th>Stage</th><th>Rank</th><th>Of</th><th>Score</th></tr>"
    return f'<table class="rl-table"><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table>'
