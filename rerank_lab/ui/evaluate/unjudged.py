"""What nobody judged: whether it could change the winner, and what to judge first."""

from __future__ import annotations

import streamlit as st

from rerank_lab.corpora import Corpus
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.evaluation.unjudged import FlipRisk, UnjudgedBounds
from rerank_lab.services import chosen_sessions
from rerank_lab.ui.evaluate.on_screen import (
    answer,
    compared_by,
    corpus_of,
    follow_link,
    kept_rankings,
    link,
)
from rerank_lab.ui.shared import parts, resources
from rerank_lab.ui.shared.navigation import LABEL_PAGE, go_to
from rerank_lab.ui.shared.state import Screen
from rerank_lab.views import unjudged as views
from rerank_lab.views.document_titles import Titles
from rerank_lab.views.evaluate import pipeline_labels
from rerank_lab.views.evaluate_lines import effort_words

_CHALLENGER = "challenger"
"""The parameter of the link for the pipeline that is set against the winner."""
_SESSIONS = (20, 50, 100, 200)


def draw(evaluation: Evaluation, screen: Screen) -> None:
    """The winner in each reading, the bounds, and the documents that decide."""
    primary = compared_by(evaluation)[0]
    done = answer(kept_rankings(evaluation).bounds(primary))
    if done is None:
        return
    (bounds,) = done
    if bounds is None:
        st.markdown("No judged query was answered by all pipelines yet.")
        return
    specs = evaluation.design.pipelines
    labels, brief = (pipeline_labels(specs, brief=one)[0] for one in (False, True))
    st.markdown(f"**{parts.literal(views.unjudged_sentence(bounds, brief))}**")
    if not bounds.unjudged:
        return
    st.caption(parts.literal(views.unjudged_line(bounds)))
    columns = views.bounds_table(bounds, labels)
    number = st.column_config.NumberColumn
    means = list(columns)[2:]
    st.dataframe(
        columns,
        hide_index=True,
        column_config={name: number(name, format="%.3f") for name in means},
        key="bounds_table",
    )
    if len(bounds.pipelines) > 1:
        _deciding(evaluation, bounds, primary)


def _deciding(evaluation: Evaluation, bounds: UnjudgedBounds, primary: str) -> None:
    labels = pipeline_labels(evaluation.design.pipelines)[0]
    first = views.default_challenger(bounds)
    rest = [one.pipeline for one in bounds.pipelines if one.pipeline not in (bounds.winner, first)]
    rivals = [first, *rest]
    key = f"challenger_{evaluation.id}_{primary}"
    follow_link(_CHALLENGER, rivals, key)
    challenger = st.selectbox(
        f"Which judgments could put another ahead of {parts.literal(labels[bounds.winner])}?",
        rivals,
        format_func=lambda spec: labels[spec],
        key=key,
        width=360,
    )
    link(_CHALLENGER, challenger, rivals, key)
    done = answer(kept_rankings(evaluation).flip_risk(bounds.winner, challenger, primary))
    if done is None:
        return
    (risk,) = done
    brief = pipeline_labels(evaluation.design.pipelines, brief=True)[0]
    st.markdown(parts.literal(views.risk_sentence(risk, brief)))
    if not risk.documents:
        return
    corpus = corpus_of(evaluation)
    number = st.column_config.NumberColumn("Lead shrinks by", format="%.4f")
    columns = views.risk_table(risk, evaluation, brief, Titles(corpus))
    st.dataframe(
        columns,
        hide_index=True,
        height="content" if len(risk.documents) <= 10 else 400,
        column_config={"Lead shrinks by": number},
        placeholder="–",
        key="risk_table",
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if corpus is not None:
            _judge(evaluation, risk, corpus)
        st.download_button(
            "All of them (CSV)",
            lambda: views.risk_csv(risk),
            file_name=f"{evaluation.id[:8]}-unjudged.csv",
            mime="text/csv",
            key="risk_csv",
            icon=":material/download:",
            type="tertiary",
            on_click="ignore",
        )


def _judge(evaluation: Evaluation, risk: FlipRisk, corpus: Corpus) -> None:
    """A button that starts a session with the documents that matter most."""
    total = len(chosen_sessions.deciding_pairs(risk, corpus))
    if not total:
        st.caption("All of these have been judged since. Evaluate again to count them.")
        return
    amounts = [n for n in _SESSIONS if n < total] + [total]
    most = st.selectbox(
        "Documents to judge", amounts, key=f"judge_most_{risk.challenger}", width=150
    )
    pressed = st.button(
        "Judge this document" if most == 1 else f"Judge these {most:,} documents",
        key="judge_deciding",
        icon=":material/grading:",
        help=f"{effort_words(most)}, without ranks or scores in sight",
    )
    if pressed:
        home = resources.engine().home
        session = chosen_sessions.deciding_session(evaluation, risk, corpus, home, most)
        go_to(LABEL_PAGE, session=session.session_id)
