"""Figures on a page: handed to Streamlit as they are, without Plotly's objects in between."""

from __future__ import annotations

from functools import cache
from typing import Any

import plotly.io
from plotly.basedatatypes import BaseFigure

from rerank_lab.charts.figures import Figure


class PlainFigure(BaseFigure):  # type: ignore[misc]  # Plotly has no types
    """A figure that is taken as it is: `st.plotly_chart` would build and check objects of a dict.

    The tests have Plotly check each kind of figure once.
    """

    def __init__(self, figure: Figure) -> None:
        # Not BaseFigure's own, which builds the objects.
        self._plain = figure

    def to_dict(self) -> dict[str, Any]:
        """What is drawn, with the template that Plotly's own figures have."""
        layout = {"template": _template()} | self._plain["layout"]
        return {"data": self._plain["data"], "layout": layout}


@cache
def _template() -> dict[str, Any]:
    """Plotly's default template, which Streamlit has made its own."""
    template: dict[str, Any] = plotly.io.templates[plotly.io.templates.default].to_plotly_json()
    return template
