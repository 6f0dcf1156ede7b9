"""The figure of the Arena page, on the template that every figure shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rerank_lab.charts.figures import Figure, Theme, escaped, figure, pipeline_colour, upright
from rerank_lab.views.arena import RatingMark, signed


def ratings_chart(marks: Sequence[RatingMark], colours: Mapping[str, int], theme: Theme) -> Figure:
    """Strength and interval of each pipeline, the strongest on top; 0 is the mean of its group."""
    last = len(theme.pipelines) - 1
    ends = (end for one in marks for end in (one.strength, one.low, one.high))
    widest = max((abs(end) for end in ends if end is not None), default=0.0)
    reach = 1.08 * max(1.0, widest)
    return figure(
        theme,
        [
            _point(
                mark,
                escaped(mark.label),
                pipeline_colour(theme, colours.get(mark.pipeline, last)),
            )
            for mark in marks
        ],
        xaxis={
            "title": {"text": "Strength (log-odds against the mean)"},
            "fixedrange": True,
            "range": [-reach, reach],
        },
        yaxis={
            "autorange": "reversed", "automargin": True, "fixedrange": True, "ticksuffix": "  "
        },
        shapes=[upright(0, {"color": theme.still, "width": 1, "dash": "dot"})],
        height=70 + 46 * len(marks),
        margin={"l": 8, "r": 16, "t": 16, "b": 40},
    )  # fmt: skip


def _point(mark: RatingMark, name: str, colour: str) -> dict[str, Any]:
    bounded = mark.low is not None and mark.high is not None
    return {
        "type": "scatter",
        "x": [mark.strength],
        "y": [name],
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [(mark.high or 0) - mark.strength],
            "arrayminus": [mark.strength - (mark.low or 0)],
            "thickness": 2,
            "width": 5,
        }
        if bounded
        else None,
        "mode": "markers+text",
        "text": [signed(mark.strength)],
        "textposition": "top center",
        "cliponaxis": False,
        "marker": {"size": 11, "color": colour},
        "customdata": [[mark.low, mark.high, mark.votes]],
        "hovertemplate": "%{y}<br>strength %{x:+.2f}"
        + (" [%{customdata[0]:+.2f}, %{customdata[1]:+.2f}]" if bounded else "")
        + "<br>%{customdata[2]} votes<extra></extra>",
    }
