"""What came of an evaluation: sentence, table, problems, queries one by one, files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import streamlit as st

from rerank_lab.core.errors import LabError
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.evaluation.experiments.columns import ResultRow
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.services import chosen_sessions
from rerank_lab.services.judge_errors import judge_errors
from rerank_lab.services.language_notes import language_notes
from rerank_lab.services.qrels import source_of
from rerank_lab.ui.compare import cards, walk
from rerank_lab.ui.evaluate import downloads
from rerank_lab.ui.evaluate import html as evaluate_html
from rerank_lab.ui.evaluate.on_screen import (
    BASELINE,
    PRIMARY,
    follow_link,
    forget_links,
    link,
)
from rerank_lab.ui.shared import parts, resources, state
from rerank_lab.ui.shared.navigation import (
    CHOOSE_PAGE,
    COMPARE_PAGE,
    EXPERIMENT,
    LABEL_PAGE,
    go_to,
)
from rerank_lab.views.evaluate import (
    EvaluateView,
    QueryLine,
    evaluate_view,
    pipeline_labels,
    query_lines,
)
from rerank_lab.views.evaluate_lines import design_line, effort_words, open_line, unanswered
from rerank_lab.views.health import kept_orders
from rerank_lab.views.own_documents import choice_of
from rerank_lab.views.query_changes import CHANGES, by_change, change_name
from rerank_lab.views.reproduce import evaluate_command

_CHANGE, _VERSUS = "queries", "versus"
"""The parameters of the link for the queries to show, and for the pipeline whose changes count."""


def draw(
    evaluation: Evaluation,
    colours: Mapping[str, int],
    links: Sequence[str],
    resume: Callable[[str], None],
) -> None:
    """All of it. `links` are the pipelines that a click on a query opens in Compare."""
    design = evaluation.design
    if walk.restore_choices(evaluation.id):
        forget_links()
    top = st.container(gap="xsmall", key="evaluate_top")
    primary, baseline = _choices(evaluation)
    view = evaluate_view(evaluation, primary, baseline)
    with top:
        st.html(cards.verdict(view.sentence))
        _choose_button(evaluation)
        st.caption(parts.literal(design_line(design, view.depth)))
    if view.pending:
        _unfinished(view, design.id, resume)
    language = _language_notes(evaluation)
    for note in language:
        st.warning(parts.literal(note), icon=":material/translate:")
    st.html(evaluate_html.table(view, colours))
    if view.basis:
        st.caption(f":material/info: {parts.literal(view.basis)}")
    if design.basis.llm_judges:
        _judge_error(evaluation, view.primary, baseline)
    for note in (note for note in view.notes if note not in language):
        st.caption(f":material/info: {parts.literal(note)}")
    for text in kept_orders(evaluation):
        st.warning(parts.literal(text), icon=":material/warning:")
    _problems(view)
    _judge_unjudged(evaluation)
    with st.container(key="evaluate_queries"):
        st.fragment(_queries)(evaluation, view, links, colours)
    downloads.draw(evaluation, view.primary, baseline)
    _run_again(evaluation)


def _choose_button(evaluation: Evaluation) -> None:
    """The way to the decision that these results are for."""
    if st.button(
        "Choose",
        key="to_choose",
        icon=":material/fact_check:",
        help="Which pipeline to take, by what you can accept: speed, price, licence and more.",
    ):
        go_to(CHOOSE_PAGE, **{EXPERIMENT: evaluation.id})


def _judge_error(evaluation: Evaluation, primary: str, baseline: str) -> None:
    """What the LLM judge's errors do to the differences, when it is asked for."""
    if not st.toggle(
        "Reckon with the LLM judge's error",
        key=f"judge_error_{evaluation.id}",
        help="Draws people's grades from the table of judge and people, and measures each time.",
    ):
        return
    labels = pipeline_labels(evaluation.design.pipelines)[0]
    with suppress(LabError):
        for spec, sentence in _error_sentences(evaluation, primary, baseline, evaluation.id):
            st.caption(f":material/balance: {parts.literal(f'{labels[spec]}: {sentence}')}")


@st.cache_data(max_entries=32, show_spinner="Drawing people's grades")
def _error_sentences(
    _evaluation: Evaluation, primary: str, baseline: str, experiment_id: str
) -> list[tuple[str, str]]:
    corpus = resources.corpus(_evaluation.design.corpus)
    errors = judge_errors(_evaluation, corpus, primary=primary, baseline=baseline)
    return [(spec, error.sentence) for spec, error in errors.items()]


