"""The Evaluate page: a query set through several pipelines, as a job that outlives the tab."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from rerank_lab.charts import figures as charts
from rerank_lab.core.errors import LabError
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.corpora import Corpus
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.evaluation.measures import DEFAULT_MEASURES
from rerank_lab.jobs.table import JobState
from rerank_lab.pipeline.resolution import at_depth
from rerank_lab.services import evaluate
from rerank_lab.services.evaluate import EvaluationRequest
from rerank_lab.ui.compare import chips
from rerank_lab.ui.evaluate import changes, questions, run_files
from rerank_lab.ui.evaluate import kept as evaluate_list
from rerank_lab.ui.evaluate import results as evaluate_results
from rerank_lab.ui.evaluate.workers import workers_box
from rerank_lab.ui.shared import parts, resources
from rerank_lab.ui.shared.navigation import EXPERIMENT, go_to
from rerank_lab.ui.shared.state import Screen, depth_box, read_screen, set_pipelines
from rerank_lab.ui.shared.visitor import session
from rerank_lab.ui.shared.waiting import running, watch
from rerank_lab.views.evaluate_lines import ahead_line, amount_words
from rerank_lab.views.hosted import estimates_words
from rerank_lab.views.labels import pipeline_colours, without_depth

_MORE_MEASURES = (
    "nDCG@5",
    "nDCG@20",
    "nDCG",
    "RR",
    "R@5",
    "R@20",
    "R@50",
    "Success@1",
    "Success@5",
)
_SHORTER = (10, 20, 50, 100, 200, 500, 1000)


def page() -> None:
    """Draw the page."""
    now = read_screen()
    parts.notices(now.notices)
    colours = _colours(now)
    chips.draw(now, colours, depth_box)
    corpus = parts.judged_corpus_or_card(now)
    if corpus is None:
        return
    if corpus.queries:
        run_files.draw(now, corpus)
        _setup(now, corpus)
    else:
        _no_queries(corpus)
    experiment_id = str(st.query_params.get(EXPERIMENT, ""))
    if experiment_id:
        _shown(experiment_id, now, colours)
    elif corpus.queries:
        _hint(corpus)
    evaluate_list.draw(experiment_id, open_experiment, resume)


def _no_queries(corpus: Corpus) -> None:
    with st.container(border=True, key="no_queries"):
        st.markdown(f"**{parts.literal(corpus.name)} has no queries yet**")
        st.markdown(
            "An evaluation asks many queries at once and scores the answers by judgments. Add a "
            "query file and a judgment file to this corpus, or choose one of the samples."
        )
        if st.button("Add queries and judgments", key="to_change", icon=":material/upload:"):
            go_to("corpora.py", part="Change")


def _hint(corpus: Corpus) -> None:
    judged = sum(bool(corpus.qrels.get(query.id)) for query in corpus.queries)
    st.caption(ahead_line(judged))


def _setup(now: Screen, corpus: Corpus) -> None:
    every = EvaluationRequest(now.pipelines)
    request, pressed = _choices(now, every, len(every.queries(corpus)))
    if not pressed:
        _ahead(request, now.depth, corpus)
        return
    deepened = tuple(at_depth(spec, now.depth) for spec in request.pipelines)
    try:
        job = evaluate.start(replace(request, pipelines=deepened), corpus, session())
    except LabError as error:
        parts.error_card(error, key="plan")
        return
    st.query_params[EXPERIMENT] = evaluate.experiment_of(job)


def _choices(now: Screen, every: EvaluationRequest, most: int) -> tuple[EvaluationRequest, bool]:
    """What to ask for of at most so many queries, and whether to begin."""
    with st.container(key="evaluate_setup"):
        measures = st.multiselect(
            "Measures",
            [*DEFAULT_MEASURES, *_MORE_MEASURES],
            default=list(DEFAULT_MEASURES),
            key="measures",
            accept_new_options=True,
            wrap=True,
            help="As ir_measures writes them. The first one decides the comparison at first.",
        )
        with st.container(horizontal=True, vertical_alignment="bottom"):
            count = st.selectbox(
                "Queries",
                [most, *(n for n in _SHORTER if n < most)],
                format_func=lambda n: amount_words(n, most),
                key=f"count_{most}",
                width=130,
            )
            workers = workers_box()
            pressed = st.button(
                "Evaluate",
                type="primary",
                icon=":material/play_arrow:",
                key="evaluate",
                disabled=not now.pipelines or not measures,
            )
            afresh = st.toggle(
                "Measure times afresh",
                key="afresh_all",
                help="Answers from the score cache come at once and have no time of their own. "
                "This asks every model again.",
            )
    limit = int(count or most)
    request = replace(every, measures=tuple(measures), limit=limit, afresh=afresh, workers=workers)
    return request, pressed


def _ahead(request: EvaluationRequest, depth: int, corpus: Corpus) -> None:
    """What providers would be asked for, and models that do not know the language: beforehand."""
    estimates = evaluate.cost_estimates(request, corpus, depth, resources.engine())
    for spec, of_stages in estimates.items():
        words = parts.literal(estimates_words(of_stages))
        st.caption(f":material/cloud: {parts.literal(spec)} asks for up to {words}.")
    for note in evaluate.notes_on_languages(request, corpus):
        st.caption(f":material/translate: {parts.literal(note)}.")


def open_experiment(experiment_id: str) -> None:
    """Show a kept experiment. Call it from a callback only."""
    st.query_params[EXPERIMENT] = experiment_id


def resume(experiment_id: str) -> None:
    """Go on with an experiment whose corpus is still the same. Call it from a callback only."""
    try:
        corpus = resources.corpus(resources.evaluation(experiment_id).design.corpus)
        evaluate.resume(experiment_id, corpus, session())
        st.query_params[EXPERIMENT] = experiment_id
    except LabError as error:
        st.session_state["evaluate_problem"] = error


def _shown(experiment_id: str, now: Screen, colours: dict[PipelineSpec, int]) -> None:
    error = st.session_state.pop("evaluate_problem", None)
    if isinstance(error, LabError):
        parts.error_card(error, key="evaluate")
    jobs = evaluate.jobs_of(experiment_id, session())
    job = running(jobs)
    if job is not None:
        watch(job)
        st.caption("You may leave: this goes on without you, and what is done is kept.")
        return
    last = next(reversed(jobs), None)
    if last is not None and last.state is JobState.FAILED and last.error is not None:
        parts.error_card(last.error, key="evaluate_job")
    try:
        evaluation = resources.evaluation(experiment_id)
    except LabError as problem:
        parts.error_card(problem, key="evaluation")
        return
    deepened = [str(at_depth(spec, now.depth)) for spec in now.pipelines]
    links = evaluation.design.pipelines
    if deepened == list(links):
        # As Compare has them on screen.
        links = tuple(map(str, now.pipelines))
    else:
        _other_pipelines(evaluation)
    known = {text: colours[spec] for text, spec in zip(deepened, now.pipelines, strict=True)}
    slots = pipeline_colours(evaluation.design.pipelines, known, len(charts.LIGHT.pipelines))
    changes.draw(evaluation)
    evaluate_results.draw(evaluation, slots, links, resume)
    questions.draw(evaluation, now)


def _other_pipelines(evaluation: Evaluation) -> None:
    """Say that the results are not of the pipelines above, and offer to put theirs there."""
    with st.container(horizontal=True, vertical_alignment="center", key="other_pipelines"):
        st.caption(
            ":material/info: Kept results of other pipelines or another depth than those above.",
            width="content",
        )
        plain = list(without_depth(evaluation.design.pipelines)[0].values())
        st.button(
            "Put theirs above",
            key="use_theirs",
            type="tertiary",
            on_click=set_pipelines,
            args=(plain,),
        )


def _colours(now: Screen) -> dict[PipelineSpec, int]:
    known: dict[PipelineSpec, int] = st.session_state.get("colours", {})
    colours = pipeline_colours(now.pipelines, known, len(charts.LIGHT.pipelines))
    st.session_state["colours"] = colours
    return colours
