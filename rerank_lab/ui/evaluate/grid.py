"""The same rerankers over several first stages: a job, and what came of it."""

from __future__ import annotations

import streamlit as st

from rerank_lab.charts.grid import grid_chart
from rerank_lab.core.errors import LabError
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.evaluation.grid.study import GridStudy
from rerank_lab.services import grid as grid_service
from rerank_lab.ui.evaluate import on_screen, study_files
from rerank_lab.ui.evaluate.study_jobs import at_work
from rerank_lab.ui.shared import parts, resources
from rerank_lab.ui.shared.plots import PlainFigure
from rerank_lab.ui.shared.state import Screen
from rerank_lab.ui.shared.visitor import session
from rerank_lab.views.grid import grid_view
from rerank_lab.views.hosted import estimates_words

_OFFERED = ("bm25", "dense", "rrf(bm25,dense)")


def draw(evaluation: Evaluation, screen: Screen) -> None:
    """The kept grid, or a job at work, and how to run another one."""
    if at_work(grid_service.jobs_of(evaluation.id, session()), key="grid_job"):
        return
    kept = grid_service.grid_studies(evaluation.id, resources.engine().home)
    if kept:
        _study(kept[0], evaluation)
    _begin(evaluation)


def _begin(evaluation: Evaluation) -> None:
    corpus = on_screen.corpus_of(evaluation)
    if corpus is None:
        st.caption("The corpus is no longer here as it was: no grid can be run.")
        return
    firsts, rerankers = grid_service.parts_of(evaluation)
    chosen_firsts = st.multiselect(
        "First stages",
        list(dict.fromkeys((*firsts, *_OFFERED))),
        default=list(firsts),
        key=f"grid_firsts_{evaluation.id}",
        accept_new_options=True,
    )
    chosen_rerankers = st.multiselect(
        "Rerankers",
        list(rerankers),
        default=list(rerankers),
        key=f"grid_rerankers_{evaluation.id}",
        accept_new_options=True,
    )
    measure, _ = on_screen.compared_by(evaluation)
    pressed = st.button(
        "Run the grid",
        key="grid_start",
        icon=":material/play_arrow:",
        disabled=not chosen_firsts or not chosen_rerankers,
    )
    if not chosen_firsts or not chosen_rerankers:
        st.caption("Name at least one first stage and one reranker.")
        return
    try:
        depth = grid_service.depth_of(evaluation)
        request = grid_service.request_for(chosen_firsts, chosen_rerankers, measure, depth=depth)
        if pressed:
            grid_service.start(request, evaluation, corpus, session())
            st.rerun()
        costs = grid_service.cost_estimates(request, corpus, resources.engine(), evaluation)
    except LabError as error:
        parts.error_card(error, key="grid")
        return
    for spec, of_stages in costs.items():
        words = f"{spec} asks for up to {estimates_words(of_stages)}."
        st.caption(f":material/cloud: {parts.literal(words)}")


def _study(study: GridStudy, evaluation: Evaluation) -> None:
    view = grid_view(study)
    for sentence in view.answer:
        st.markdown(parts.literal(sentence))
    for problem in view.problems:
        st.warning(parts.literal(problem), icon=":material/error:")
    theme, config = parts.theme(), {"displayModeBar": False}
    st.caption(parts.literal(study.measure))
    st.plotly_chart(
        PlainFigure(grid_chart(view, "value", theme)),
        key=f"grid_quality_{evaluation.id}",
        config=config,
    )
    if any(pair.p95 is not None for pair in study.pairs):
        st.caption("p95: 95 of 100 queries are answered within")
        st.plotly_chart(
            PlainFigure(grid_chart(view, "p95", theme)),
            key=f"grid_times_{evaluation.id}",
            config=config,
        )
    study_files.draw("grid", evaluation.id, study)
    for note in view.notes:
        st.caption(parts.literal(note))
