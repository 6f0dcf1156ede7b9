"""Where a pipeline helps and where it hurts: wins, losses, heat map, headroom, one query."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from rerank_lab.charts import figures
from rerank_lab.charts.evaluate import query_heat_chart
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.ui.evaluate.on_screen import (
    answer,
    compared_by,
    corpus_of,
    follow_link,
    kept_rankings,
    link,
)
from rerank_lab.ui.shared import parts
from rerank_lab.ui.shared.navigation import compare_button
from rerank_lab.ui.shared.plots import PlainFigure
from rerank_lab.ui.shared.state import Screen
from rerank_lab.views.document_titles import Titles
from rerank_lab.views.evaluate import pipeline_labels
from rerank_lab.views.query_panel import QueryPanel, query_panel
from rerank_lab.views.where_it_helps import (
    QueryChange,
    QueryHeat,
    headroom_sentence,
    headroom_table,
    helps_view,
    query_heat,
)

_AGAINST, _OF, _PART = "against", "of", "heat"
"""The parameters of the link: the pipeline, the query that is looked at, the part of the map."""


def draw(evaluation: Evaluation, screen: Screen) -> None:
    """The answer for one pipeline against the baseline, and one query by itself."""
    primary, baseline = compared_by(evaluation)
    titles = Titles(corpus_of(evaluation))
    if not evaluation.per_query:
        st.markdown("No judged query was answered yet: there is nothing to tell queries apart by.")
        return
    measured = [one.pipeline for one in evaluation.outcomes if one.measured]
    others = [spec for spec in measured if spec != baseline]
    if baseline in measured and others:
        _against(evaluation, primary, baseline, others, titles)
    heat = query_heat(evaluation, primary, baseline)
    if len(heat.pipelines) > 1 and heat.queries:
        _heat_map(evaluation.id, heat)
    _headroom(evaluation, primary)
    _one_query(evaluation, heat, titles)


def _heat_map(experiment_id: str, heat: QueryHeat) -> None:
    """The queries, so many at a time; a click on a cell shows its query below."""
    st.markdown(f"**{len(heat.queries):,} queries, the biggest disagreement first**")
    names, number = heat.parts, 0
    if len(names) > 1:
        key = f"heat_{experiment_id}"
        follow_link(_PART, names, key)
        part = st.selectbox("Queries", names, key=key, width=200)
        link(_PART, part, names, key)
        number = names.index(part)
    st.plotly_chart(
        PlainFigure(query_heat_chart(heat.part(number), parts.theme())),
        key="query_heat",
        config={"displayModeBar": False},
        on_select=_look_at_cell,
        selection_mode="points",
        alt=f"{heat.measure} of every query in every pipeline",
    )
    st.caption("Click a cell to look at its query below.")


def _look_at_cell() -> None:
    points = st.session_state["query_heat"]["selection"]["points"]
    if points:
        _look_at(points[0]["customdata"][0])


def _against(
    evaluation: Evaluation, primary: str, baseline: str, others: Sequence[str], titles: Titles
) -> None:
    labels = pipeline_labels(evaluation.design.pipelines)[0]
    top = st.container()
    pipeline = others[0]
    if len(others) > 1:
        key = f"against_{evaluation.id}_{baseline}"
        follow_link(_AGAINST, others, key)
        pipeline = st.selectbox(
            f"Against {parts.literal(labels[baseline])}",
            others,
            format_func=lambda spec: labels[spec],
            key=key,
            width=360,
        )
        link(_AGAINST, pipeline, others, key)
    view = helps_view(evaluation, primary, baseline, pipeline, titles)
    top.markdown(f"**{parts.literal(view.sentence)}**")
    wins, losses = st.columns(2)
    with wins:
        _changes("wins", view.wins)
    with losses:
        _changes("losses", view.losses)


def _changes(kind: str, changes: Sequence[QueryChange]) -> None:
    st.markdown(f"**Largest {kind}**")
    if not changes:
        st.caption("None.")
    for change in changes:
        with st.container(gap=None, key=f"{kind}_{change.query_id}"):
            st.button(
                f"{change.words} {parts.literal(change.text)}",
                key=f"look_{kind}_{change.query_id}",
                type="tertiary",
                help="Look at this query below",
                on_click=_look_at,
                args=(change.query_id,),
            )
            for one in change.documents:
                st.caption(
                    f"{one.words} · grade {one.grade} · {parts.literal(one.title)}",
                )


def _look_at(query_id: str) -> None:
    st.query_params[_OF] = query_id


def _headroom(evaluation: Evaluation, primary: str) -> None:
    done = answer(kept_rankings(evaluation).headroom(primary))
    if done is None or not done[0]:
        return
    (rows,) = done
    brief = pipeline_labels(evaluation.design.pipelines, brief=True)[0]
    st.markdown("**What is left to gain**")
    st.markdown(parts.literal(headroom_sentence(rows, brief)))
    number = st.column_config.NumberColumn
    columns = headroom_table(rows, pipeline_labels(evaluation.design.pipelines)[0])
    formats = {name: number(name, format="%.3f") for name in list(columns)[1:5]}
    formats["Relevant among candidates"] = number("Relevant among candidates", format="%.0f %%")
    formats["Candidates"] = number("Candidates", format="%.0f")
    st.dataframe(columns, hide_index=True, column_config=formats, key="headroom_table")


def _one_query(evaluation: Evaluation, heat: QueryHeat, titles: Titles) -> None:
    if not heat.query_ids:
        return
    texts = dict(zip(heat.query_ids, heat.queries, strict=True))
    linked = str(st.query_params.get(_OF, ""))
    key, options = f"one_query_{evaluation.id}", ["", *heat.query_ids]
    follow_link(_OF, options, key)
    st.session_state[key] = st.session_state[key] or None
    with st.container(key="one_query"):
        query_id = st.selectbox(
            "One query by itself",
            heat.query_ids,
            index=None,
            placeholder="Choose a query",
            format_func=lambda one: texts[one],
            key=key,
        )
        link(_OF, query_id or "", options, key)
        if not query_id:
            return
        panel = query_panel(evaluation, query_id, titles)
        if panel is not None:
            _panel(panel, evaluation)
    if linked:
        parts.bring_into_sight("one_query", once_for=query_id)


def _panel(panel: QueryPanel, evaluation: Evaluation) -> None:
    st.markdown(f"#### {parts.literal(panel.text)}")
    st.caption(parts.literal(" · ".join(filter(None, (panel.sentence, panel.tags)))))
    number = st.column_config.NumberColumn
    st.dataframe(
        panel.measures,
        hide_index=True,
        column_config={n: number(n, format="%.3f") for n in list(panel.measures)[1:]},
        placeholder="–",
        key="query_measures",
    )
    if panel.chart is not None:
        chart = figures.bump_chart(panel.chart, parts.theme())
        st.plotly_chart(PlainFigure(chart), key="query_bump", config={"displayModeBar": False})
    st.dataframe(
        panel.documents,
        hide_index=True,
        height="content" if len(panel.documents["Document"]) <= 10 else 400,
        column_config={"Document": st.column_config.TextColumn("Document", width=360)},
        placeholder="–",
        key="query_documents",
    )
    compare_button(
        "Run this query on Compare", "query_compare", corpus=evaluation.design.corpus,
        query=panel.text,
    )  # fmt: skip
