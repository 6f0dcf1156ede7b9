"""Evaluate's question "How fast under load?": what to measure, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from rerank_lab.charts import load as charts
from rerank_lab.core.errors import LabError
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.evaluation.load.run import DEFAULT_PLAN, LoadPlan
from rerank_lab.evaluation.load.study import ARRIVALS, LoadStudy
from rerank_lab.jobs.table import JobState
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.services import load
from rerank_lab.services.cost_estimates import calls_out
from rerank_lab.services.load import LoadRequest
from rerank_lab.services.own_pipelines import runs_here
from rerank_lab.ui.evaluate import study_files
from rerank_lab.ui.evaluate.on_screen import corpus_of
from rerank_lab.ui.shared import parts, resources
from rerank_lab.ui.shared.plots import PlainFigure
from rerank_lab.ui.shared.state import Screen
from rerank_lab.ui.shared.visitor import session
from rerank_lab.ui.shared.waiting import running, watch
from rerank_lab.views import load as views
from rerank_lab.views.evaluate import pipeline_labels

_PIPELINE = "load_of"
"""The parameter of the link for the pipeline."""


def draw(evaluation: Evaluation, _: Screen) -> None:
    """The choices, the job while it is at work, and the newest study of the pipeline."""
    labels = pipeline_labels(evaluation.design.pipelines)[0]
    specs = [spec for spec in evaluation.design.pipelines if runs_here(spec)]
    if not specs:
        st.caption("These are runs of other systems: the lab cannot ask them anything.")
        return
    spec = _pipeline(evaluation.id, specs, labels)
    jobs = load.jobs_of(evaluation.id, session())
    job = running(jobs)
    _choices(evaluation, spec, busy=job is not None)
    if job is not None:
        watch(job)
        st.caption("You may leave. What else runs on this machine meanwhile makes it slower.")
    else:
        last = next(reversed(jobs), None)
        if last is not None and last.state is JobState.FAILED and last.error is not None:
            parts.error_card(last.error, key="load_job")
    study = views.newest_by_pipeline(load.load_studies(evaluation.id, resources.engine().home)).get(
        spec
    )
    if study is not None:
        _answer(study)
        study_files.draw("load", evaluation.id, study)
    elif job is None:
        st.caption(
            "Not measured yet. One rate tells how long queries take at it; with a bound on p95, "
            "further rates tell how many a second it can take."
        )


def _pipeline(experiment_id: str, specs: Sequence[str], labels: dict[str, str]) -> str:
    linked = st.query_params.get(_PIPELINE, "")
    spec = st.selectbox(
        "Pipeline",
        specs,
        index=specs.index(linked) if linked in specs else 0,
        format_func=lambda one: labels[one],
        key=f"load_pipeline_{experiment_id}",
    )
    st.query_params[_PIPELINE] = spec
    return str(spec)


def _choices(evaluation: Evaluation, spec: str, *, busy: bool) -> None:
    """What to measure; stays in place, with what was chosen, while that is at work."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="load_choices"):
        plan = _plan_boxes()
        pressed = st.button(
            "Measure",
            type="primary",
            key="load_start",
            icon=":material/play_arrow:",
            disabled=busy,
        )
    if calls_out(Pipeline(spec).spec):
        rates = 1 if plan.bound is None else 1 + plan.tries
        queries = round(plan.rate * plan.seconds)
        st.caption(
            f":material/cloud: This asks a provider for each query: {queries:,} at the rate above"
            + (f", and more at up to {rates - 1} other rates." if rates > 1 else ".")
        )
    if pressed:
        _start(evaluation, spec, plan)


def _plan_boxes() -> LoadPlan:
    rate = st.number_input(
        "Queries a second", 0.01, 1000.0, DEFAULT_PLAN.rate, key="load_rate", width=140
    )
    workers = st.number_input(
        "Workers", 1, 64, 1, key="load_workers", width=110, help="Queries answered at once."
    )
    seconds = st.number_input(
        "Seconds a rate", 1.0, 600.0, DEFAULT_PLAN.seconds, key="load_seconds", width=130
    )
    bound = st.number_input(
        "p95 within, ms",
        1,
        600_000,
        value=None,
        key="load_bound",
        width=140,
        placeholder="no bound",
        help="With a bound, up to six more rates are tried for the largest that keeps it.",
    )
    arrivals = st.selectbox(
        "Arrivals",
        ARRIVALS,
        format_func=lambda kind: "at random" if kind == "poisson" else "regular",
        key="load_arrivals",
        width=130,
    )
    by_core = st.toggle("By core", key="load_by_core", help="Throughput on 1, 2, 4 threads.")
    return replace(
        DEFAULT_PLAN,
        rate=float(rate),
        workers=int(workers),
        seconds=float(seconds),
        bound=None if bound is None else bound / 1000,
        arrivals=arrivals,
        by_core=by_core,
    )


def _start(evaluation: Evaluation, spec: str, plan: LoadPlan) -> None:
    corpus = corpus_of(evaluation)
    if corpus is None:
        st.warning("The corpus of this evaluation is not here as it was, so nothing can be asked.")
        return
    try:
        load.start(LoadRequest(Pipeline(spec).spec, plan, evaluation.id), corpus, session())
    except LabError as error:
        parts.error_card(error, key="load_plan")
        return
    st.rerun()


def _answer(study: LoadStudy) -> None:
    st.markdown(f"**{parts.literal(views.load_sentence(study))}**")
    figures = [charts.spread_chart(study, parts.theme())]
    if len(study.steps) > 1:
        figures.insert(0, charts.rate_chart(study, parts.theme()))
    for place, column in enumerate(st.columns(len(figures))):
        bare = {"displayModeBar": False}
        column.plotly_chart(PlainFigure(figures[place]), key=f"load_chart_{place}", config=bare)
    rows = views.step_rows(study)
    columns = zip(views.HEADINGS, zip(*rows, strict=True), strict=True)
    st.dataframe({heading: list(cells) for heading, cells in columns}, hide_index=True)
    lines = [views.start_line(study), *views.throughput_lines(study)]
    st.markdown("  \n".join(parts.literal(line) for line in lines if line))
    for note in views.load_notes(study):
        st.caption(f":material/info: {parts.literal(note)}")
    st.caption(parts.literal(views.conditions_line(study)))
    st.caption(f":material/memory: {parts.literal(views.machine_line(study.machine))}")
