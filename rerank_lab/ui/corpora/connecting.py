"""Connect a search engine: where it is, how it searches, a try on one query, then keep it."""

from __future__ import annotations

import dataclasses
from typing import Any

import streamlit as st

from rerank_lab.components.base import Param
from rerank_lab.core.errors import LabError
from rerank_lab.core.spec import Literal
from rerank_lab.jobs.table import Job
from rerank_lab.services import presets
from rerank_lab.services.engines import (
    ConnectRequest,
    EnginePreview,
    PreviewRequest,
    start_connecting,
    start_preview,
    template_of,
)
from rerank_lab.ui.corpora import uploads
from rerank_lab.ui.shared import navigation, parts, resources
from rerank_lab.ui.shared.visitor import session
from rerank_lab.ui.shared.waiting import first_time, watch
from rerank_lab.views import engines as views

_CONNECTED = "engine_job"
_TEMPLATE_HELP = (
    "It takes the place of what is chosen above. `{query}` stands for the words, `{k}` for the "
    "number of hits, `{vector}` for the query's embedding. The query is handed over as a value, "
    "never as a part of the text."
)


def draw() -> None:
    """The whole flow; what is typed stays until the corpus is kept."""
    job = resources.jobs().get(st.session_state.get(_CONNECTED))
    if job is not None and job.state.ended and job.error is None and job.result is not None:
        _done(job)
        return
    st.caption(
        "Documents stay in your search engine and come with its hits. Compare, Evaluate and Label "
        "work on what it returns now."
    )
    forms = views.engine_forms()
    name = st.selectbox(
        "Engine",
        list(forms),
        format_func=lambda one: f"{one}: {forms[one].summary}",
        key="engine_name",
    )
    form = forms[str(name)]
    values = _fields(form)
    try:
        spec = views.engine_spec(form.name, values)
    except LabError as error:
        parts.error_card(error, key="engine_spec")
        return
    _usual(spec)
    st.markdown("**Try it**")
    try_out(spec, form.name)
    _keep(spec)
    if job is not None and not job.state.ended:
        watch(job)
    elif job is not None and job.error is not None:
        parts.error_card(job.error, key="engine_connect")


def _fields(form: views.EngineForm) -> dict[str, Literal]:
    values: dict[str, Literal] = {}
    st.markdown("**Where it is**")
    with st.grid("auto", min_column_width=250):
        for param in form.where:
            values[param.name] = _field(form.name, param)
    for param in form.where:
        note = views.variable_note(str(values[param.name])) if param.variable else ""
        if note:
            st.caption(parts.literal(note))
    st.markdown("**How it searches**")
    with st.grid("auto", min_column_width=250):
        for param in form.how:
            values[param.name] = _field(form.name, param)
    with st.expander("Filter, own request, timeout, certificates", icon=":material/code:"):
        for param in form.more:
            if param.name == "template":
                st.markdown(_TEMPLATE_HELP)
            values[param.name] = _field(form.name, param)
    return values


def _usual(spec: str) -> None:
    """What is sent, with its placeholders: where a template of one's own begins."""
    with st.expander("The request, as a template", icon=":material/content_copy:"):
        try:
            st.code(template_of(spec, resources.engine()), language=None, wrap_lines=True)
        except LabError as error:
            parts.error_card(error, key="engine_usual")
        else:
            st.caption("Copy it into the box above to change it.")


def _field(engine: str, param: Param) -> Literal:
    common: dict[str, Any] = {
        "key": f"engine_{engine}_{param.name}",
        "help": parts.literal(param.help),
    }
    if param.choices:
        options = list(param.choices)
        return str(st.selectbox(param.label, options, options.index(param.default), **common))
    if param.type is float:
        return float(
            st.number_input(param.label, param.low, param.high, float(param.default), **common)
        )
    if param.type is bool:
        return bool(st.toggle(param.label, value=bool(param.default), **common))
    if param.name == "template":
        return str(st.text_area(param.label, height=160, **common) or "")
    return str(st.text_input(param.label, value=str(param.default), **common) or "").strip()


