"""The figure of the page Choose: quality against p95 or price, on the shared template."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from rerank_lab.charts.figures import Figure, Theme, escaped, figure, pipeline_colour, upright
from rerank_lab.core.text import duration_words
from rerank_lab.core.types import Bounded
from rerank_lab.views.choose import ChoiceChart, ChoicePoint
from rerank_lab.views.text import shorten

_HEIGHT = 430
_LABEL_CHARS = 26


def front_chart(chart: ChoiceChart, colours: Mapping[str, int], theme: Theme) -> Figure:
    """Every pipeline with its intervals; dominated ones grey, those that fell hollow.

    Both p95 and price run on a logarithmic scale. A price of 0 stands at the left edge.
    """
    reach = _reach(chart)
    traces = [_front(chart, 10 ** reach[0], theme)] if len(chart.front) > 1 else []
    for point in chart.points:
        above = _above_its_neighbour(point, chart.points)
        traces.append(_point_trace(point, above=above, reach=reach, colours=colours, theme=theme))
    title = "p95 of a query" if chart.axis == "p95" else "USD for 1,000 queries"
    common = {"fixedrange": True, "automargin": True}
    means = {point.y.value for point in chart.points}
    nothing = {"range": [-0.08, 1]} if means == {0.0} else {}  # else 0 is in its middle
    across = {"type": "log", "title": {"text": title}, "range": reach, "showgrid": True}
    return figure(
        theme,
        traces,
        xaxis=common | across | _ticks(chart, reach),
        yaxis=common | {"title": {"text": chart.measure}, "tickformat": ".3~f"} | nothing,
        height=_HEIGHT,
        margin={"l": 8, "r": 12, "t": 12, "b": 8},
        hovermode="closest",
        **(_limit(chart.limit, theme) if chart.limit else {}),
    )


def _front(chart: ChoiceChart, floor: float, theme: Theme) -> dict[str, Any]:
    """The line through the pipelines that none beats in both."""
    return {
        "type": "scatter",
        "x": [max(point.x.value, floor) for point in chart.front],
        "y": [point.y.value for point in chart.front],
        "mode": "lines",
        "line": {"color": theme.still, "width": 1.5, "dash": "dot", "shape": "hv"},
        "hoverinfo": "skip",
    }


def _limit(limit: float, theme: Theme) -> dict[str, Any]:
    """The limit as a line with its name. A line takes the value itself, a note its logarithm."""
    return {
        "shapes": [upright(limit, {"color": theme.down, "width": 1.5, "dash": "dash"})],
        "annotations": [
            {
                "x": math.log10(limit), "y": 1, "yref": "paper", "yanchor": "top",
                "xanchor": "right", "text": "your limit", "showarrow": False,
                "font": {"color": theme.down, "size": 12},
            }
        ],
    }  # fmt: skip


def _above_its_neighbour(point: ChoicePoint, points: Sequence[ChoicePoint]) -> bool:
    """Whether a point is higher than the one beside it, so that their names go apart."""
    others = [other for other in points if other is not point]
    if not others:
        return True
    nearest = min(others, key=lambda other: abs(_log(other.x.value) - _log(point.x.value)))
    if nearest.y.value == point.y.value:
        return points.index(point) > points.index(nearest)
    return point.y.value > nearest.y.value


def _log(value: float) -> float:
    return math.log10(value) if value > 0 else -9.0


def _point_trace(
    point: ChoicePoint,
    *,
    above: bool,
    reach: list[float],
    colours: Mapping[str, int],
    theme: Theme,
) -> dict[str, Any]:
    """One point. Its name stands beside it, on the side that has more room."""
    x = max(point.x.value, 10 ** reach[0])
    side = "right" if math.log10(x) < fmean(reach) else "left"
    own = pipeline_colour(theme, colours.get(point.pipeline, len(theme.pipelines) - 1))
    grey = point.standing == "dominated"
    colour = theme.still if grey else own
    hollow = point.standing == "fallen"
    chosen = point.standing in ("recommended", "leading")
    name = escaped(shorten(point.label, _LABEL_CHARS))
    about = "<br>".join(map(escaped, point.about))
    return {
        "type": "scatter",
        "x": [x],
        "y": [point.y.value],
        "error_x": _bars(point.x, colour),
        "error_y": _bars(point.y, colour),
        "mode": "markers+text",
        "text": [f"<b>{name}</b>" if chosen else name],
        "textposition": f"{'top' if above else 'bottom'} {side}",
        "textfont": {"size": 13, "color": theme.muted if grey or hollow else theme.text},
        "cliponaxis": False,
        "opacity": 0.75 if grey or hollow else 1.0,
        "marker": {
            "size": 17 if chosen else 12,
            "color": "rgba(0,0,0,0)" if hollow else colour,
            "line": {"color": theme.text if chosen else colour, "width": 2 if chosen else 1.5},
        },
        "customdata": [point.pipeline],
        "hovertemplate": f"<b>{escaped(point.label)}</b><br>{about}<br>{point.standing}"
        "<extra></extra>",
    }


def _bars(value: Bounded, colour: str) -> dict[str, Any] | None:
    """The interval as error bars; an end that the data cannot bound has none."""
    if value.low is None and value.high is None:
        return None
    return {
        "type": "data",
        "symmetric": False,
        "array": [0.0 if value.high is None else max(0.0, value.high - value.value)],
        "arrayminus": [0.0 if value.low is None else max(0.0, value.value - value.low)],
        "color": colour,
        "thickness": 1.5,
        "width": 4,
    }


def _floor(chart: ChoiceChart) -> float:
    """Where 0 is drawn on a logarithmic axis: a tenth of the smallest value above it."""
    positive = [point.x.value for point in chart.points if point.x.value > 0]
    return min(positive, default=1.0) / 10


def _ticks(chart: ChoiceChart, reach: list[float]) -> dict[str, Any]:
    """A tick for each power of ten; times in words."""
    powers = range(math.ceil(reach[0]), math.floor(reach[1]) + 1)
    values = [10.0**power for power in powers]
    words = [duration_words(v) if chart.axis == "p95" else f"{v:,g}" for v in values]
    return {"tickvals": values, "ticktext": words}


def _reach(chart: ChoiceChart) -> list[float]:
    """The ends of the axis as powers of ten, with room for the names beside the points."""
    floor = _floor(chart)
    ends = [max(end, floor) for point in chart.points for end in _ends(point.x)]
    ends += [chart.limit] if chart.limit else []
    if not ends:
        return [-3.0, 1.0]
    low, high = math.log10(min(ends)), math.log10(max(ends))
    room = max(0.35, 0.22 * (high - low))
    return [low - room, high + room]


def _ends(value: Bounded) -> list[float]:
    return [end for end in (value.value, value.low, value.high) if end is not None]