def _language_notes(evaluation: Evaluation) -> tuple[str, ...]:
    """What models know no language of these texts, where the corpus is still here as it was."""
    design = evaluation.design
    with suppress(LabError):
        corpus = resources.corpus(design.corpus)
        if corpus.content_hash == design.corpus_hash:
            specs = [Pipeline(spec).spec for spec in design.pipelines]
            return language_notes(specs, corpus, design.queries)
    return ()


def _judge_unjudged(evaluation: Evaluation) -> None:
    """The way to a labelling session for what nobody judged, where the corpus is as it was."""
    design = evaluation.design
    try:
        corpus = resources.judged_corpus(design.corpus)
        if corpus.content_hash != design.corpus_hash:
            return
        count = len(chosen_sessions.unjudged_pairs(evaluation, corpus))
        if not count:
            return
        with st.container(horizontal=True, vertical_alignment="center", key="evaluate_unjudged"):
            pressed = st.button(
                f"Judge what is unjudged in these top 10s ({count:,})",
                key="judge_unjudged",
                icon=":material/grading:",
                help="Starts a labelling session with these documents, without ranks or scores. "
                "Unjudged documents count as not relevant until then.",
            )
            st.caption(effort_words(count), width="content")
        if not pressed:
            return
        session = chosen_sessions.unjudged_session(evaluation, corpus, resources.engine().home)
    except LabError as error:
        parts.error_card(error, key="unjudged")
        return
    go_to(LABEL_PAGE, session=session.session_id)


def _run_again(evaluation: Evaluation) -> None:
    """The command that gives these results, where the corpus is here and has these queries."""
    with suppress(LabError):
        design = evaluation.design
        source = source_of(design.basis)
        corpus = resources.judged_corpus(design.corpus, source=source)
        labelled = resources.labels(design.corpus).by_people
        command = evaluate_command(design, corpus, labelled=labelled)
        if command:
            with st.expander("On the command line", key="evaluate_command"):
                st.code(command, language="shell", wrap_lines=True)


def _choices(evaluation: Evaluation) -> tuple[str, str]:
    design, measures = evaluation.design, evaluation.measures_of_quality
    if len(design.pipelines) == 1 and len(measures) == 1:
        return measures[0], design.pipelines[0]
    labels = pipeline_labels(design.pipelines)[0]
    by, baseline_box = f"by_{design.id}", f"baseline_{design.id}"
    follow_link(PRIMARY, measures, by)
    follow_link(BASELINE, design.pipelines, baseline_box)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        primary = st.selectbox(
            "Compare by",
            measures,
            key=by,
            width=180,
        )
        baseline = st.selectbox(
            "Baseline",
            design.pipelines,
            format_func=lambda spec: labels[spec],
            key=baseline_box,
            width=300,
        )
    link(PRIMARY, primary, measures, by)
    link(BASELINE, baseline, design.pipelines, baseline_box)
    return primary, baseline


def _unfinished(view: EvaluateView, experiment_id: str, resume: Callable[[str], None]) -> None:
    with st.container(
        horizontal=True, vertical_alignment="center", border=True, key="evaluate_unfinished"
    ):
        st.markdown(f":material/pause_circle: {open_line(view)}")
        st.button(
            "Go on",
            key="evaluate_resume",
            icon=":material/play_arrow:",
            on_click=resume,
            args=(experiment_id,),
        )


def _problems(view: EvaluateView) -> None:
    for place, problem in enumerate(view.problems):
        with st.container(border=True, key=f"evaluate_problem_{place}", gap="xsmall"):
            st.markdown(
                f":material/error: **{parts.literal(problem.label)}** {problem.status}: "
                f"{parts.literal(problem.message)}"
            )
            st.markdown(parts.literal(problem.hint))
            st.caption("Such as " + parts.literal(", ".join(problem.examples)))


