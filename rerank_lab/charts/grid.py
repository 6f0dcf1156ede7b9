"""The heat table of first stages by rerankers, on the template that every figure shares."""

from __future__ import annotations

from typing import Literal

from rerank_lab.charts.figures import Figure, Theme, escaped, figure
from rerank_lab.views.grid import GridCell, GridView
from rerank_lab.views.labels import seconds
from rerank_lab.views.text import shorten


def grid_chart(view: GridView, of: Literal["value", "p95"], theme: Theme) -> Figure:
    """A row a first stage, a column a reranker; deeper is better, or slower for `p95`."""
    values = [[_value(cell, of) for cell in row] for row in view.cells]
    known = [value for row in values for value in row if value is not None]
    low, high = min(known, default=0.0), max(known, default=1.0)
    deep = theme.accent if of == "value" else theme.down
    columns, rows = list(range(len(view.columns))), list(range(len(view.rows)))
    heat = {
        "type": "heatmap",
        "z": values,
        "x": columns,
        "y": rows,
        "zmin": low - 0.25 * (high - low),
        "zmax": high,
        "colorscale": [[0, theme.surface], [1, deep]],
        "showscale": False,
        "xgap": 3,
        "ygap": 3,
        "customdata": [[escaped(cell.detail) for cell in row] for row in view.cells],
        "hovertemplate": "%{customdata}<extra></extra>",
        "hoverongaps": False,
    }
    notes = []
    for row, cells in enumerate(view.cells):
        for column, cell in enumerate(cells):
            value = _value(cell, of)
            strong = value is not None and high > low and (value - low) / (high - low) > 0.75
            notes.append(
                {
                    "x": column,
                    "y": row,
                    "text": escaped(_words(cell, of)),
                    "showarrow": False,
                    "font": {"color": theme.background if strong else theme.text, "size": 13},
                }
            )
    common = {"fixedrange": True, "showgrid": False, "automargin": True}
    column_names = [escaped(shorten(name, 34)) for name in view.columns]
    row_names = [escaped(shorten(name, 40)) for name in view.rows]
    return figure(
        theme,
        [heat],
        xaxis=common | {"side": "top", "tickvals": columns, "ticktext": column_names},
        yaxis=common | {"autorange": "reversed", "tickvals": rows, "ticktext": row_names},
        annotations=notes,
        height=70 + 46 * len(rows),
    )


def _value(cell: GridCell, of: Literal["value", "p95"]) -> float | None:
    return cell.value if of == "value" else cell.p95


def _words(cell: GridCell, of: Literal["value", "p95"]) -> str:
    if of == "value":
        return cell.words
    return "–" if cell.p95 is None else seconds(cell.p95)
