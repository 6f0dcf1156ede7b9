"""Figures of a load study: latency by rate, and the spread of latency."""

from __future__ import annotations

import math
from typing import Any

from rerank_lab.charts.figures import Theme, template
from rerank_lab.evaluation.load.study import LoadStep, LoadStudy
from rerank_lab.views.load import percentile_words

_HEIGHT = 300


def rate_chart(study: LoadStudy, theme: Theme) -> Any:
    """p50, p95 and p99 by rate, p95 with its interval, the bound as a dashed line."""
    import plotly.graph_objects as go

    figure = go.Figure()
    lines = (
        ("p50", theme.still, "dot"),
        ("p95", theme.accent, "solid"),
        ("p99", theme.down, "dash"),
    )
    for name, colour, dash in lines:
        steps = [step for step in study.steps if getattr(step, name) is not None]
        figure.add_trace(
            go.Scatter(
                x=[step.rate for step in steps],
                y=[getattr(step, name).seconds for step in steps],
                mode="lines+markers",
                name=name,
                line={"color": colour, "dash": dash, "width": 2},
                marker={"size": 7},
                error_y=_whiskers(steps, colour) if name == "p95" else None,
                customdata=[percentile_words(getattr(step, name)) for step in steps],
                hovertemplate=f"{name} at %{{x:,.3~r}} a second: %{{customdata}}<extra></extra>",
            )
        )
    if study.bound is not None:
        figure.add_hline(
            y=study.bound,
            line={"color": theme.text, "dash": "dash", "width": 1},
        )
        figure.add_annotation(
            x=1,
            xref="paper",
            xanchor="right",
            y=math.log10(study.bound),  # on an axis of powers, notes stand at exponents
            yanchor="bottom",
            text="bound of p95",
            showarrow=False,
            font={"color": theme.text, "size": 12},
        )
    _axes(figure, theme, "Queries a second", "Seconds")
    figure.update_yaxes(type="log", dtick=1)
    return figure


def _whiskers(steps: list[LoadStep], colour: str) -> dict[str, Any]:
    ends = [step.p95 for step in steps if step.p95 is not None]
    return {
        "type": "data",
        "symmetric": False,
        "array": [0.0 if one.high is None else one.high - one.seconds for one in ends],
        "arrayminus": [0.0 if one.low is None else one.seconds - one.low for one in ends],
        "color": colour,
        "thickness": 1.2,
        "width": 4,
    }


def spread_chart(study: LoadStudy, theme: Theme) -> Any:
    """The share of queries answered within so many seconds, at the rate that was asked for."""
    import plotly.graph_objects as go

    step = study.at_rate
    figure = go.Figure()
    if step is not None and step.curve:
        figure.add_trace(
            go.Scatter(
                x=list(step.curve),
                y=[place / 100 for place in range(101)],
                mode="lines",
                line={"color": theme.accent, "width": 2, "shape": "hv"},
                hovertemplate="%{y:.0%} within %{x:.3g} s<extra></extra>",
                showlegend=False,
            )
        )
    if study.bound is not None:
        figure.add_vline(x=study.bound, line={"color": theme.text, "dash": "dash", "width": 1})
    _axes(figure, theme, "Seconds", "Share answered")
    figure.update_yaxes(tickformat=".0%", range=[0, 1.02])
    return figure


def _axes(figure: Any, theme: Theme, across: str, upwards: str) -> None:
    figure.update_layout(template(theme))
    figure.update_layout(
        height=_HEIGHT,
        showlegend=True,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        margin={"l": 8, "r": 16, "t": 24, "b": 8},
    )
    figure.update_xaxes(
        title={"text": across, "standoff": 8},
        automargin=True,
        fixedrange=True,
        rangemode="tozero",
    )
    figure.update_yaxes(title={"text": upwards, "standoff": 8}, automargin=True, fixedrange=True)
