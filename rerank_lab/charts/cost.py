"""What pipelines cost a month, by the number of queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rerank_lab.charts.figures import Theme, escaped, pipeline_colour, template
from rerank_lab.decision.cost import PipelineCost
from rerank_lab.views.cost import at_loads

_POINTS = 120


def cost_chart(costs: Sequence[PipelineCost], labels: Mapping[str, str], theme: Theme) -> Any:
    """A line a pipeline whose price is known, both axes in powers of ten, the load upright.

    Lines that cross show a break-even; steps are machines of one's own.
    """
    import plotly.graph_objects as go

    now = max(1, costs[0].terms.queries_per_month)
    loads = [round(now * 10 ** (-2 + 4 * place / _POINTS)) or 1 for place in range(_POINTS + 1)]
    figure = go.Figure()
    for slot, cost in enumerate(costs):
        if cost.usd_per_month is None:
            continue
        name = escaped(labels[cost.pipeline])
        figure.add_trace(
            go.Scatter(
                x=loads,
                y=at_loads(cost, loads),
                mode="lines",
                name=name,
                line={"color": pipeline_colour(theme, slot), "width": 2},
                hovertemplate=f"{name}<br>%{{x:,}} queries: $%{{y:,.2f}} a month<extra></extra>",
            )
        )
    figure.add_vline(x=now, line={"color": theme.text, "dash": "dash", "width": 1})
    figure.update_layout(template(theme))
    figure.update_layout(
        height=320,
        showlegend=True,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        margin={"l": 8, "r": 16, "t": 28, "b": 8},
    )
    for axis, title in (("xaxis", "Queries a month"), ("yaxis", "USD a month")):
        figure.update_layout({
            axis: {"title": {"text": title, "standoff": 8}, "type": "log", "dtick": 1,
                   "automargin": True, "fixedrange": True},
        })  # fmt: skip
    return figure