def try_out(spec: str, place: str) -> None:
    """A query for the engine of a spec, its hits, and what was sent; or what is wrong, in words.

    Args:
        spec: of one engine.
        place: tells the boxes of several pages apart.
    """
    query_key, job_key = f"engine_query_{place}", f"engine_try_{place}"
    with (
        st.form(f"engine_form_{place}", border=False),
        st.container(horizontal=True, vertical_alignment="bottom", gap="small"),
    ):
        query = st.text_input(
            "Query",
            key=query_key,
            placeholder="A query to try",
            label_visibility="collapsed",
            type="search",
        )
        pressed = st.form_submit_button("Try it", key=f"engine_ask_{place}")
    if pressed and (query or "").strip():
        attempt = int(st.session_state.get("engine_attempt", 0)) + 1
        st.session_state["engine_attempt"] = attempt
        request = PreviewRequest(spec, str(query))
        st.session_state[job_key] = start_preview(request, attempt, session()).key
    job = resources.jobs().get(st.session_state.get(job_key))
    if job is None:
        return
    if not job.finished.wait(2.0):
        watch(job)
    elif job.error is not None:
        parts.error_card(job.error, key=f"engine_try_{place}")
    elif job.result is not None:
        _hits(job.result)


def _hits(preview: EnginePreview) -> None:
    for warning in preview.warnings:
        st.caption(f":material/info: {parts.literal(warning)}")
    if not preview.hits:
        st.info("The engine found nothing for this query.", icon=":material/search_off:")
    for row in views.hit_rows(preview):
        with st.container(border=True, gap="xsmall", key=f"engine_hit_{row.rank}"):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(
                    f"{row.rank} · **{parts.literal(row.title or row.id)}**", width="stretch"
                )
                st.caption(f"{parts.literal(row.id)} · {row.score}", width="content")
            st.markdown(parts.literal(row.snippet) or "*(no text)*")
    with st.expander("What was sent", icon=":material/terminal:"):
        st.code(preview.request, language=None, wrap_lines=True)


def _keep(spec: str) -> None:
    st.markdown("**Keep it as a corpus**")
    with st.container(horizontal=True):
        queries = st.file_uploader("Queries (optional)", key="engine_queries")
        qrels = st.file_uploader("Judgments (optional)", key="engine_qrels")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = str(
            st.text_input("Name", key="engine_corpus", max_chars=200, width=300) or ""
        ).strip()
        same = next((e for e in resources.corpora() if e.name.casefold() == name.casefold()), None)
        replace = False
        if same is not None and same.kind == "live":
            replace = st.checkbox(
                f"Replace the corpus {parts.literal(same.name)}", key="engine_replace"
            )
        st.button(
            "Connect",
            type="primary",
            icon=":material/link:",
            key="engine_connect_now",
            disabled=not name,
            on_click=_start,
            args=(ConnectRequest(name, spec, replace=replace), queries, qrels),
        )


def _start(request: ConnectRequest, queries: Any, qrels: Any) -> None:
    staged = [None if one is None else uploads.stage([one]).path for one in (queries, qrels)]
    attempt = int(st.session_state.get("engine_attempt", 0)) + 1
    st.session_state["engine_attempt"] = attempt
    request = dataclasses.replace(request, queries=staged[0], qrels=staged[1])
    st.session_state[_CONNECTED] = start_connecting(request, attempt, session()).key


def _done(job: Job[str]) -> None:
    if first_time(job):
        resources.refresh_corpora()
        st.rerun()
    name = job.wait()
    with st.container(border=True, key="engine_done"):
        st.markdown(f":material/check_circle: **{parts.literal(name)}** is connected.")
        st.caption("Nothing was copied. Its pipelines begin with live, the engine's own search.")
        with st.container(horizontal=True):
            navigation.compare_button(
                "Open in Compare",
                "engine_compare",
                corpus=name,
                query="",
                pipelines=presets.default_pipelines(live=True),
                primary=True,
            )
            st.button("Look it over", key="engine_look", on_click=_look, args=(name,))


def _look(name: str) -> None:
    st.session_state.pop(_CONNECTED, None)
    st.session_state["view"] = "Look around"
    st.session_state["corpus"] = name
