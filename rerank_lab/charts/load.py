"""Figures of a load study: latency by rate, and the spread of latency."""

from __future__ import annotations

import math
from typing import Any

from rerank_lab.charts.figures import Figure, Theme, figure, level, upright
from rerank_lab.evaluation.load.study import LoadStep, LoadStudy
from rerank_lab.views.load import percentile_words

_HEIGHT = 300


def rate_chart(study: LoadStudy, theme: Theme) -> Figure:
    """p50, p95 and p99 by rate, p95 with its interval, the bound as a dashed line."""
    lines = (
        ("p50", theme.still, "dot"),
        ("p95", theme.accent, "solid"),
        ("p99", theme.down, "dash"),
    )
    traces = []
    for name, colour, dash in lines:
        steps = [step for step in study.steps if getattr(step, name) is not None]
        traces.append(
            {
                "type": "scatter",
                "x": [step.rate for step in steps],
                "y": [getattr(step, name).seconds for step in steps],
                "mode": "lines+markers",
                "name": name,
                "line": {"color": colour, "dash": dash, "width": 2},
                "marker": {"size": 7},
                "error_y": _whiskers(steps, colour) if name == "p95" else None,
                "customdata": [percentile_words(getattr(step, name)) for step in steps],
                "hovertemplate": f"{name} at %{{x:,.3~r}} a second: %{{customdata}}<extra></extra>",
            }
        )
    return _figure(
        theme,
        traces,
        ("Queries a second", "Seconds"),
        yaxis={"type": "log", "dtick": 1},
        **(_bound(study.bound, theme) if study.bound is not None else {}),
    )


def _bound(bound: float, theme: Theme) -> dict[str, Any]:
    """The bound of p95 as a line with its name."""
    return {
        "shapes": [level(bound, {"color": theme.text, "dash": "dash", "width": 1})],
        "annotations": [
            {
                "x": 1,
                "xref": "paper",
                "xanchor": "right",
                "y": math.log10(bound),  # on an axis of powers, notes stand at exponents
                "yanchor": "bottom",
                "text": "bound of p95",
                "showarrow": False,
                "font": {"color": theme.text, "size": 12},
            }
        ],
    }


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


def spread_chart(study: LoadStudy, theme: Theme) -> Figure:
    """The share of queries answered within so many seconds, at the rate that was asked for."""
    step = study.at_rate
    traces = []
    if step is not None and step.curve:
        traces.append(
            {
                "type": "scatter",
                "x": list(step.curve),
                "y": [place / 100 for place in range(101)],
                "mode": "lines",
                "line": {"color": theme.accent, "width": 2, "shape": "hv"},
                "hovertemplate": "%{y:.0%} within %{x:.3g} s<extra></extra>",
                "showlegend": False,
            }
        )
    layout: dict[str, Any] = {}
    if study.bound is not None:
        line = {"color": theme.text, "dash": "dash", "width": 1}
        layout["shapes"] = [upright(study.bound, line)]
    return _figure(
        theme,
        traces,
        ("Seconds", "Share answered"),
        yaxis={"tickformat": ".0%", "range": [0, 1.02]},
        **layout,
    )


def _figure(
    theme: Theme,
    traces: list[dict[str, Any]],
    titles: tuple[str, str],
    yaxis: dict[str, Any],
    **layout: Any,
) -> Figure:
    """A figure with these titles of its axes: across, upwards."""
    common = {"automargin": True, "fixedrange": True}
    across, upwards = titles
    return figure(
        theme,
        traces,
        xaxis=common | {"title": {"text": across, "standoff": 8}, "rangemode": "tozero"},
        yaxis=common | {"title": {"text": upwards, "standoff": 8}} | yaxis,
        height=_HEIGHT,
        showlegend=True,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        margin={"l": 8, "r": 16, "t": 24, "b": 8},
        **layout,
    )
