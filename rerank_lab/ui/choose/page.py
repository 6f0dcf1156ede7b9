"""The Choose page: from an evaluation and what a team can accept to a pipeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

import streamlit as st

from rerank_lab.charts import figures as charts
from rerank_lab.charts.choose import front_chart
from rerank_lab.core.errors import LabError
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.corpora import Corpus
from rerank_lab.decision.choice import NextStep, PipelineDecision
from rerank_lab.decision.comparisons import Comparisons
from rerank_lab.evaluation.experiments import Evaluation, ExperimentEntry, list_experiments
from rerank_lab.evaluation.memory import memory_peaks
from rerank_lab.pipeline.resolution import at_depth
from rerank_lab.services import chosen_sessions, memory
from rerank_lab.services.decide import compared, decide, kept_terms
from rerank_lab.ui.choose import html as choose_html
from rerank_lab.ui.choose import limits, ship, take_along
from rerank_lab.ui.compare import cards
from rerank_lab.ui.evaluate.study_jobs import at_work
from rerank_lab.ui.shared import parts, resources
from rerank_lab.ui.shared.navigation import (
    CORPORA_PAGE,
    EVALUATE_PAGE,
    EXPERIMENT,
    LABEL_PAGE,
    go_to,
)
from rerank_lab.ui.shared.plots import PlainFigure
from rerank_lab.ui.shared.state import Screen, read_screen
from rerank_lab.ui.shared.visitor import session
from rerank_lab.views.choose import (
    AXES,
    ChooseView,
    LimitChoices,
    choice_chart,
    choose_view,
    experiment_choice,
)
from rerank_lab.views.evaluate import pipeline_labels
from rerank_lab.views.evaluate_lines import design_line
from rerank_lab.views.labels import pipeline_colours

_PLOT = {"displayModeBar": False}
_LISTED = 50
"""So many evaluations of a corpus can be chosen, the newest first."""


def page() -> None:
    """Draw the page."""
    now = read_screen()
    parts.notices(now.notices)
    try:
        with st.container(horizontal=True, vertical_alignment="bottom", key="choose_setup"):
            experiment_id = _experiment(now)
            evaluation = resources.evaluation(experiment_id) if experiment_id else None
            measure = limits.measure_select(evaluation.measures_of_quality) if evaluation else ""
        if evaluation is None:
            _empty(now)
        else:
            _decision(evaluation, measure, now.depth)
    except LabError as error:
        parts.error_card(error, key="choose")
        if st.button("Evaluate", key="choose_to_evaluate", icon=":material/monitoring:"):
            go_to(EVALUATE_PAGE)


def _experiment(now: Screen) -> str:
    """The id of the evaluation on screen: that of the link, else the newest of the corpus.

    "" when there is none.
    """
    linked = str(st.query_params.get(EXPERIMENT, ""))
    every = list_experiments(resources.engine().home)
    entries = [one for one in every if one.design.corpus == now.corpus or one.id == linked]
    entries = entries[:_LISTED] + [one for one in entries[_LISTED:] if one.id == linked]
    if linked and linked not in {one.id for one in entries}:
        return linked  # opening it says what is wrong with the link
    if not entries:
        return ""
    by_id: dict[str, ExperimentEntry] = {one.id: one for one in entries}
    chosen = st.selectbox(
        "Evaluation",
        tuple(by_id),
        index=list(by_id).index(linked) if linked else 0,
        format_func=lambda one: experiment_choice(by_id[one]),
        key="choose_experiment",
    )
    st.query_params[EXPERIMENT] = chosen
    return str(chosen)


def _empty(now: Screen) -> None:
    with st.container(border=True, key="choose_empty"):
        st.markdown("**Which reranker should you take?**")
        st.markdown(
            "Evaluate a few pipelines first. Then say here what you can accept: how slow, how "
            "dear, under which licence, in which languages, and whether texts may leave the "
            "house. You see who remains, why each of the others fell, and whether the data can "
            "decide at all."
        )
        corpus = parts.literal(now.corpus)
        if st.button(
            f"Evaluate pipelines on {corpus}" if corpus else "Evaluate pipelines",
            key="choose_to_evaluate",
            type="primary",
            icon=":material/monitoring:",
        ):
            go_to(EVALUATE_PAGE)


def _decision(evaluation: Evaluation, measure: str, depth: int) -> None:
    top = st.container(gap="xsmall", key="choose_top")
    board = st.container(key="choose_board")
    with board:
        with st.container(key="choose_limits", gap="small"):
            choices = limits.draw(measure, kept_terms(evaluation.id, resources.engine()))
            _memory(evaluation)
        corpus = _corpus(evaluation)
        decision = _decided(evaluation, choices, corpus)
        view = choose_view(decision)
        colours = _colours(evaluation.design.pipelines, depth)
        with st.container(key="choose_front", gap="xsmall"):
            _front(decision, colours)
        with st.container(key="choose_standing", gap="xsmall"):
            _standing(view, colours)
    with top:
        _answer(evaluation, decision, view)
    st.markdown("**What is known of each**")
    st.html(choose_html.facts_table(view, colours))
    st.caption("Rest on a value to see where it is from.")
    take_along.draw(decision, corpus)
    ship.draw(decision, evaluation, corpus, pipeline_labels(evaluation.design.pipelines)[0])


def _memory(evaluation: Evaluation) -> None:
    """A way to measure the memory of the pipelines, once for an evaluation."""
    if at_work(memory.jobs_of(evaluation.id, session()), key="memory_job"):
        return
    if memory_peaks(evaluation.id, resources.engine().home):
        return
    if st.button(
        "Measure memory",
        key="measure_memory",
        icon=":material/memory:",
        help="Runs each pipeline once in a process of its own and keeps the most that it took.",
    ):
        memory.start(evaluation, session())
        st.rerun()


def _corpus(evaluation: Evaluation) -> Corpus | None:
    """The documents of an evaluation, where they are still here."""
    with suppress(LabError):
        return resources.corpus(evaluation.design.corpus)
    return None


def _decided(
    evaluation: Evaluation, choices: LimitChoices, corpus: Corpus | None
) -> PipelineDecision:
    values = tuple(
        (spec, tuple(evaluation.values(spec, choices.measure, common=True).items()))
        for spec in evaluation.design.pipelines
    )
    return decide(
        evaluation,
        resources.engine(),
        choices.required,
        corpus=corpus,
        comparisons=_compared(evaluation, choices.measure, values),
    )


@st.cache_resource(max_entries=8, show_spinner="Comparing every pair")
def _compared(
    _evaluation: Evaluation, measure: str, values: Sequence[tuple[str, object]]
) -> Comparisons:
    """All pairs, once for the values that they are made of."""
    return compared(_evaluation, measure)


def _answer(evaluation: Evaluation, decision: PipelineDecision, view: ChooseView) -> None:
    st.html(cards.verdict(view.headline))
    for reason in view.reasons:
        st.markdown(parts.literal(reason))
    for place, step in enumerate(decision.steps):
        _step(evaluation, step, place)
    candidates = pipeline_labels(evaluation.design.pipelines)[1]
    st.caption(parts.literal(design_line(evaluation.design, candidates)))


def _step(evaluation: Evaluation, step: NextStep, place: int) -> None:
    """What would help, with the way there where one click leads to it."""
    with st.container(horizontal=True, vertical_alignment="center", key=f"step_{place}"):
        st.markdown(f":material/arrow_forward: {parts.literal(step.sentence)}", width="content")
        if step.kind == "judgments":
            if st.button("Judge them", key=f"choose_judge_{place}", icon=":material/grading:"):
                _judge(evaluation)
        elif step.kind == "data":
            if st.button("Open corpora", key=f"choose_corpora_{place}", icon=":material/folder:"):
                go_to(CORPORA_PAGE)
        elif step.kind in ("finish", "times") and st.button(
            "Open the evaluation", key=f"choose_open_{place}", icon=":material/monitoring:"
        ):
            go_to(EVALUATE_PAGE, **{EXPERIMENT: evaluation.id})


def _judge(evaluation: Evaluation) -> None:
    try:
        corpus = resources.judged_corpus(evaluation.design.corpus)
        labelling = chosen_sessions.unjudged_session(evaluation, corpus, resources.engine().home)
    except LabError as error:
        parts.error_card(error, key="choose_judge")
        return
    go_to(LABEL_PAGE, session=labelling.session_id)


def _front(decision: PipelineDecision, colours: Mapping[str, int]) -> None:
    axis = st.segmented_control(
        "Axes of the chart",
        tuple(AXES),
        default=next(iter(AXES)),
        key="axes",
        required=True,
        label_visibility="collapsed",
        bind="query-params",
    )
    chart = choice_chart(decision, AXES[axis or next(iter(AXES))])
    if chart.points:
        figure = front_chart(chart, colours, parts.theme())
        st.plotly_chart(
            PlainFigure(figure), key="choose_chart", theme=None, config=_PLOT, width="stretch"
        )
    if chart.absent:
        what = "time" if chart.axis == "p95" else "price"
        names = ", ".join(chart.absent)
        st.caption(f":material/info: No {what} is known of {parts.literal(names)}.")
    if chart.points:
        st.caption(
            "Bars are 95 % intervals. Grey: another one is shown to be as good and faster, and is "
            "not known to be dearer. Hollow: it does not meet your limits."
        )


def _standing(view: ChooseView, colours: Mapping[str, int]) -> None:
    for title, lines in (("Who remains", view.remaining), ("Who fell, and why", view.fallen)):
        if lines:
            st.markdown(f"**{title}**")
            st.html("".join(choose_html.contender(one, colours[one.pipeline]) for one in lines))


def _colours(specs: Sequence[str], depth: int) -> Mapping[str, int]:
    """The colours that pipelines have on other pages, by the specs of an evaluation."""
    known: Mapping[PipelineSpec, int] = st.session_state.get("colours", {})
    slots = {str(at_depth(spec, depth)): slot for spec, slot in known.items()}
    return pipeline_colours(specs, slots, len(charts.LIGHT.pipelines))
