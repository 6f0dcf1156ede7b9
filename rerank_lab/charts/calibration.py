"""Figures of the Calibrate page, on the template that every figure shares."""

from __future__ import annotations

from typing import Any

from rerank_lab.charts.figures import Theme, template
from rerank_lab.evaluation.calibration import Cut, Fitted

_HEIGHT = 320


def reliability_chart(fitted: Fitted, theme: Theme) -> Any:
    """What was said against what was so, a point a bin with its 95 % interval; the ideal dotted."""
    import plotly.graph_objects as go

    bins = fitted.bins
    figure = go.Figure()
    figure.add_trace(
        go.Scatter(
            x=[0, 1],
            y=[0, 1],
            mode="lines",
            line={"color": theme.still, "dash": "dot", "width": 1},
            hoverinfo="skip",
        )
    )
    figure.add_trace(
        go.Scatter(
            x=[one.predicted for one in bins],
            y=[one.observed for one in bins],
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [one.high - one.observed for one in bins],
                "arrayminus": [one.observed - one.low for one in bins],
                "color": theme.accent,
                "thickness": 1.2,
                "width": 3,
            },
            mode="lines+markers",
            line={"color": theme.accent, "width": 2},
            marker={"size": 8},
            customdata=[[one.count, one.low, one.high] for one in bins],
            hovertemplate="said %{x:.0%}, relevant %{y:.0%} "
            "[%{customdata[1]:.0%}, %{customdata[2]:.0%}]"
            "<br>%{customdata[0]} candidates<extra></extra>",
        )
    )
    _axes(figure, theme, "Probability given", "Share that is relevant")
    return figure


def threshold_chart(fitted: Fitted, cut: Cut | None, theme: Theme) -> Any:
    """Precision and recall of what a threshold keeps; the chosen one as an upright line."""
    import plotly.graph_objects as go

    cuts = [one for one in fitted.cuts if one.precision is not None]
    figure = go.Figure()
    lines = (
        ("precision", [one.precision for one in cuts], theme.accent, "solid"),
        ("recall", [one.recall for one in cuts], theme.down, "dash"),
    )
    for name, values, colour, dash in lines:
        figure.add_trace(
            go.Scatter(
                x=[one.threshold for one in cuts],
                y=values,
                name=name,
                mode="lines",
                line={"color": colour, "dash": dash, "width": 2},
                hovertemplate=f"{name} %{{y:.0%}} from %{{x:.2f}} on<extra></extra>",
            )
        )
    _axes(figure, theme, "Threshold on the probability", "Share")
    figure.update_layout(
        showlegend=True, legend={"orientation": "h", "y": 1.12, "x": 0, "bgcolor": "rgba(0,0,0,0)"}
    )
    if cut is not None:
        figure.add_vline(cut.threshold, line={"color": theme.text, "width": 1.5, "dash": "dot"})
    return figure


def _axes(figure: Any, theme: Theme, across: str, up: str) -> None:
    figure.update_layout(template(theme))
    figure.update_layout(height=_HEIGHT, margin={"l": 56, "r": 12, "t": 28, "b": 48})
    figure.update_xaxes(title=across, range=[-0.02, 1.02], tickformat=".0%", fixedrange=True)
    figure.update_yaxes(title=up, range=[-0.02, 1.05], tickformat=".0%", fixedrange=True)
