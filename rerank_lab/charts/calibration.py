"""Figures of the Calibrate page, on the template that every figure shares."""

from __future__ import annotations

from typing import Any

from rerank_lab.charts.figures import Figure, Theme, figure, upright
from rerank_lab.evaluation.calibration import Cut, Fitted

_HEIGHT = 320


def reliability_chart(fitted: Fitted, theme: Theme) -> Figure:
    """What was said against what was so, a point a bin with its 95 % interval; the ideal dotted."""
    bins = fitted.bins
    ideal = {
        "type": "scatter",
        "x": [0, 1],
        "y": [0, 1],
        "mode": "lines",
        "line": {"color": theme.still, "dash": "dot", "width": 1},
        "hoverinfo": "skip",
    }
    points = {
        "type": "scatter",
        "x": [one.predicted for one in bins],
        "y": [one.observed for one in bins],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [one.high - one.observed for one in bins],
            "arrayminus": [one.observed - one.low for one in bins],
            "color": theme.accent,
            "thickness": 1.2,
            "width": 3,
        },
        "mode": "lines+markers",
        "line": {"color": theme.accent, "width": 2},
        "marker": {"size": 8},
        "customdata": [[one.count, one.low, one.high] for one in bins],
        "hovertemplate": "said %{x:.0%}, relevant %{y:.0%} "
        "[%{customdata[1]:.0%}, %{customdata[2]:.0%}]"
        "<br>%{customdata[0]} candidates<extra></extra>",
    }
    return _figure(theme, [ideal, points], "Probability given", "Share that is relevant")


def threshold_chart(fitted: Fitted, cut: Cut | None, theme: Theme) -> Figure:
    """Precision and recall of what a threshold keeps; the chosen one as an upright line."""
    cuts = [one for one in fitted.cuts if one.precision is not None]
    lines = (
        ("precision", [one.precision for one in cuts], theme.accent, "solid"),
        ("recall", [one.recall for one in cuts], theme.down, "dash"),
    )
    traces = [
        {
            "type": "scatter",
            "x": [one.threshold for one in cuts],
            "y": values,
            "name": name,
            "mode": "lines",
            "line": {"color": colour, "dash": dash, "width": 2},
            "hovertemplate": f"{name} %{{y:.0%}} from %{{x:.2f}} on<extra></extra>",
        }
        for name, values, colour, dash in lines
    ]
    layout: dict[str, Any] = {
        "showlegend": True,
        "legend": {"orientation": "h", "y": 1.12, "x": 0, "bgcolor": "rgba(0,0,0,0)"},
    }
    if cut is not None:
        chosen = upright(cut.threshold, {"color": theme.text, "width": 1.5, "dash": "dot"})
        layout["shapes"] = [chosen]
    return _figure(theme, traces, "Threshold on the probability", "Share", **layout)


def _figure(
    theme: Theme, traces: list[dict[str, Any]], across: str, up: str, **layout: Any
) -> Figure:
    common = {"tickformat": ".0%", "fixedrange": True}
    return figure(
        theme,
        traces,
        xaxis=common | {"title": {"text": across}, "range": [-0.02, 1.02]},
        yaxis=common | {"title": {"text": up}, "range": [-0.02, 1.05]},
        height=_HEIGHT,
        margin={"l": 56, "r": 12, "t": 28, "b": 48},
        **layout,
    )
