"""Figures are plain dicts at run time, so that here Plotly checks each kind of them."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import re
from pathlib import Path

import pytest
import streamlit as st

from rerank_lab import charts
from rerank_lab.charts.figures import LIGHT, agreement_chart, figure
from rerank_lab.charts.grid import grid_chart
from rerank_lab.ui.shared.plots import PlainFigure
from rerank_lab.views.grid import GridCell, GridView
from tests.charts.validated import validated

TESTS = Path(__file__).parents[1]


def test_plotly_checks_each_kind_of_figure_somewhere() -> None:
    kinds = {
        name
        for module in pkgutil.iter_modules(charts.__path__)
        for name, function in inspect.getmembers(
            importlib.import_module(f"{charts.__name__}.{module.name}"), inspect.isfunction
        )
        if name.endswith("_chart")
    }
    sources = "".join(file.read_text("utf-8") for file in TESTS.rglob("test_*.py"))
    checked = set(re.findall(r"validated\(\s*(?:\w+\.)?(\w+_chart)\(", sources))
    assert len(kinds) >= 16
    assert kinds == checked


def test_a_mistake_in_a_figure_is_found() -> None:
    wrong = figure(LIGHT, [{"type": "scatter", "colour": "red"}], xaxis={}, yaxis={})
    with pytest.raises(ValueError, match="colour"):
        validated(wrong)


def test_a_page_draws_what_plotly_would_have_made_of_it() -> None:
    plain = agreement_chart(["a", "b"], [[1.0, None], [None, 1.0]], LIGHT)
    assert json.loads(PlainFigure(plain).to_json()) == json.loads(validated(plain).to_json())
    assert st.plotly_chart(PlainFigure(plain)) is not None


def test_a_cell_without_a_value_is_empty_and_the_deep_ones_are_written_in_light() -> None:
    cells = (GridCell(0.5, 0.1, "0.50", "a"), GridCell(None, None, "–", "<b>"))
    view = GridView((), ("bm25",), ("alone", "l12"), (cells,), (), ())
    for of in ("value", "p95"):
        chart = validated(grid_chart(view, of, LIGHT))
        assert list(chart.data[0].customdata[0]) == ["a", "&lt;b&gt;"]
        assert chart.data[0].z[0][1] is None
        assert len(chart.layout.annotations) == 2
