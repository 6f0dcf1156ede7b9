"""One corpus in depth: its documents, queries, checks, indexes, and what can be done with it."""

from __future__ import annotations

import html
from typing import Literal

import streamlit as st

from rerank_lab.core.errors import LabError
from rerank_lab.corpora import Corpus, CorpusEntry, CorpusSummary
from rerank_lab.services.access import Action, may
from rerank_lab.services.corpora import AttachRequest, delete, start_attaching
from rerank_lab.ui.corpora import addresses, uploads
from rerank_lab.ui.corpora import indexes as corpus_indexes
from rerank_lab.ui.corpora.import_report import draw_report
from rerank_lab.ui.shared import navigation, parts, resources, visitor
from rerank_lab.ui.shared.visitor import session
from rerank_lab.ui.shared.waiting import first_time, short_key, watch
from rerank_lab.views import corpora as views
from rerank_lab.views.importing import NO_QUERIES_HINT

DOCUMENTS, QUERIES, CHECKS, INDEXES, CHANGE = "Documents", "Queries", "Checks", "Indexes", "Change"
PAGE = 10
MOST_SHOWN = 100_000
_MARKS = {
    "warning": ":orange[:material/warning:]",
    "note": ":gray[:material/info:]",
    "ok": ":blue[:material/check:]",
}


def draw(entry: CorpusEntry, corpus: Corpus, summary: CorpusSummary) -> None:
    """The tabs of one corpus; only the open one is drawn."""
    tabs = [DOCUMENTS, QUERIES, CHECKS, INDEXES]
    tabs += [CHANGE] if entry.kind == "imported" else []
    findings = views.findings(summary)
    warnings = sum(finding.level == "warning" for finding in findings)
    tab = st.segmented_control(
        "Part",
        tabs,
        default=DOCUMENTS,
        required=True,
        key="part",
        bind="query-params",
        label_visibility="collapsed",
        format_func=lambda name: f"{name} ({warnings})" if name == CHECKS and warnings else name,
    )
    if tab == QUERIES:
        draw_queries(corpus)
    elif tab == CHECKS:
        _checks(summary, findings)
    elif tab == INDEXES:
        corpus_indexes.draw(corpus)
    elif tab == CHANGE and entry.kind == "imported":
        _change(entry)
    else:
        st.fragment(draw_documents)(corpus)


