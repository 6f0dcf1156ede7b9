"""What pipelines cost a month, by the number of queries."""

from __future__ import annotations

from rerank_lab.charts.figures import Figure, Theme, escaped, figure, pipeline_colour, upright
from rerank_lab.views.cost import CostCurves


def cost_chart(curves: CostCurves, theme: Theme) -> Figure:
    """A line a pipeline whose price is known, both axes in powers of ten, the load upright.

    Lines that cross show a break-even; steps are machines of one's own.
    """
    traces = []
    for line in curves.lines:
        name = escaped(line.label)
        traces.append(
            {
                "type": "scatter",
                "x": list(curves.loads),
                "y": list(line.usd),
                "mode": "lines",
                "name": name,
                "line": {"color": pipeline_colour(theme, line.slot), "width": 2},
                "hovertemplate": f"{name}<br>%{{x:,}} queries: $%{{y:,.2f}} a month<extra></extra>",
            }
        )
    common = {"type": "log", "dtick": 1, "automargin": True, "fixedrange": True}
    return figure(
        theme,
        traces,
        xaxis=common | {"title": {"text": "Queries a month", "standoff": 8}},
        yaxis=common | {"title": {"text": "USD a month", "standoff": 8}},
        shapes=[upright(curves.load, {"color": theme.text, "dash": "dash", "width": 1})],
        height=320,
        showlegend=True,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        margin={"l": 8, "r": 16, "t": 28, "b": 8},
    )