def _queries(
    evaluation: Evaluation, view: EvaluateView, links: Sequence[str], colours: Mapping[str, int]
) -> None:
    st.markdown(f"**Queries, the biggest disagreement in {parts.literal(view.primary)} first**")
    lines, compared = _chosen_queries(evaluation, view)
    walk.keep_choices(evaluation.id, _boxes(evaluation, view))

    def compare() -> None:
        clicked = st.session_state["to_compare"]
        if clicked is not None:
            state.set_query(lines[clicked["row"]].text)
            walk.begin(evaluation.id, [line.text for line in lines])
            st.session_state["corpus"] = evaluation.design.corpus
            state.set_pipelines(links)
            same_texts = resources.own_documents(evaluation.design.corpus).same_texts
            state.set_judgments(evaluation.design.corpus, evaluation.design.basis)
            state.set_own_document(choice_of(evaluation.design.queries, same_texts))
            st.session_state["leave_for_compare"] = True

    columns: dict[str, list[Any]] = {
        "Compare": ["Compare"] * len(lines),
        "Query": [line.text for line in lines],
        "Apart": [line.spread for line in lines],
    }
    for place, row in enumerate(view.rows):
        columns[row.label] = [line.values[place] for line in lines]
    for place, row in enumerate(view.rows):
        if not row.baseline:
            columns[_change_heading(row)] = [line.differences[place] for line in lines]
    columns["Not answered"] = [unanswered(line, view.rows) for line in lines]
    if not any(columns["Not answered"]):
        del columns["Not answered"]
    st.dataframe(
        columns,
        hide_index=True,
        height=min(520, 35 * (len(lines) + 1) + 3),
        column_config=_columns(view, colours, compare),
        column_order=_in_sight(list(columns), compared),
        key=f"query_table_{evaluation.id}",
        placeholder="–",
        alt=f"{view.primary} of every query in every pipeline",
    )
    if walk.came_back(evaluation.id):
        parts.scroll_to("evaluate_queries")
    if st.session_state.pop("leave_for_compare", False):
        go_to(COMPARE_PAGE)


def _boxes(evaluation: Evaluation, view: EvaluateView) -> tuple[str, ...]:
    """The keys of what a visitor has chosen of an evaluation."""
    baseline = next(row.spec for row in view.rows if row.baseline)
    names = ("by", "baseline", "changed")
    of_baseline = f"changed_pipeline_{evaluation.id}_{baseline}"
    return (*(f"{name}_{evaluation.id}" for name in names), of_baseline)


def _in_sight(names: Sequence[str], compared: ResultRow | None) -> list[str]:
    """The columns with the compared pipeline's difference before the values of all pipelines."""
    first = ["Compare", "Query", "Apart"]
    first += [_change_heading(compared)] if compared is not None else []
    return [*first, *(name for name in names if name not in first)]


def _chosen_queries(
    evaluation: Evaluation, view: EvaluateView
) -> tuple[tuple[QueryLine, ...], ResultRow | None]:
    """The queries that the filter leaves, and the pipeline that it compares with the baseline."""
    baseline = next(row.spec for row in view.rows if row.baseline)
    lines = query_lines(evaluation, view.primary, baseline)
    # Those with answers first, so that the filter does not begin with a pipeline that failed.
    places = {row.spec: place for place, row in enumerate(view.rows)}
    rows = sorted((row for row in view.rows if not row.baseline), key=lambda r: r.measured == 0)
    others = [row.spec for row in rows]
    if not others:
        return lines, None
    with st.container(horizontal=True, vertical_alignment="bottom", key="query_filter"):
        spec = others[0]
        if len(others) > 1:
            key = f"changed_pipeline_{evaluation.id}_{baseline}"
            follow_link(_VERSUS, others, key)
            spec = st.selectbox(
                "Against the baseline",
                others,
                format_func=lambda other: view.rows[places[other]].label,
                key=key,
                width=300,
            )
            link(_VERSUS, spec, others, key)
        place = places[spec]
        key = f"changed_{evaluation.id}"
        follow_link(_CHANGE, CHANGES, key)
        chosen = st.segmented_control(
            "Queries to show",
            CHANGES,
            required=True,
            format_func=lambda one: change_name(lines, one, place),
            key=key,
            label_visibility="collapsed",
        )
        change = chosen or CHANGES[0]
        link(_CHANGE, change, CHANGES, key)
    return by_change(lines, change, place), view.rows[place]


def _change_heading(row: ResultRow) -> str:
    return f"± {row.label}"


def _columns(
    view: EvaluateView, colours: Mapping[str, int], compare: Callable[[], None]
) -> dict[str, Any]:
    hues = parts.theme().pipelines
    config: dict[str, Any] = {
        row.label: st.column_config.ProgressColumn(
            row.label,
            format="%.3f",
            min_value=0,
            max_value=1,
            color=hues[colours.get(row.spec, 0)],
        )
        for row in view.rows
    }
    config |= {
        _change_heading(row): st.column_config.NumberColumn(
            _change_heading(row),
            format="%+.3f",
            width=100,
            help=f"{view.primary} against the baseline",
        )
        for row in view.rows
        if not row.baseline
    }
    config["Compare"] = st.column_config.ButtonColumn(
        "",
        on_click=compare,
        key="to_compare",
        type="tertiary",
        alignment="left",
        width=90,
        help="See this query side by side",
    )
    config["Query"] = st.column_config.TextColumn("Query", width=250)
    config["Apart"] = st.column_config.NumberColumn("Apart", format="%.3f", width=80)
    return config
