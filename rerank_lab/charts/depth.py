"""Figures of depth curves, on the template that every figure shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rerank_lab.charts.figures import Figure, Theme, escaped, figure, pipeline_colour
from rerank_lab.evaluation.depth.study import DepthCurve, DepthPoint, DepthStudy
from rerank_lab.views.text import shorten

_HEIGHT = 360


def depth_chart(
    study: DepthStudy, labels: Mapping[str, str], colours: Mapping[str, int], theme: Theme
) -> Figure:
    """Quality by depth with 95 % intervals, the knee ringed, ceilings of the first stage above.

    Dotted: recall of the candidates. Dashed: the measure of their best order.
    """
    traces = [
        {
            "type": "scatter",
            "x": _places(study),
            "y": list(values),
            "mode": "lines",
            "line": {"color": theme.still, "dash": dash, "width": 1.5},
            "showlegend": False,
            "hovertemplate": f"{what} of the candidates %{{y:.3f}}<extra></extra>",
        }
        for recalls, oracles in _ceilings(study)
        for values, dash, what in ((recalls, "dot", "recall"), (oracles, "dash", "best order"))
    ]
    for curve in (one for one in study.curves if one.points):
        colour = pipeline_colour(theme, colours.get(curve.pipeline, 0))
        name = escaped(shorten(labels.get(curve.pipeline, curve.pipeline), 60))
        traces += [_line(curve, name, colour), _knee(curve, name, colour, theme)]
    highest = max(
        (max(p.value, p.oracle, p.recall) for c in study.curves for p in c.points), default=1.0
    )
    return _figure(study, theme, traces, study.measure, range=[0, min(1.02, highest * 1.08)])


def depth_time_chart(
    study: DepthStudy, labels: Mapping[str, str], colours: Mapping[str, int], theme: Theme
) -> Figure:
    """Seconds of 95 of 100 queries by depth; pipelines of unknown time have no line."""
    traces = []
    for curve in (one for one in study.curves if one.timing):
        name = escaped(shorten(labels.get(curve.pipeline, curve.pipeline), 60))
        traces.append(
            {
                "type": "scatter",
                "x": _places(study),
                "y": [point.p95 for point in curve.points],
                "mode": "lines+markers",
                "line": {
                    "color": pipeline_colour(theme, colours.get(curve.pipeline, 0)),
                    "dash": "dot" if curve.timing == "estimated" else "solid",
                    "width": 2,
                },
                "hovertemplate": f"{name}<br>p95 %{{y:.3f}} s ({curve.timing})<extra></extra>",
            }
        )
    return _figure(study, theme, traces, "p95 in seconds", rangemode="tozero")


def _ceilings(study: DepthStudy) -> list[tuple[tuple[float, ...], tuple[float, ...]]]:
    """Recall and oracle by depth, once for each first stage."""
    drawn = [curve.points for curve in study.curves if curve.points]
    rows = [
        (tuple(point.recall for point in points), tuple(point.oracle for point in points))
        for points in drawn
    ]
    return list(dict.fromkeys(rows))


def _places(study: DepthStudy) -> list[str]:
    return [f"{depth:,}" for depth in study.depths]


def _line(curve: DepthCurve, name: str, colour: str) -> dict[str, Any]:
    points = curve.points
    return {
        "type": "scatter",
        "x": [f"{point.depth:,}" for point in points],
        "y": [point.value for point in points],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [_above(point) for point in points],
            "arrayminus": [_below(point) for point in points],
            "color": colour,
            "thickness": 1,
            "width": 3,
        },
        "mode": "lines+markers",
        "line": {"color": colour, "width": 2},
        "marker": {"size": 6},
        "name": name,
        "showlegend": True,
        "customdata": [[point.depth, point.low, point.high] for point in points],
        "hovertemplate": f"{name}<br>%{{customdata[0]}} candidates: %{{y:.3f}} "
        "[%{customdata[1]:.3f}, %{customdata[2]:.3f}]<extra></extra>",
    }


def _above(point: DepthPoint) -> float:
    return 0.0 if point.high is None else point.high - point.value


def _below(point: DepthPoint) -> float:
    return 0.0 if point.low is None else point.value - point.low


def _knee(curve: DepthCurve, name: str, colour: str, theme: Theme) -> dict[str, Any]:
    knee = curve.knee
    return {
        "type": "scatter",
        "x": [f"{knee.depth:,}"] if knee else [],
        "y": [knee.value] if knee else [],
        "mode": "markers",
        "marker": {
            "size": 14,
            "color": theme.background,
            "line": {"color": colour, "width": 3},
        },
        "showlegend": False,
        "hovertemplate": f"{name}<br>knee: %{{x}} candidates, %{{y:.3f}}<extra></extra>",
    }


def _figure(
    study: DepthStudy, theme: Theme, traces: list[dict[str, Any]], up: str, **yaxis: Any
) -> Figure:
    common = {"fixedrange": True, "automargin": True}
    return figure(
        theme,
        traces,
        xaxis=common
        | {
            "type": "category",
            "categoryorder": "array",
            "categoryarray": _places(study),
            "title": {"text": "Candidates", "font": {"color": theme.muted}},
        },
        yaxis=common | {"title": {"text": up, "font": {"color": theme.muted}}} | yaxis,
        height=_HEIGHT,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        legend={"orientation": "h", "y": -0.3, "x": 0, "font": {"color": theme.text}},
        showlegend=any(trace.get("showlegend") for trace in traces),
    )
