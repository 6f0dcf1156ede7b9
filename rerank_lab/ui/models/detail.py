"""One model: what is known of it, its health check, and the way to Compare."""

from __future__ import annotations

import streamlit as st

from rerank_lab.core.spec import PipelineSpec
from rerank_lab.ui.models import health
from rerank_lab.ui.shared import navigation, parts
from rerank_lab.ui.shared.waiting import watch
from rerank_lab.views.health import Badge
from rerank_lab.views.models import CatalogueLine


def draw(line: CatalogueLine, badge: Badge | None) -> None:
    """The card below the table."""
    with st.container(border=True, key="model_card", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{parts.literal(line.title)}**", width="content")
            st.badge(line.state_words, color="blue" if line.usable else "gray")
            st.caption(f"as of {line.as_of}", width="content")
        if line.note:
            st.markdown(parts.literal(line.note))
        if line.why:
            st.markdown(f":material/info: {parts.literal(line.why)} {parts.literal(line.hint)}")
        if line.spec is not None:
            st.markdown("Written in a pipeline:", width="content")
            st.code(str(line.spec), language=None)
        _badge(badge)
        with st.container(horizontal=True):
            if "reranker" in line.roles:
                st.button(
                    "Check it",
                    key="check_model",
                    icon=":material/health_and_safety:",
                    disabled=not line.usable and line.state != "downloadable",
                    on_click=_check,
                    args=(line.spec,),
                    help="Scores probe pairs whose order is known: loaded heads, constant or "
                    "saturated scores, repeatability.",
                )
            if line.usable and line.spec is not None:
                navigation.compare_button(
                    "Compare with BM25", "model_compare", pipelines=(line.spec.prefix(1), line.spec)
                )
        _checks(line, badge)


def _checks(line: CatalogueLine, badge: Badge | None) -> None:
    jobs = health.jobs_of(line.spec) if line.spec is not None else ()
    for job in jobs:
        if not job.state.ended:
            watch(job)
    if badge is not None and badge.state == "checking" and all(job.state.ended for job in jobs):
        st.rerun()


def _check(spec: PipelineSpec) -> None:
    health.submit([spec])


def _badge(badge: Badge | None) -> None:
    if badge is None or badge.state == "checking":
        return
    icons = {"healthy": ":material/verified:", "suspect": ":material/warning:"}
    icon = icons.get(badge.state, ":material/error:")
    st.markdown(f"{icon} **{badge.state.capitalize()}**")
    for reason in badge.reasons:
        st.markdown(parts.literal(reason))
