"""The heat table of first stages by rerankers, on the template that every figure shares."""

from __future__ import annotations

from typing import Any, Literal

from rerank_lab.charts.figures import Theme, escaped, template
from rerank_lab.views.grid import GridCell, GridView
from rerank_lab.views.labels import seconds
from rerank_lab.views.text import shorten


def grid_chart(view: GridView, of: Literal["value", "p95"], theme: Theme) -> Any:
    """A row a first stage, a column a reranker; deeper is better, or slower for `p95`."""
    import plotly.graph_objects as go

    values = [[_value(cell, of) for cell in row] for row in view.cells]
    known = [value for row in values for value in row if value is not None]
    low, high = min(known, default=0.0), max(known, default=1.0)
    deep = theme.accent if of == "value" else theme.down
    columns, rows = list(range(len(view.columns))), list(range(len(view.rows)))
    figure = go.Figure(
        go.Heatmap(
            z=values,
            x=columns,
            y=rows,
            zmin=low - 0.25 * (high - low),
            zmax=high,
            colorscale=[[0, theme.surface], [1, deep]],
            showscale=False,
            xgap=3,
            ygap=3,
            customdata=[[escaped(cell.detail) for cell in row] for row in view.cells],
            hovertemplate="%{customdata}<extra></extra>",
            hoverongaps=False,
        )
    )
    for row, cells in enumerate(view.cells):
        for column, cell in enumerate(cells):
            value = _value(cell, of)
            strong = value is not None and high > low and (value - low) / (high - low) > 0.75
            figure.add_annotation(
                x=column,
                y=row,
                text=escaped(_words(cell, of)),
                showarrow=False,
                font={"color": theme.background if strong else theme.text, "size": 13},
            )
    figure.update_layout(template(theme))
    figure.update_layout(height=70 + 46 * len(rows))
    figure.update_xaxes(
        side="top", tickvals=columns, fixedrange=True, showgrid=False, automargin=True,
        ticktext=[escaped(shorten(name, 34)) for name in view.columns],
    )  # fmt: skip
    figure.update_yaxes(
        autorange="reversed", tickvals=rows, fixedrange=True, showgrid=False, automargin=True,
        ticktext=[escaped(shorten(name, 40)) for name in view.rows],
    )  # fmt: skip
    return figure


def _value(cell: GridCell, of: Literal["value", "p95"]) -> float | None:
    return cell.value if of == "value" else cell.p95


def _words(cell: GridCell, of: Literal["value", "p95"]) -> str:
    if of == "value":
        return cell.words
    return "–" if cell.p95 is None else seconds(cell.p95)
