"""The evaluation on screen against another kept one, query by query."""

from __future__ import annotations

import streamlit as st

from rerank_lab.evaluation.experiments import Evaluation, ExperimentEntry
from rerank_lab.evaluation.experiments.across import AcrossComparison
from rerank_lab.evaluation.experiments.store import ExperimentRecord, RecordState
from rerank_lab.services.experiments import AcrossRequest, ExperimentFilter, listed
from rerank_lab.ui.evaluate.on_screen import compared_by
from rerank_lab.ui.shared import parts, resources
from rerank_lab.ui.shared.state import Screen
from rerank_lab.views.across import across_view, entry_name

NAME = "across"
"""Of this question in the link."""
OTHER = "with"
"""The URL parameter that holds the id of the evaluation to compare with."""


def draw(evaluation: Evaluation, _screen: Screen) -> None:
    """Choose another evaluation of the corpus, and how its pipelines do against the baseline."""
    every = {e.id: e for e in listed(ExperimentFilter(archived=True), resources.engine().home)}
    linked = str(st.query_params.get(OTHER, ""))
    others = [entry for entry in every.values() if _offered(entry, evaluation, linked)]
    if not others:
        st.caption(f"No other evaluation of {parts.literal(evaluation.design.corpus)} is kept.")
        return
    ids = [entry.id for entry in others]
    other = st.selectbox(
        "The other evaluation",
        ids,
        index=ids.index(linked) if linked in ids else None,
        format_func=lambda one: entry_name(every[one]),
        placeholder="Choose one",
        key=f"across_{evaluation.id}",
    )
    if other is None:
        st.query_params.pop(OTHER, None)
        return
    st.query_params[OTHER] = other
    measure, baseline = compared_by(evaluation)
    home = resources.engine().home
    states = [ExperimentRecord(one, home).state() for one in (evaluation.id, other)]
    comparison = _comparison(
        AcrossRequest(evaluation.id, other, measure, baseline), evaluation, (states[0], states[1])
    )
    view = across_view(comparison)
    st.markdown(f"**{parts.literal(view.sentence)}**")
    st.dataframe(
        {
            "Pipeline": [row.pipeline for row in view.rows],
            comparison.measure: [row.mean for row in view.rows],
            "Difference": [row.difference for row in view.rows],
            "95 %": [row.interval for row in view.rows],
            "Test": [row.p for row in view.rows],
            "Queries": [row.wins for row in view.rows],
        },
        hide_index=True,
        column_config={comparison.measure: st.column_config.NumberColumn(format="%.3f")},
        alt="Pipelines of the other evaluation against the baseline of this one",
    )
    for note in view.notes:
        st.caption(parts.literal(note))
    st.caption(
        "Each pipeline of the other evaluation against the baseline here, on the queries that both "
        "answered: randomisation test, corrected by Holm for the rows; bootstrap intervals."
    )


def _offered(entry: ExperimentEntry, evaluation: Evaluation, linked: str) -> bool:
    if entry.id == evaluation.id:
        return False
    same_corpus = entry.design.corpus == evaluation.design.corpus
    return entry.id == linked or (same_corpus and not entry.archived)


@st.cache_data(max_entries=16, show_spinner="Comparing")
def _comparison(
    request: AcrossRequest, _evaluation: Evaluation, states: tuple[RecordState, RecordState]
) -> AcrossComparison:
    return request.between(_evaluation, resources.evaluation(request.other_id))
