"""What pipelines cost a month, by the number of queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rerank_lab.charts.figures import Figure, Theme, escaped, figure, pipeline_colour, upright
from rerank_lab.decision.cost import PipelineCost
from rerank_lab.views.cost import at_loads

_POINTS = 120


def cost_chart(costs: Sequence[PipelineCost], labels: Mapping[str, str], theme: Theme) -> Figure:
    """A line a pipeline whose price is known, both axes in powers of ten, the load upright.

    Lines that cross show a break-even; steps are machines of one's own.
    """
    now = max(1, costs[0].terms.queries_per_month)
    loads = [round(now * 10 ** (-2 + 4 * place / _POINTS)) or 1 for place in range(_POINTS + 1)]
    traces = []
    for slot, cost in enumerate(costs):
        if cost.usd_per_month is None:
            continue
        name = escaped(labels[cost.pipeline])
        traces.append(
            {
                "type": "scatter",
                "x": loads,
                "y": at_loads(cost, loads),
                "mode": "lines",
                "name": name,
                "line": {"color": pipeline_colour(theme, slot), "width": 2},
                "hovertemplate": f"{name}<br>%{{x:,}} queries: $%{{y:,.2f}} a month<extra></extra>",
            }
        )
    common = {"type": "log", "dtick": 1, "automargin": True, "fixedrange": True}
    return figure(
        theme,
        traces,
        xaxis=common | {"title": {"text": "Queries a month", "standoff": 8}},
        yaxis=common | {"title": {"text": "USD a month", "standoff": 8}},
        shapes=[upright(now, {"color": theme.text, "dash": "dash", "width": 1})],
        height=320,
        showlegend=True,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        margin={"l": 8, "r": 16, "t": 28, "b": 8},
    )
