"""The frame: sidebar, state bound to the URL, notices, running jobs. Drawn on every page."""

from __future__ import annotations

import os

import streamlit as st

from rerank_lab.core.errors import LabError
from rerank_lab.core.paths import HOME_VARIABLE
from rerank_lab.corpora import Corpus
from rerank_lab.server import in_app
from rerank_lab.services.chosen_sessions import stale_session
from rerank_lab.services.qrels import stale_pairs
from rerank_lab.ui.compare import present, saved
from rerank_lab.ui.shared import parts, resources, state, tour, visitor, waiting
from rerank_lab.ui.shared.navigation import COMPARE, LABEL_PAGE, SERVE_PAGE, go_to
from rerank_lab.views import corpora
from rerank_lab.views.formatting import counted

ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
    '<rect width="32" height="32" rx="7" fill="#1d5c96"/>'
    '<path d="M8 22 L15 22 C20 22 18 10 24 10 M8 10 L12 10 M20 22 L24 22" '
    'stroke="#fff" stroke-width="3" fill="none" stroke-linecap="round"/></svg>'
)
"""Drawn here: an icon by name would be fetched from the network."""
_JOBS_POLL_S = 1.0
"""The list at the side is looked after no more often than this."""


def draw(page: str, *, presenting: bool = False) -> None:
    """Draw the frame for the page of that title; call before the page runs.

    While Compare is presented the frame is not seen, yet its widgets keep what the URL says.
    """
    state.remember_link()
    saved.follow_link()
    tour.follow_link()
    tour.turn_page(page)
    parts.style()
    with st.container(key="side_away") if presenting else st.sidebar:
        st.markdown("### :material/swap_vert: Rerank Lab")
        name = state.corpus_select()
        corpus = _corpus_facts(name)
    state.hidden_widgets()
    with st.container(
        horizontal=True,
        vertical_alignment="bottom",
        key="query_bar" if page == COMPARE and not presenting else "query_bar_away",
    ):
        state.query_box()
        if page == COMPARE and not presenting:
            if corpus is not None and corpus.queries:
                state.sample_select(corpus.queries)
            present.button(corpus)


def finish(page: str, *, presenting: bool = False) -> None:
    """Draw what depends on the page: running jobs. Call after the page has run."""
    state.settle_link()
    if presenting:
        return
    tour.beside_page(page)
    with st.sidebar:
        tour.start_button()
        visitor.who()
        _data_folder()
        if in_app.current() is not None and st.button(
            "API is on", key="to_serve", icon=":material/api:", type="tertiary"
        ):
            go_to(SERVE_PAGE)
        _jobs_panel()


def _corpus_facts(name: str | None) -> Corpus | None:
    if name is None:
        st.caption("There is no corpus yet. Bring one on the Corpora page.")
        return None
    try:
        entry = resources.entry(name)
        if entry.error:
            st.caption(parts.literal(entry.error))
            return None
        opened = resources.corpus(name)
        resources.prepare(opened)
    except LabError as error:
        parts.error_card(error, key="corpus")
        return None
    st.caption(corpora.corpus_line(entry))
    state.own_document_select(name)
    try:
        state.query_set_select(name)
        state.judgment_select(name)
        _stale_labels(opened)
        return resources.corpus(name, queries=state.query_choice())
    except LabError as error:
        parts.error_card(error, key="labels")
    return opened


def _stale_labels(corpus: Corpus) -> None:
    """Offer labels again whose document has another text now."""
    count = len(stale_pairs(resources.labels(corpus.name)))
    if count and st.button(
        f"Judge {counted(count, 'stale label')} again",
        key="judge_stale",
        icon=":material/grading:",
        type="tertiary",
        help="They were given for documents whose text has changed since, and do not count.",
    ):
        session = stale_session(corpus, resources.engine().home)
        go_to(LABEL_PAGE, session=session.session_id)


def _data_folder() -> None:
    home = resources.engine().home
    writable = os.access(home if home.exists() else home.parent, os.W_OK)
    icon = ":material/folder:" if writable else ":material/folder_off:"
    line = "Data folder" if writable else "Data folder cannot be written"
    st.caption(
        f"{icon} {line}",
        help=f"{parts.literal(str(home))}\n\nSet {HOME_VARIABLE} to keep it elsewhere. "
        "Light or dark: in the menu at the top right.",
    )


def _jobs_panel() -> None:
    ages = [job.age_s for job in resources.jobs().jobs() if not job.state.ended]
    poll_s = max(_JOBS_POLL_S, waiting.pace(min(ages))) if ages else None
    st.fragment(_jobs, run_every=poll_s)(bool(ages))


def _jobs(polling: bool) -> None:
    """Running jobs with progress and cancel. Polls only while there are any."""
    resources.jobs().touch(resources.waiter())
    running = [job for job in resources.jobs().jobs() if not job.state.ended]
    with st.container(key="jobs", gap="xsmall"):
        if not running:
            st.caption(":material/check: No jobs running")
        for job in running:
            waiting.row(job)
    if polling and not running:
        st.rerun()
