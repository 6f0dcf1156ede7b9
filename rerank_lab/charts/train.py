"""The figure of the Train page, on the template that every figure shares."""

from __future__ import annotations

from collections.abc import Sequence

from rerank_lab.charts.figures import Figure, Theme, escaped, figure
from rerank_lab.views.train import ImportanceBar

SHOWN = 12
"""Bars; what is left over hardly counts."""


def importance_chart(importances: Sequence[ImportanceBar], theme: Theme) -> Figure:
    """Each feature's share of all gain, the greatest on top, with the number at its end."""
    top = importances[:SHOWN]
    names = [escaped(one.feature) for one in top]
    bars = {
        "type": "bar",
        "x": [one.share for one in top],
        "y": names,
        "orientation": "h",
        "marker": {"color": theme.accent},
        "text": [f"{one.share:.0%}" if one.share >= 0.005 else "< 1%" for one in top],
        "textposition": "outside",
        "cliponaxis": False,
        "customdata": [one.splits for one in top],
        "hovertemplate": "%{y}: %{x:.1%} of the gain, %{customdata} splits<extra></extra>",
    }
    return figure(
        theme,
        [bars],
        xaxis={"visible": False, "rangemode": "tozero", "fixedrange": True},
        yaxis={
            "autorange": "reversed", "automargin": True, "showgrid": False, "fixedrange": True,
            "ticksuffix": "  ",
        },
        height=44 + 27 * len(top),
        bargap=0.35,
        margin={"l": 8, "r": 44, "t": 8, "b": 8},
    )  # fmt: skip
