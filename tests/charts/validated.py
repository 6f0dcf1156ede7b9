"""Plotly's own word on a figure."""

from __future__ import annotations

from typing import Any

from rerank_lab.charts.figures import Figure


def validated(figure: Figure) -> Any:
    """Plotly's object of a figure. It raises where a property or a value is none of Plotly's."""
    import plotly.graph_objects as go

    return go.Figure(**figure)