def draw_documents(corpus: Corpus) -> None:
    """The documents, a page at a time, and a search for words in them."""
    with st.container(horizontal=True, vertical_alignment="center"):
        words = st.text_input(
            "Look for words",
            key=f"look_{short_key(corpus.name)}",
            type="search",
            placeholder="Look for words in these documents",
            label_visibility="collapsed",
            live=True,
            width=380,
        )
    place = f"look_page_{short_key(corpus.name + (words or ''))}"
    number = int(st.session_state.get(place, 1))
    page = views.list_documents(corpus, words or "", (number - 1) * PAGE, PAGE)
    st.caption(page.sentence)
    for row in page.rows:
        with st.container(border=True, gap="xsmall", key=f"doc_{row.number}"):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{parts.literal(row.title or row.id)}**", width="stretch")
                st.caption(f"{parts.literal(row.id)} · {row.tokens:,} tokens", width="content")
                if st.button("Open", key=f"open_{row.number}", type="tertiary"):
                    _open(corpus, row.id)
            st.markdown(parts.literal(row.snippet) or "*(no text)*")
    pages = -(-page.total // PAGE)
    if pages > 1:
        st.pagination(pages, key=place)


@st.dialog("Document", width=720, position="right")
def _open(corpus: Corpus, doc_id: str) -> None:
    document = corpus.document(doc_id)
    if document.title:
        st.markdown(f"**{parts.literal(document.title)}**")
    st.caption(
        parts.literal(document.id)
        + (f" · passage of {parts.literal(document.parent)}" if document.parent else "")
    )
    _text(document.text)
    if document.meta:
        st.markdown("**Kept with it**")
        st.json(dict(document.meta), expanded=False)
    grades = {
        q: judged[document.document_id]
        for q, judged in corpus.qrels.items()
        if document.document_id in judged
    }
    if grades:
        st.markdown("**Judged for**")
        texts = {query.id: query.text for query in corpus.queries}
        st.dataframe(
            {
                "Query": [texts.get(query, query) for query in grades],
                "Grade": list(grades.values()),
            },
            hide_index=True,
            alt="Queries for which this document is judged",
        )


def _text(text: str) -> None:
    """The text as it stands, lines kept, nothing in it read as Markdown or HTML."""
    cut = len(text) > MOST_SHOWN
    style = "white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.6"
    st.html(f'<div style="{style}" dir="auto">{html.escape(text[:MOST_SHOWN])}</div>')
    if cut:
        st.caption(f"The first {MOST_SHOWN:,} of {len(text):,} characters.")


def draw_queries(corpus: Corpus) -> None:
    """The queries with their judgments; one that is chosen can be compared."""
    rows = views.query_rows(corpus)
    if not rows:
        st.info(NO_QUERIES_HINT, icon=":material/info:")
        return

    def compare() -> None:
        chosen = st.session_state[key]["selection"]["rows"]
        st.session_state["query_chosen"] = rows[chosen[0]].id if chosen else ""

    key = f"queries_{short_key(corpus.content_hash)}"
    st.dataframe(
        {
            "Query": [row.text for row in rows],
            "Id": [row.id for row in rows],
            "Judged documents": [row.judged for row in rows],
            "Relevant": [row.relevant for row in rows],
        },
        hide_index=True,
        on_select=compare,
        selection_mode="single-row",
        key=key,
        height=420 if len(rows) > 10 else "auto",
        column_config={"Query": st.column_config.TextColumn("Query", width="large")},
        alt="The queries of this corpus with the number of their judgments",
    )
    chosen = next((row for row in rows if row.id == st.session_state.get("query_chosen")), None)
    if chosen is None:
        st.caption("Choose a row to see its answers side by side. Relevant: graded 1 or more.")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(parts.literal(chosen.text), width="content")
        navigation.compare_button(
            "Compare on this query", "compare_query", corpus=corpus.name, query=chosen.text
        )


def _checks(summary: CorpusSummary, findings: tuple[views.Finding, ...]) -> None:
    left, right = st.columns([3, 2], gap="large")
    with left:
        for finding in findings:
            with st.container(gap=None):
                st.markdown(f"{_MARKS[finding.level]} **{parts.literal(finding.title)}**")
                st.markdown(parts.literal(finding.text))
                if finding.examples:
                    st.caption("Such as " + parts.literal(" · ".join(finding.examples)))
    with right:
        bars = views.length_bars(summary)
        st.markdown("**Length in tokens**")
        if bars:
            st.bar_chart(
                {
                    "Tokens": [bar.label for bar in bars],
                    "Documents": [bar.documents for bar in bars],
                },
                x="Tokens",
                y="Documents",
                sort=False,
                height=260,
                alt="Number of documents by length in tokens",
            )
            st.caption("Words and marks by our own count; a model's tokenizer gives a few more.")


def _change(entry: CorpusEntry) -> None:
    if not visitor.welcome_to(Action.IMPORT):
        delete_button(entry)
        return
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Queries**")
        st.caption("CSV, TSV, JSON lines, or one query a line. They replace those it has.")
        _attach(entry, "queries")
    with right:
        st.markdown("**Judgments**")
        st.caption("TREC qrels, or a table of query, document, grade. They replace those it has.")
        _attach(entry, "qrels")
    addresses.draw_changes(entry.name)
    st.space("small")
    delete_button(entry)


def _attach(entry: CorpusEntry, what: Literal["queries", "qrels"]) -> None:
    place = f"{what}_{short_key(entry.slug)}"
    version = int(st.session_state.get(f"version_{place}", 0))
    file = st.file_uploader(
        "File", key=f"{place}_{version}", label_visibility="collapsed", accept_multiple_files=False
    )
    job = resources.jobs().get(st.session_state.get(f"job_{place}"))
    if file is not None:
        upload = uploads.stage([file])
        request = AttachRequest(entry.name, upload.path, what)
        job = start_attaching(
            request, upload.folder.name, session(), discard=lambda: uploads.discard(upload)
        )
        st.session_state[f"job_{place}"] = job.key
        st.session_state[f"version_{place}"] = version + 1
        st.rerun()
    if job is None:
        return
    if not job.state.ended:
        watch(job)
    elif job.error is not None:
        parts.error_card(job.error, key=f"attach_{what}")
    elif first_time(job):
        resources.refresh_corpora()
        st.rerun()
    else:
        draw_report(job.wait(), key=what, replaced=True)


def delete_button(entry: CorpusEntry) -> None:
    """Delete a corpus, after asking."""
    error = st.session_state.pop("delete_problem", None)
    if isinstance(error, LabError):
        parts.error_card(error, key="delete")
    with st.container(key="delete_corpus_row"):
        if st.button(
            "Delete this corpus",
            icon=":material/delete:",
            key="delete_corpus",
            disabled=not may(Action.DELETE),
        ):
            _confirm_delete(entry)


@st.dialog("Delete this corpus?")
def _confirm_delete(entry: CorpusEntry) -> None:
    st.markdown(f"**{parts.literal(entry.name)}** {views.deletion_words(entry)}")
    with st.container(horizontal=True):
        gone = st.button(
            "Delete", type="primary", key="delete_for_good", on_click=_delete, args=(entry,)
        )
        if st.button("Keep it", key="keep") or gone:
            st.rerun()


def _delete(entry: CorpusEntry) -> None:
    try:
        delete(entry.name)
    except LabError as error:
        st.session_state["delete_problem"] = error
    resources.refresh_corpora()
