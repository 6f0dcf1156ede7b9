"""How many candidates are enough: a job, and what came of it."""

from __future__ import annotations

import streamlit as st

from rerank_lab.charts.depth import depth_chart, depth_time_chart
from rerank_lab.core.errors import LabError
from rerank_lab.evaluation.depth.study import DepthStudy
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.services import depth as depth_service
from rerank_lab.services.depth import DEPTHS
from rerank_lab.ui.evaluate import on_screen, study_files
from rerank_lab.ui.evaluate.study_jobs import at_work
from rerank_lab.ui.shared import parts, resources
from rerank_lab.ui.shared.plots import PlainFigure
from rerank_lab.ui.shared.state import Screen
from rerank_lab.ui.shared.visitor import session
from rerank_lab.views.depth import DepthView, depth_view
from rerank_lab.views.evaluate import pipeline_labels
from rerank_lab.views.hosted import estimates_words

_DEEPEST = (50, 100, 200, 500, 1000)


def draw(evaluation: Evaluation, screen: Screen) -> None:
    """The kept study, or a job at work, and how to try other depths."""
    if at_work(depth_service.jobs_of(evaluation.id, session()), key="depth_job"):
        return
    kept = depth_service.depth_studies(evaluation.id, resources.engine().home)
    if kept:
        _study(kept[0], evaluation, screen)
    _begin(evaluation)


def _begin(evaluation: Evaluation) -> None:
    corpus = on_screen.corpus_of(evaluation)
    if corpus is None:
        st.caption("The corpus is no longer here as it was: no depth can be tried.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        deepest = st.selectbox(
            "Up to", _DEEPEST, index=1, key=f"depth_most_{evaluation.id}", width=110
        )
        afresh = st.toggle(
            "Measure times afresh",
            key=f"depth_afresh_{evaluation.id}",
            help="Scores from the cache have no time of their own. This asks every model again.",
        )
        pressed = st.button("Try depths", key="depth_start", icon=":material/play_arrow:")
    measure, _ = on_screen.compared_by(evaluation)
    depths = [depth for depth in DEPTHS if depth <= deepest]
    request = depth_service.request_for(evaluation, measure, depths, afresh=afresh)
    if pressed:
        depth_service.start(request, evaluation, corpus, session())
        st.rerun()
    try:
        estimates = depth_service.cost_estimates(request, corpus, resources.engine())
    except LabError:
        return
    for spec, of_stages in estimates.items():
        words = f"{spec} asks for up to {estimates_words(of_stages)}."
        st.caption(f":material/cloud: {parts.literal(words)}")


def _study(study: DepthStudy, evaluation: Evaluation, screen: Screen) -> None:
    labels = pipeline_labels(evaluation.design.pipelines)[0]
    colours = on_screen.colours_of(evaluation, screen)
    view = depth_view(study, labels)
    for sentence in view.answer:
        st.markdown(parts.literal(sentence))
    for problem in view.problems:
        st.warning(parts.literal(problem), icon=":material/error:")
    if view.rows:
        theme = parts.theme()
        quality, time = st.columns([3, 2])
        with quality:
            st.plotly_chart(
                PlainFigure(depth_chart(study, labels, colours, theme)),
                key=f"depth_chart_{evaluation.id}",
                config={"displayModeBar": False},
            )
            st.caption(
                "Ring: the knee. Grey, above the lines: what the first stage allows. Dashed is the "
                "best order of its candidates, dotted the share of relevant documents among them."
            )
        with time:
            st.plotly_chart(
                PlainFigure(depth_time_chart(study, labels, colours, theme)),
                key=f"depth_times_{evaluation.id}",
                config={"displayModeBar": False},
            )
        with st.expander("All points"):
            _table(view, study)
        study_files.draw("depth", evaluation.id, study)
    for note in view.notes:
        st.caption(parts.literal(note))


def _table(view: DepthView, study: DepthStudy) -> None:
    columns = {
        "Pipeline": [row.label for row in view.rows],
        "Candidates": [row.depth for row in view.rows],
        study.measure: [row.value for row in view.rows],
        "95 % interval": [row.interval for row in view.rows],
        "Best order": [row.oracle for row in view.rows],
        "Recall": [row.recall for row in view.rows],
        "p50": [row.p50 for row in view.rows],
        "p95": [row.p95 for row in view.rows],
        "$ for 1,000": [row.price for row in view.rows],
        "": [row.remark for row in view.rows],
    }
    st.dataframe(columns, hide_index=True, alt=f"{study.measure} of each pipeline by depth")
