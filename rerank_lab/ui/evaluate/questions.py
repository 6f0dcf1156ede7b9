"""Deeper questions about the results on screen: one at a time, drawn when it is opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from rerank_lab.core.errors import LabError
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.ui.evaluate import (
    across,
    by_tag,
    certainty,
    cost,
    depth,
    grid,
    helps,
    load,
    rag,
    robustness,
    tuning,
    unjudged,
)
from rerank_lab.ui.evaluate.on_screen import follow_link, link
from rerank_lab.ui.shared import parts
from rerank_lab.ui.shared.state import Screen

QUESTION = "question"
"""The URL parameter that holds the name of the open question."""


@dataclass(frozen=True, slots=True)
class DeeperQuestion:
    """One question on Evaluate.

    Attributes:
        name: in the URL.
        title: on its button.
        sentence: what it answers, under the buttons while it is open.
        draw: draws the answer; whatever takes longer than a second is a job.
    """

    name: str
    title: str
    sentence: str
    draw: Callable[[Evaluation, Screen], None]


QUESTIONS: tuple[DeeperQuestion, ...] = (
    DeeperQuestion(
        "helps",
        "Where it helps and hurts",
        "Which queries a pipeline answers better or worse, why, and what is left to gain.",
        helps.draw,
    ),
    DeeperQuestion(
        "tags",
        "By tag",
        "Whether another pipeline is better for some kinds of queries.",
        by_tag.draw,
    ),
    DeeperQuestion(
        "unjudged",
        "Unjudged documents",
        "Whether documents that nobody judged could change the winner, and which to judge first.",
        unjudged.draw,
    ),
    DeeperQuestion(
        "certainty",
        "How sure is it",
        "Whether the winner depends on the measure, and what these queries can show.",
        certainty.draw,
    ),
    DeeperQuestion(
        "robustness",
        "Small changes",
        "Do the rankings hold when queries are mistyped, in capitals or negated, and when "
        "documents are cut, shuffled, or ask to be ranked first?",
        robustness.draw,
    ),
    DeeperQuestion(
        "rag",
        "Context for an LLM",
        "What stands in the first few documents that a language model is given, and does reranking "
        "help it?",
        rag.draw,
    ),
    DeeperQuestion(
        "load",
        "Latency under load",
        "How fast is it when queries arrive whether or not the last one is answered, and how many "
        "a second can it take?",
        load.draw,
    ),
    DeeperQuestion(
        "cost",
        "What it costs",
        "What do these pipelines cost at your load, and from how many queries a month is your own "
        "hardware cheaper than a provider?",
        cost.draw,
    ),
    DeeperQuestion(
        "depth",
        "Depth",
        "How many candidates should be reranked, and does it harm to rerank more?",
        depth.draw,
    ),
    DeeperQuestion(
        across.NAME,
        "Against another evaluation",
        "Are the pipelines of an evaluation from before better than the baseline here?",
        across.draw,
    ),
    DeeperQuestion(
        "grid",
        "First stages",
        "Which reranker adds up with which first stage, and where is the first stage the limit?",
        grid.draw,
    ),
    DeeperQuestion(
        "search",
        "Better options",
        "Do other weights, cut-offs or ways with long documents rank better? Chosen on one half of "
        "the queries, reported on the other.",
        tuning.draw,
    ),
)


def draw(evaluation: Evaluation, screen: Screen) -> None:
    """The buttons of all questions, and the answer to the open one."""
    if not QUESTIONS or not evaluation.cells:
        return
    by_name = {question.name: question for question in QUESTIONS}
    st.markdown("**Look deeper**")
    key = f"question_{evaluation.id}"
    options = ["", *by_name]
    follow_link(QUESTION, options, key)
    st.session_state[key] = st.session_state[key] or None
    name = st.pills(
        "Look deeper",
        list(by_name),
        format_func=lambda one: by_name[one].title,
        key=key,
        label_visibility="collapsed",
    )
    link(QUESTION, name or "", options, key)
    if not name:
        return
    question = by_name[name]
    with st.container(border=True, key=f"question_{name}"):
        st.caption(parts.literal(question.sentence))
        try:
            question.draw(evaluation, screen)
        except LabError as error:
            parts.error_card(error, key=f"question_{name}")
