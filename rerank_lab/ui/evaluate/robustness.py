"""Which rankings hold when queries and documents change a little: a question below the results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from rerank_lab.core.errors import LabError
from rerank_lab.corpora import Corpus
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.evaluation.robustness.study import RobustnessStudy
from rerank_lab.services import robustness
from rerank_lab.services.evaluated_corpus import evaluated_corpus
from rerank_lab.ui.compare.cards import escape
from rerank_lab.ui.evaluate import study_files
from rerank_lab.ui.evaluate.language_model import language_model
from rerank_lab.ui.evaluate.on_screen import compared_by
from rerank_lab.ui.evaluate.study_jobs import at_work
from rerank_lab.ui.shared import parts, resources
from rerank_lab.ui.shared.state import Screen
from rerank_lab.ui.shared.visitor import session
from rerank_lab.views.hosted import estimates_words
from rerank_lab.views.robustness import (
    PerturbationGroup,
    RobustnessView,
    example_lines,
    robustness_view,
    sample_words,
)

_SIZES = (10, 30, 60, 120)


def draw(evaluation: Evaluation, screen: Screen) -> None:
    """Set up, progress, and what came of it."""
    if at_work(robustness.jobs_of(evaluation.id, session()), key="robustness_job"):
        return
    try:
        kept_studies = robustness.robustness_studies(evaluation.id, resources.engine().home)
        _setup(evaluation, screen, again=bool(kept_studies))
    except LabError as error:
        parts.error_card(error, key="robustness")
        return
    if kept_studies:
        _results(kept_studies[0], evaluation.id)


def _setup(evaluation: Evaluation, screen: Screen, *, again: bool) -> None:
    opened = resources.corpus(evaluation.design.corpus, screen.exclude_identical)
    corpus = evaluated_corpus(evaluation, opened)
    most = len(corpus.queries)
    sizes = sorted({most, *(size for size in _SIZES if size < most)})
    with st.container(horizontal=True, vertical_alignment="bottom", key="robustness_setup"):
        size = st.selectbox(
            "Queries",
            sizes,
            index=sizes.index(min(robustness.QUERIES, most)) if most else None,
            format_func=lambda count: sample_words(count, most),
            key=f"robustness_queries_{most}",
            width=130,
            help="Drawn at random, always the same. Each is asked again for every change.",
        )
        pressed = st.button(
            "Try again" if again else "Try small changes",
            type="secondary" if again else "primary",
            icon=":material/play_arrow:",
            key="robustness_start",
        )
    measure, _ = compared_by(evaluation)
    request = replace(robustness.request_for(evaluation, measure), queries=int(size or most))
    rewriting = language_model(
        "robustness",
        "Let a language model say the queries in other words",
        "One change more. The queries leave the house unless the endpoint is yours.",
        lambda model: robustness.rewriting_estimate(
            replace(request, rewriting=model), corpus, resources.engine()
        ),
    )
    request = replace(request, rewriting=rewriting)
    _estimate(request, corpus, screen.depth)
    if pressed:
        robustness.start(request, evaluation.id, corpus, session())
        st.rerun()


def _estimate(request: robustness.RobustnessRequest, corpus: Corpus, depth: int) -> None:
    """What providers would be asked for."""
    estimates = robustness.cost_estimates(request, corpus, depth, resources.engine())
    for spec, of_stages in estimates.items():
        words = parts.literal(estimates_words(of_stages))
        st.caption(f":material/cloud: {parts.literal(spec)} asks for up to {words}.")


def _results(study: RobustnessStudy, experiment_id: str) -> None:
    view = robustness_view(study)
    st.markdown("\n".join(f"- {parts.literal(sentence)}" for sentence in view.answer))
    for title, groups in (
        ("The query is rewritten", view.of_queries),
        ("The documents are changed", view.of_documents),
    ):
        if any(group.rows for group in groups):
            st.markdown(f"**{title}**")
            st.html(table(groups, study.measure))
    _examples(view)
    for note in view.notes:
        st.caption(parts.literal(note))
    study_files.draw("robustness", experiment_id, study)


def _examples(view: RobustnessView) -> None:
    """What happened to one query, for the change that is chosen."""
    groups = {
        group.name: group
        for group in (*view.of_queries, *view.of_documents)
        if any(row.examples for row in group.rows)
    }
    if not groups:
        return
    name = st.selectbox(
        "Examples",
        list(groups),
        format_func=lambda one: groups[one].title,
        key="robustness_examples",
        width=320,
    )
    group = groups.get(str(name))
    if group is not None:
        source = f" After {group.source}." if group.source else ""
        st.caption(parts.literal(f"{group.sentence}{source}"))
        st.html(example_table(group))


def table(groups: Sequence[PerturbationGroup], measure: str) -> str:
    """A row for each change and pipeline. Every text is escaped."""
    heads = (
        "Change", "Pipeline", measure, "Holm p", "First ten move", "RBO", "Tau", "Other first",
        "Changed document",
    )  # fmt: skip
    numbers = {"Holm p", "First ten move", "RBO", "Tau", "Other first", measure}
    head = "".join(
        f'<th scope="col"{_NUMBER if text in numbers else _TEXT}>{escape(text)}</th>'
        for text in heads
        if text != "Changed document" or any(row.target for group in groups for row in group.rows)
    )
    with_target = "Changed document" in head
    body = "".join(_group(group, with_target) for group in groups)
    return (
        '<div class="rl-strip"><table class="rl-table rl-changes"><thead><tr>'
        f"{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


_NUMBER = ' class="rl-n"'
_TEXT = ' style="text-align:left;min-width:8rem"'
_WIDE = ' style="min-width:8rem"'


def _group(group: PerturbationGroup, with_target: bool) -> str:
    lines = []
    for place, row in enumerate(group.rows):
        span = f'scope="rowgroup" rowspan="{len(group.rows)}"'
        first = f"<th {span}{_WIDE}>{escape(group.title)}</th>"
        difference = (
            f"<b>{escape(row.difference)}</b>" if row.significant else escape(row.difference)
        )
        target = f"<td{_TEXT}>{escape(row.target)}</td>" if with_target else ""
        note = f'<div class="rl-ledger">{escape(row.note)}</div>' if row.note else ""
        lines.append(
            f"<tr>{'' if place else first}<td{_WIDE}>{escape(row.label)}{note}</td>"
            f"<td{_NUMBER}>{difference}</td><td{_NUMBER}>{escape(row.p)}</td>"
            f"<td{_NUMBER}>{escape(row.moved)}</td><td{_NUMBER}>{escape(row.overlap)}</td>"
            f"<td{_NUMBER}>{escape(row.tau)}</td><td{_NUMBER}>{escape(row.top_changed)}</td>"
            f"{target}</tr>"
        )
    return "".join(lines)


def example_table(group: PerturbationGroup) -> str:
    """The most telling queries of a change, with a document of each. Every text is escaped."""
    body = "".join(
        f"<tr><td{_WIDE}>{escape(row.label)}</td>"
        + "".join(
            f"<td{_TEXT}>{''.join(f'<div>{escape(line)}</div>' for line in lines)}</td>"
            for lines in example_lines(example)
        )
        + "</tr>"
        for row in group.rows
        for example in row.examples
    )
    return (
        '<div class="rl-strip"><table class="rl-table"><thead><tr><th scope="col">Pipeline</th>'
        f'<th scope="col">Query</th><th scope="col"{_TEXT}>Document</th>'
        f'<th scope="col"{_TEXT}>Rank</th></tr></thead><tbody>{body}</tbody></table></div>'
    )
