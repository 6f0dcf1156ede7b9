"""The figure of the Arena page, on the template that every figure shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rerank_lab.charts.figures import Figure, Theme, escaped, figure, pipeline_colour, upright
from rerank_lab.judging.arena.ratings import ArenaRatings, Rating
from rerank_lab.views.arena import signed


def ratings_chart(
    ratings: ArenaRatings, labels: Mapping[str, str], colours: Mapping[str, int], theme: Theme
) -> Figure:
    """Strength and interval of each pipeline, the strongest on top; 0 is the mean of its group."""
    last = len(theme.pipelines) - 1
    ends = (end for one in ratings.ratings for end in (one.strength, one.low, one.high))
    widest = max((abs(end) for end in ends if end is not None), default=0.0)
    reach = 1.08 * max(1.0, widest)
    return figure(
        theme,
        [
            _point(
                rating,
                escaped(labels.get(rating.pipeline, rating.pipeline)),
                pipeline_colour(theme, colours.get(rating.pipeline, last)),
            )
            for rating in ratings.ratings
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
        height=70 + 46 * len(ratings.ratings),
        margin={"l": 8, "r": 16, "t": 16, "b": 40},
    )  # fmt: skip


def _point(rating: Rating, name: str, colour: str) -> dict[str, Any]:
    bounded = rating.low is not None and rating.high is not None
    return {
        "type": "scatter",
        "x": [rating.strength],
        "y": [name],
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [(rating.high or 0) - rating.strength],
            "arrayminus": [rating.strength - (rating.low or 0)],
            "thickness": 2,
            "width": 5,
        }
        if bounded
        else None,
        "mode": "markers+text",
        "text": [signed(rating.strength)],
        "textposition": "top center",
        "cliponaxis": False,
        "marker": {"size": 11, "color": colour},
        "customdata": [[rating.low, rating.high, rating.votes]],
        "hovertemplate": "%{y}<br>strength %{x:+.2f}"
        + (" [%{customdata[0]:+.2f}, %{customdata[1]:+.2f}]" if bounded else "")
        + "<br>%{customdata[2]} votes<extra></extra>",
    }
