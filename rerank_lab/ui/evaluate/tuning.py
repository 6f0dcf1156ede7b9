"""Options of a pipeline searched on one half of the queries: a job, and what came of it."""

from __future__ import annotations

import streamlit as st

from rerank_lab.core.errors import LabError
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.corpora import Corpus
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.evaluation.tuning.options import OptionRange, offered_ranges
from rerank_lab.evaluation.tuning.study import SearchStudy
from rerank_lab.services import tuning
from rerank_lab.services.own_pipelines import own_pipelines
from rerank_lab.services.tuning import SearchRequest
from rerank_lab.ui.evaluate import on_screen, study_files
from rerank_lab.ui.evaluate.study_jobs import at_work
from rerank_lab.ui.shared import parts, resources
from rerank_lab.ui.shared.state import Screen
from rerank_lab.ui.shared.visitor import session
from rerank_lab.views.evaluate import pipeline_labels
from rerank_lab.views.tuning import range_words, search_view


def draw(evaluation: Evaluation, screen: Screen) -> None:
    """The kept search, or a job at work, and how to start another one."""
    if at_work(tuning.jobs_of(evaluation.id, session()), key="search_job"):
        return
    kept = tuning.search_studies(evaluation.id, resources.engine().home)
    if kept:
        _study(kept[0], evaluation)
    corpus = on_screen.corpus_of(evaluation)
    if corpus is None:
        st.caption("The corpus is no longer here as it was: nothing can be searched.")
        return
    _begin(evaluation, corpus)


def _begin(evaluation: Evaluation, corpus: Corpus) -> None:
    labels = pipeline_labels(evaluation.design.pipelines)[0]
    offered = {spec: offered_ranges(spec) for spec in own_pipelines(evaluation)}
    specs = [spec for spec, ranges in offered.items() if ranges]
    if not specs:
        st.caption("No pipeline here has an option worth a search: no fusion and no reranker.")
        return
    start = st.selectbox(
        "Pipeline",
        specs,
        format_func=lambda spec: labels.get(str(spec), str(spec)),
        key=f"search_start_{evaluation.id}",
    )
    ranges = st.multiselect(
        "Options to search",
        offered[start],
        default=list(offered[start][:2]),
        format_func=range_words,
        key=f"search_ranges_{evaluation.id}_{start}",
    )
    _button(evaluation, corpus, start, tuple(ranges))


def _button(
    evaluation: Evaluation, corpus: Corpus, start: PipelineSpec, ranges: tuple[OptionRange, ...]
) -> None:
    measure, _ = on_screen.compared_by(evaluation)
    request = SearchRequest(start, ranges, measure)
    pressed = st.button(
        "Search", key="search_begin", icon=":material/play_arrow:", disabled=not ranges
    )
    if not ranges:
        st.caption("Choose an option to search.")
        return
    try:
        design = tuning.designed(request, corpus, evaluation)
        if pressed:
            tuning.start(request, evaluation, corpus, session())
            st.rerun()
    except LabError as error:
        parts.error_card(error, key="search")
        return
    train, held_out = design.split()
    st.caption(
        f"{len(design.candidates()):,} settings on {len(train)} train queries; the best one is "
        f"reported on {len(held_out)} others. For other options and values: `rerank-lab tune`."
    )


def _study(study: SearchStudy, evaluation: Evaluation) -> None:
    view = search_view(study)
    for place, sentence in enumerate(view.answer):
        text = parts.literal(sentence)
        st.markdown(text if place else f"**{text}**")
    st.code(view.pipeline, language=None, wrap_lines=True)
    with st.expander("Best settings on the train queries"):
        st.dataframe(
            {
                "Settings": [settings for settings, _ in view.rows],
                f"{study.measure}, train": [value for _, value in view.rows],
            },
            hide_index=True,
            key=f"search_trials_{evaluation.id}",
            alt="Settings that were tried, the best first",
        )
    study_files.draw("tuning", evaluation.id, study)
    for note in view.notes:
        st.caption(parts.literal(note))
