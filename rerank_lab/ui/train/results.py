"""What came of a training: the answer, what the model goes by, folds; and the models kept."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from rerank_lab.charts.train import SHOWN as BARS
from rerank_lab.charts.train import importance_chart
from rerank_lab.core.errors import LabError
from rerank_lab.fusion.learned.model import LearnedModel
from rerank_lab.services.access import Action, may
from rerank_lab.services.train import delete
from rerank_lab.ui.compare import cards
from rerank_lab.ui.shared import parts
from rerank_lab.ui.shared.navigation import compare_button
from rerank_lab.ui.shared.plots import PlainFigure
from rerank_lab.ui.shared.state import Screen
from rerank_lab.views.formatting import older_words
from rerank_lab.views.train import TrainView, flatters, model_line, train_view

SHOWN = "model"
"""The URL parameter that holds the name of the model on screen."""
_LISTED = 12


def draw(model: LearnedModel, now: Screen) -> None:
    """The answer first, then why, then the figures behind it."""
    view = train_view(model)
    with st.container(gap="xsmall", key="train_top"):
        st.html(cards.verdict(view.sentence))
        st.caption(parts.literal(view.facts))
        for note in view.notes:
            st.caption(f":material/info: {parts.literal(note)}")
    with st.container(horizontal=True, vertical_alignment="center", key="train_use"):
        compare_button(
            "Use in Compare",
            "train_compare",
            corpus=model.origin.corpus,
            pipelines=tuple(dict.fromkeys((*now.pipelines[-5:], model.spec))),
            primary=True,
        )
        st.code(model.spec, language=None, wrap_lines=True)
    st.caption(f":material/info: {flatters(model)}")
    with st.grid("auto", min_column_width=380):
        with st.container(key="train_importances"):
            st.markdown("**What the model goes by** · share of the gain of its splits")
            if view.importances:
                st.plotly_chart(
                    PlainFigure(importance_chart(view.importances, parts.theme())),
                    key=f"importances_{model.name}",
                    config={"displayModeBar": False},
                    width="stretch",
                )
                _left_over(view)
        with st.container(key="train_tables"):
            st.markdown(f"**{parts.literal(view.measure)} on queries not seen**")
            _rungs(view)
            st.caption(parts.literal(view.method))
            _folds(view)
    with st.expander("Every feature alone"):
        st.dataframe(
            {
                "Feature": [name for name, _ in view.features],
                view.measure: [value for _, value in view.features],
            },
            hide_index=True,
            width="content",
            column_config={view.measure: st.column_config.NumberColumn(format="%.3f")},
            key="train_features",
        )


def _left_over(view: TrainView) -> None:
    more = len(view.importances) - BARS
    if more > 0:
        st.caption(f"{more} more features count for less.")


def _rungs(view: TrainView) -> None:
    st.dataframe(
        {
            "Ranked by": [one.name for one in view.rungs],
            view.measure: [one.mean for one in view.rungs],
            "Model against it": [one.against for one in view.rungs],
        },
        hide_index=True,
        column_config={view.measure: st.column_config.NumberColumn(format="%.3f")},
        key="train_rungs",
    )


def _folds(view: TrainView) -> None:
    number = st.column_config.NumberColumn(format="%.3f")
    st.dataframe(
        {
            "Fold": list(range(1, len(view.folds) + 1)),
            "Queries": [fold.queries for fold in view.folds],
            "Model": [fold.model for fold in view.folds],
            view.best: [fold.signal for fold in view.folds],
            "Order before": [fold.before for fold in view.folds],
        },
        hide_index=True,
        column_config={"Model": number, view.best: number, "Order before": number},
        key="train_folds_table",
    )


def kept(models: Sequence[LearnedModel], current: str) -> None:
    """Models in the data folder, the latest first."""
    if not models:
        return
    st.markdown("**Models kept**")
    for model in models[:_LISTED]:
        line = model_line(model)
        with st.container(
            horizontal=True, vertical_alignment="center", gap="small", key=f"kept_{line.name}"
        ):
            with st.container(gap=None):
                st.markdown(f"**{parts.literal(line.name)}** · {parts.literal(line.sources)}")
                st.caption(f"{parts.literal(line.figure)} · {line.created}")
            st.button(
                "Open",
                key=f"open_{line.name}",
                on_click=_open,
                args=(line.name,),
                disabled=line.name == current,
            )
            st.button(
                "Delete",
                key=f"delete_{line.name}",
                type="tertiary",
                icon=":material/delete:",
                disabled=not may(Action.DELETE),
                on_click=_delete,
                args=(line.name,),
            )
    if len(models) > _LISTED:
        st.caption(older_words(len(models) - _LISTED))


def _open(name: str) -> None:
    st.query_params[SHOWN] = name


def _delete(name: str) -> None:
    try:
        delete(name)
    except LabError as error:
        parts.say(f"{error.message} {error.hint}")
        return
    if st.query_params.get(SHOWN) == name:
        del st.query_params[SHOWN]
