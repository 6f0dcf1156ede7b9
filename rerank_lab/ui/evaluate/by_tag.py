"""Results by tag of the queries, and means in which tags count by their shares."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from rerank_lab.charts.evaluate import tag_chart
from rerank_lab.evaluation.by_tag import (
    ByTag,
    WeightedMean,
    column_weights,
    groups_of,
    weighted_means,
)
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.evaluation.query_tags import TagGroup
from rerank_lab.services.query_columns import with_query_columns
from rerank_lab.ui.evaluate.on_screen import (
    answer,
    colours,
    compared_by,
    corpus_of,
    follow_link,
    kept_rankings,
    link,
    stamp,
)
from rerank_lab.ui.shared import parts
from rerank_lab.ui.shared.plots import PlainFigure
from rerank_lab.ui.shared.state import Screen
from rerank_lab.views import by_tag as views
from rerank_lab.views.evaluate import pipeline_labels

_GROUP = "group"
"""The parameter of the link for the group of tags."""


def draw(evaluation: Evaluation, screen: Screen) -> None:
    """One group of tags: the sentence, the table, the chart, and weights."""
    if not evaluation.common:
        st.markdown("No judged query was answered by all pipelines yet.")
        return
    corpus = corpus_of(evaluation)
    if corpus is not None:
        evaluation = with_query_columns(evaluation, corpus)
    groups = {group.name: group for group in groups_of(evaluation)}
    if not groups:
        st.markdown(
            "Nothing groups these queries. Add a column to the query file that repeats, such as "
            "intent or language, or tags with a query set."
        )
        return
    primary, baseline = compared_by(evaluation)
    top = st.container()
    names = list(groups)
    key = f"group_{evaluation.id}"
    follow_link(_GROUP, names, key)
    chosen = st.segmented_control(
        "Group by",
        names,
        required=True,
        format_func=parts.literal,
        key=key,
    )
    name = chosen or names[0]
    link(_GROUP, name, names, key)
    done = answer(kept_rankings(evaluation).by_tag(name, primary, baseline))
    if done is None:
        return
    _answer(done[0], evaluation, colours(evaluation, screen), top)
    _weights(evaluation, groups[name], primary, baseline)


def _answer(
    result: ByTag,
    evaluation: Evaluation,
    slots: Mapping[str, int],
    top: st.delta_generator.DeltaGenerator,
) -> None:
    specs = evaluation.design.pipelines
    labels, brief = (pipeline_labels(specs, brief=one)[0] for one in (False, True))
    top.markdown(f"**{parts.literal(views.tag_sentence(result, brief))}**")
    table = views.tag_table(result, labels)
    number = st.column_config.NumberColumn
    st.dataframe(
        table.columns,
        hide_index=True,
        column_config={name: number(name, format="%.3f") for name in table.measures},
        key=f"tag_table_{result.group}",
        placeholder="–",
        height="content" if len(result.tags) <= 12 else 460,
    )
    if table.differences:
        st.caption(
            f"{parts.literal(result.measure)}; ± is against "
            f"{parts.literal(labels[result.baseline])} with its 95 % interval; \\* marks a "
            "Holm-corrected p below 0.05 over the whole table."
        )
    if words := views.few_words(result):
        st.warning(parts.literal(words), icon=":material/warning:")
    if table.differences:
        st.plotly_chart(
            PlainFigure(tag_chart(result, brief, slots, parts.theme())),
            key=f"tag_chart_{result.group}",
            config={"displayModeBar": False},
        )
    for line in views.crossover_lines(result, brief):
        st.caption(f":material/swap_vert: {parts.literal(line)}")


def _weights(evaluation: Evaluation, group: TagGroup, primary: str, baseline: str) -> None:
    with st.expander("Weigh the tags", key=f"weigh_{group.name}"):
        own = column_weights(evaluation)
        if own and st.toggle("By the column weight of the queries", key="own_weights"):
            weights = own
        else:
            columns = st.columns(min(4, len(group.tags)))
            shares = {
                tag: columns[place % len(columns)].number_input(
                    f"{parts.literal(tag)}, %",
                    0.0,
                    100.0,
                    share,
                    5.0,
                    key=f"share_{group.name}_{tag}",
                )
                for place, (tag, share) in enumerate(views.default_shares(group).items())
            }
            weights = group.weights(shares)
        means = _weighted(evaluation, weights, primary, baseline, stamp(evaluation))
        st.caption(parts.literal(views.effective_words(means)))
        labels = pipeline_labels(evaluation.design.pipelines)[0]
        number = st.column_config.NumberColumn("Weighted mean", format="%.3f")
        st.dataframe(
            views.weighted_table(means, labels, baseline),
            hide_index=True,
            column_config={"Weighted mean": number},
            key=f"weighted_{group.name}",
        )


@st.cache_data(max_entries=32, show_spinner="Weighing")
def _weighted(
    _evaluation: Evaluation, weights: dict[str, float], primary: str, baseline: str, stamp: str
) -> tuple[WeightedMean, ...]:
    return weighted_means(_evaluation, weights, primary, baseline)
