"""The Corpora page: the list, the corpus at hand, and the way to bring one's own."""

from __future__ import annotations

import streamlit as st

from rerank_lab.core.errors import LabError
from rerank_lab.corpora import CorpusEntry, LiveCorpus
from rerank_lab.services.access import Action
from rerank_lab.services.corpora import start_summary
from rerank_lab.services.indexes import indexes_of
from rerank_lab.ui.corpora import detail as corpus_detail
from rerank_lab.ui.corpora import importing, live
from rerank_lab.ui.shared import navigation, parts, resources, state, visitor
from rerank_lab.ui.shared.visitor import session
from rerank_lab.ui.shared.waiting import watch
from rerank_lab.views import corpora as views

BROWSE, BRING = "Look around", "Bring your own"


def page() -> None:
    """Draw the page."""
    screen = state.read_screen()
    parts.notices(screen.notices)
    st.segmented_control(
        "What to do",
        (BROWSE, BRING),
        default=BROWSE,
        required=True,
        key="view",
        bind="query-params",
        label_visibility="collapsed",
    )
    if st.session_state.get("view") == BRING:
        if visitor.welcome_to(Action.IMPORT):
            importing.draw()
        return
    entries = resources.corpora()
    _list(entries)
    if not entries:
        _nothing_yet()
        return
    _corpus(screen.corpus)


def _list(entries: tuple[CorpusEntry, ...]) -> None:
    lines = views.corpus_lines(
        entries,
        {entry.name: indexes_of(_content_hash(entry), resources.engine()) for entry in entries},
        {entry.name: _languages(entry) for entry in entries},
    )
    if not lines:
        return

    def choose() -> None:
        rows = st.session_state["corpus_list"]["selection"]["rows"]
        if rows:
            st.session_state["corpus"] = lines[rows[0]].name

    st.dataframe(
        {
            "Name": [line.name for line in lines],
            "Kind": [line.kind for line in lines],
            "Documents": [line.documents for line in lines],
            "Languages": [line.languages or "–" for line in lines],
            "Queries": [line.queries for line in lines],
            "Judgments": [line.judgments for line in lines],
            "Indexes": [line.problem or line.indexes for line in lines],
        },
        hide_index=True,
        height="auto" if len(lines) <= 9 else 352,
        on_select=choose,
        selection_mode="single-row",
        key="corpus_list",
        column_config={
            name: st.column_config.NumberColumn(name, format="localized")
            for name in ("Documents", "Queries", "Judgments")
        },
        alt="All corpora: samples first, then imported ones",
    )
    if len(lines) > 1:
        st.caption("Choose a row, or a corpus at the side, to look at it below.")


def _nothing_yet() -> None:
    with st.container(border=True, key="no_corpus"):
        st.markdown("#### No corpus yet")
        st.markdown(
            "A corpus is the set of documents that gets searched and reranked: help articles, "
            "product texts, papers, notes. Any format will do."
        )
        st.button("Bring your own", type="primary", on_click=_bring, key="bring")


def _bring() -> None:
    st.session_state["view"] = BRING


def _corpus(name: str) -> None:
    try:
        entry = resources.entry(name)
        corpus = resources.corpus(name)
    except LabError as error:
        st.markdown(f"### {parts.literal(name)}")
        parts.error_card(error, key="corpus_page")
        entry_found = next((e for e in resources.corpora() if e.name == name), None)
        if entry_found is not None and entry_found.kind != "sample":
            corpus_detail.delete_button(entry_found)
        return
    with st.container(horizontal=True, vertical_alignment="center", key="corpus_heading"):
        st.markdown(f"### {parts.literal(entry.name)}", width="content")
        st.badge(views.KINDS.get(entry.kind, "Imported"), color="gray")
        navigation.compare_button("Open in Compare", key="open_in_compare", corpus=entry.name)
    if isinstance(corpus, LiveCorpus):
        _facts(views.live_facts(corpus))
        live.draw(entry, corpus)
        return
    job = start_summary(entry, corpus, session())
    if not job.finished.wait(3.0):
        watch(job)
        return
    if job.error is not None:
        parts.error_card(job.error, key="summary")
        return
    summary = job.wait()
    _facts(views.facts(summary))
    corpus_detail.draw(entry, corpus, summary)


def _facts(facts: tuple[views.Fact, ...]) -> None:
    with st.container(horizontal=True, gap="large", key="corpus_facts"):
        for fact in facts:
            st.metric(fact.label, fact.value, help=fact.about or None, width="content")


def _languages(entry: CorpusEntry) -> tuple[str, ...]:
    """A sample's languages, looked up in the background; known from the next run on."""
    if entry.languages or entry.kind != "sample":
        return entry.languages
    try:
        job = start_summary(entry, resources.corpus(entry.name), session())
    except LabError:
        return ()
    return tuple(job.result.languages) if job.result is not None else ()


def _content_hash(entry: CorpusEntry) -> str:
    """By which its indexes are found; of a sample it is known once the sample is open."""
    if entry.content_hash or entry.kind != "sample":
        return entry.content_hash
    try:
        return resources.corpus(entry.name).content_hash
    except LabError:
        return ""
