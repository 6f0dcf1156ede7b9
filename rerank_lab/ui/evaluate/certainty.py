"""How sure the verdict is: other measures, queries that would be needed, claims with a margin."""

from __future__ import annotations

import math
from contextlib import suppress

import streamlit as st

from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.evaluation.sensitivity import OTHER_MEASURES
from rerank_lab.ui.evaluate.on_screen import answer, compared_by, kept_rankings, stamp
from rerank_lab.ui.shared import parts
from rerank_lab.ui.shared.state import Screen
from rerank_lab.views import certainty as views
from rerank_lab.views.evaluate import pipeline_labels

_MARGIN = "margin"
"""The parameter of the link for the margin."""


def draw(evaluation: Evaluation, screen: Screen) -> None:
    """Sensitivity, claims with a margin, and queries needed."""
    primary, baseline = compared_by(evaluation)
    if not _winners(evaluation, primary):
        return
    labels = pipeline_labels(evaluation.design.pipelines)[0]
    st.markdown("**Not worse, or better, by a margin**")
    margin = _margin()
    st.dataframe(
        _claims(evaluation, primary, baseline, margin, labels, stamp(evaluation)),
        hide_index=True,
        key="margin_table",
    )
    st.caption(
        "Shown: the 95 % interval and a one-sided test (2.5 %, Holm-corrected over the pipelines) "
        "agree. Not shown is not refuted."
    )
    if few := views.few_words(len(evaluation.common)):
        st.caption(f":material/info: {few}")
    st.markdown("**Queries that would be needed**")
    st.dataframe(
        _needed(evaluation, primary, baseline, labels, stamp(evaluation)),
        hide_index=True,
        key="needed_table",
        placeholder="–",
    )
    st.caption(
        "If the true difference is the one seen here: queries for a test at 5 %, corrected for the "
        "comparisons made, to find it four times in five. The difference seen is uncertain itself: "
        "where the true one is half as large, it takes four times as many."
    )


def _winners(evaluation: Evaluation, primary: str) -> bool:
    """Who wins by which measure; False where there is nothing to compare, or not yet."""
    brief = pipeline_labels(evaluation.design.pipelines, brief=True)[0]
    top = st.container(gap="xsmall")
    with st.expander("Look at other measures", key="other_measures"):
        usual = list(dict.fromkeys([*evaluation.design.measures, *OTHER_MEASURES]))
        measures = st.multiselect(
            "Measures to look at",
            usual,
            default=usual,
            key=f"sensitivity_{evaluation.id}",
            accept_new_options=True,
            help="From the rankings that were kept: nothing is run again.",
        )
    with top:
        done = answer(kept_rankings(evaluation).sensitivity(primary, tuple(measures) or (primary,)))
    if done is None:
        return False
    (result,) = done
    if result is None:
        top.markdown("This needs two pipelines that answered two judged queries or more.")
        return False
    top.markdown(f"**{parts.literal(views.sensitivity_sentence(result, brief))}**")
    top.dataframe(
        views.sensitivity_table(result, brief),
        hide_index=True,
        column_config={"Ahead by": st.column_config.NumberColumn("Ahead by", format="%.3f")},
        key="sensitivity_table",
        height="content",
    )
    return True


def _margin() -> float:
    linked = views.MARGIN
    with suppress(ValueError):
        linked = float(st.query_params.get(_MARGIN, ""))
    margin = st.number_input(
        "Margin",
        0.0,
        1.0,
        linked if math.isfinite(linked) and 0 <= linked <= 1 else views.MARGIN,
        0.005,
        format="%.3f",
        key="margin_input",
        width=160,
    )
    if margin == views.MARGIN:
        st.query_params.pop(_MARGIN, None)
    else:
        st.query_params[_MARGIN] = f"{margin:g}"
    return margin


@st.cache_data(max_entries=16, show_spinner="Testing")
def _claims(
    _evaluation: Evaluation,
    primary: str,
    baseline: str,
    margin: float,
    labels: dict[str, str],
    stamp: str,
) -> dict[str, list[object]]:
    return views.margin_table(_evaluation, primary, baseline, margin, labels)


@st.cache_data(max_entries=16, show_spinner="Testing")
def _needed(
    _evaluation: Evaluation, primary: str, baseline: str, labels: dict[str, str], stamp: str
) -> dict[str, list[object]]:
    return views.needed_table(_evaluation, primary, baseline, labels)
