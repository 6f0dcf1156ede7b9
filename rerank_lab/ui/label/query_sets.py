"""Query sets on the Label page: where queries come from, what a set holds, and what to take out."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from rerank_lab.core.errors import LabError
from rerank_lab.corpora import Corpus
from rerank_lab.jobs.table import Job, JobState
from rerank_lab.judging.llm_judge.asking import JudgeModel
from rerank_lab.judging.records import LabQuerySet, QueryOrigin
from rerank_lab.judging.store import JudgmentStore
from rerank_lab.services import query_sets
from rerank_lab.services.access import Action
from rerank_lab.services.query_sets import ExtendedQuerySet, QuerySetRequest
from rerank_lab.ui.corpora.import_report import draw_problems
from rerank_lab.ui.corpora.uploads import discard, stage
from rerank_lab.ui.label.asked_model import model_boxes
from rerank_lab.ui.shared import parts, resources, visitor
from rerank_lab.ui.shared.state import set_query_set
from rerank_lab.ui.shared.visitor import session
from rerank_lab.ui.shared.waiting import short_key, watch
from rerank_lab.views import query_sets as views
from rerank_lab.views.formatting import counted
from rerank_lab.views.hosted import estimates_words
from rerank_lab.views.importing import count_problems

_JOB, _UPLOAD, _REPORT, _PROBLEM = (
    "query_set_job", "query_set_upload", "query_set_report", "query_set_problem",
)  # fmt: skip
_TYPED, _FILE, _LOG, _DOCUMENTS = "Type or paste", "A file", "A search log", "From documents"
_ABOUT = {
    _TYPED: "One query a line, as people type them.",
    _FILE: "In any format that corpora take: TREC topics, CSV, TSV, JSON lines.",
    _LOG: "CSV or TSV with the columns query and frequency, or a query a line. A third of the "
    "sample comes from the head, the torso and the tail of the traffic.",
    _DOCUMENTS: "Made from random documents, and tagged as synthetic. A query that repeats its "
    "document is left out: it would be found by its very words.",
}


def draw(corpus: Corpus) -> None:
    """What there is, then the way to add."""
    store = JudgmentStore.open(resources.engine().home)
    sets = store.query_sets(corpus.name)
    if not sets:
        with st.container(border=True, key="query_sets_empty"):
            st.markdown("**A query set is what people ask of this corpus**")
            st.markdown(
                "Type some queries, bring a file, draw them from a search log, or have them made "
                "from documents. Then label documents for them, and evaluate with them."
            )
    if _at_work():
        return
    _report(corpus)
    if visitor.welcome_to(Action.EDIT):
        with st.expander("Add queries", key="query_sets_add", icon=":material/add:",
                         expanded=not sets):  # fmt: skip
            _adding(corpus, sets)
    if sets:
        _one(corpus, sets, store)


def _at_work() -> bool:
    """Watch the job that adds queries; take in what it came to."""
    key = st.session_state.get(_JOB)
    job: Job[ExtendedQuerySet] | None = resources.jobs().get(key) if key is not None else None
    if job is None:
        return False
    if not job.state.ended:
        watch(job)
        return True
    del st.session_state[_JOB]
    if (upload := st.session_state.pop(_UPLOAD, None)) is not None:
        discard(upload)
    if job.state is JobState.DONE and job.result is not None:
        st.session_state[_REPORT] = job.result
        st.session_state["query_set_shown_next"] = job.result.query_set.name
    elif job.error is not None and job.state is JobState.FAILED:
        st.session_state[_REPORT] = job.error
    return False


def _report(corpus: Corpus) -> None:
    report = st.session_state.get(_REPORT)
    if isinstance(report, LabError):
        parts.error_card(report, key="query_set")
    elif isinstance(report, ExtendedQuerySet) and report.query_set.corpus == corpus.name:
        st.markdown(f":material/check_circle: {parts.literal(views.extended_words(report))}")
        draw_problems(report.problems, count_problems(report.problems), "queries")


def _adding(corpus: Corpus, sets: list[LabQuerySet]) -> None:
    source = st.segmented_control(
        "Where they come from", list(_ABOUT), default=_TYPED, required=True,
        key="query_set_source", label_visibility="collapsed",
    )  # fmt: skip
    source = source or _TYPED
    st.caption(_ABOUT[source])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input(
            "Set",
            sets[0].name if sets else "queries",
            key="query_set_name",
            max_chars=80,
            width=260,
            help="Queries are added to the set of this name, which is made when there is none.",
        )
        tags = st.multiselect(
            "Tags of all", [], accept_new_options=True, key="query_set_tags", width="stretch",
            placeholder="None", help="They carry through to the results by tag on Evaluate.",
        )  # fmt: skip
    request = QuerySetRequest(name, tags=tuple(tags))
    try:
        if source == _TYPED:
            _typed(request, corpus)
        elif source == _DOCUMENTS:
            _documents(request, corpus)
        else:
            _uploaded(request, corpus, log=source == _LOG)
    except LabError as error:
        parts.error_card(error, key="query_set_add")


def _typed(request: QuerySetRequest, corpus: Corpus) -> None:
    text = st.text_area("Queries", key="query_set_text", height=160, placeholder="One a line")
    lines = tuple(line for line in (text or "").splitlines() if line.strip())
    if _pressed("Add queries"):
        _begin(replace(request, lines=lines), corpus)


def _uploaded(request: QuerySetRequest, corpus: Corpus, *, log: bool) -> None:
    file = st.file_uploader("Log" if log else "File", key=f"query_set_file_{log}")
    size = _size_box("Queries to draw", "query_set_log_size", 60) if log else 0
    if _pressed("Add queries") and file is not None:
        upload = stage([file])
        st.session_state[_UPLOAD] = upload
        path = upload.path
        _begin(
            replace(request, log=path, log_size=size) if log else replace(request, file=path),
            corpus,
        )


def _documents(request: QuerySetRequest, corpus: Corpus) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        size = _size_box("Documents", "query_set_documents", 30)
        by_model = st.toggle(
            "Written by a language model", key="query_set_llm",
            help="It writes a query in everyday words. Without it, a template names the three "
            "rarest words of a document.",
        )  # fmt: skip
    request = replace(request, documents=size)
    writer: JudgeModel | None = None
    if by_model:
        writer = model_boxes("query_set")
        if writer is None:
            return
        estimate = query_sets.writing_estimate(writer, corpus, size)
        words = parts.literal(estimates_words((estimate,)))
        st.caption(f":material/cloud: It is asked for up to {words}.")
    st.caption(f":material/info: {views.SYNTHETIC_NOTE}")
    if _pressed("Make queries"):
        _begin(replace(request, writer=writer), corpus)


def _size_box(label: str, key: str, default: int) -> int:
    return int(st.number_input(label, 1, 10_000, default, 10, key=key, width=160))


def _pressed(label: str) -> bool:
    """A button that is never disabled: what was typed last arrives with the press."""
    return st.button(label, type="primary", key="query_set_go", icon=":material/add:")


def _begin(request: QuerySetRequest, corpus: Corpus) -> None:
    job = query_sets.start_extending(request, corpus, session())
    st.session_state.pop(_REPORT, None)
    st.session_state[_JOB] = job.key
    st.rerun()


def _one(corpus: Corpus, sets: list[LabQuerySet], store: JudgmentStore) -> None:
    """One set: its queries in a table, and what can be done with those that are chosen."""
    names = [one.name for one in sets]
    if (newest := st.session_state.pop("query_set_shown_next", None)) in names:
        st.session_state["query_set_shown"] = newest
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox("Queries of", names, key="query_set_shown", width=260)
        query_set = next((one for one in sets if one.name == name), sets[0])
        if query_set.name == st.session_state.get("query_set"):
            st.caption(":material/check: All pages ask these queries.")
        else:
            st.button(
                "Ask these on all pages",
                key="query_set_use",
                on_click=set_query_set,
                args=(query_set.name,),
                help="The same as choosing the set at the side.",
            )
    st.markdown(parts.literal(views.set_words(query_set)))
    if any(query.origin in (QueryOrigin.TEMPLATE, QueryOrigin.LLM) for query in query_set.queries):
        st.caption(f":material/info: {views.SYNTHETIC_NOTE}")
    state = short_key(f"{corpus.name} {query_set.name} {len(query_set.queries)}")
    chosen = st.dataframe(
        views.query_rows(query_set, corpus), hide_index=True, key=f"query_rows_{state}",
        height="auto" if len(query_set.queries) <= 12 else 460, on_select="rerun",
        selection_mode="multi-row", alt="The queries of the set",
        column_config={"Query": st.column_config.TextColumn("Query", width="large")},
    )  # fmt: skip
    problem = st.session_state.pop(_PROBLEM, None)
    if isinstance(problem, LabError):
        parts.error_card(problem, key="query_set_change")
    rows = chosen["selection"]["rows"]
    ids = [query_set.queries[row].query_id for row in rows if row < len(query_set.queries)]
    if not visitor.welcome_to(Action.EDIT):
        return
    if not ids:
        st.caption("Choose rows to tag them, or to take them out.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom", key="query_set_change"):
        st.text_input("Tag", key="query_set_tag", width=180)
        st.button(
            f"Tag {counted(len(ids), 'query', 'queries')}", key="query_set_tag_go",
            on_click=_tag, args=(query_set, ids, store),
        )  # fmt: skip
        st.button(
            "Take out", key="query_set_remove", icon=":material/delete:",
            on_click=_remove, args=(query_set, ids, store), help="Labels given for them stay.",
        )  # fmt: skip


def _tag(query_set: LabQuerySet, ids: list[str], store: JudgmentStore) -> None:
    try:
        query_sets.with_tag(query_set, ids, str(st.session_state["query_set_tag"]), store)
    except LabError as error:
        st.session_state[_PROBLEM] = error


def _remove(query_set: LabQuerySet, ids: list[str], store: JudgmentStore) -> None:
    try:
        query_sets.without_queries(query_set, ids, store)
    except LabError as error:
        st.session_state[_PROBLEM] = error
