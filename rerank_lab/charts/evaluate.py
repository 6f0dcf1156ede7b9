"""The figures of deeper questions on Evaluate, on the template that every figure shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rerank_lab.charts.figures import Figure, Theme, escaped, figure, pipeline_colour, upright
from rerank_lab.evaluation.by_tag import ByTag
from rerank_lab.views.text import shorten
from rerank_lab.views.where_it_helps import QueryHeat


def query_heat_chart(heat: QueryHeat, theme: Theme) -> Figure:
    """Queries x pipelines, a row a query in the order given; an empty cell is no answer.

    Cells are bars, which, unlike those of Plotly's heat maps, can be clicked: their `customdata`
    begins with the id of the query.
    """
    rows = range(heat.first, heat.first + len(heat.queries))
    names = [f"{n}. {escaped(text)}" for n, text in zip(rows, heat.queries, strict=True)]
    columns = list(range(len(heat.labels)))
    common = {"fixedrange": True, "showgrid": False, "automargin": True, "zeroline": False}
    across = {"tickvals": columns, "ticktext": [escaped(label) for label in heat.labels]}
    return figure(
        theme,
        [_heat_column(heat, place, names) for place in columns],
        xaxis=common | across | {"side": "top", "range": [-0.5, len(columns) - 0.5]},
        yaxis=common
        | {
            "autorange": "reversed",
            "categoryorder": "array",
            "categoryarray": names,
            "tickvals": names,
            "ticktext": [escaped(shorten(text, 44)) for text in heat.queries],
            "ticksuffix": "  ",
        },
        coloraxis={
            "cmin": 0,
            "cmax": 1,
            "colorscale": [[0, theme.surface], [1, theme.accent]],
            "colorbar": {"title": {"text": heat.measure, "side": "right"}, "thickness": 12},
        },
        barmode="overlay",
        showlegend=False,
        height=max(160, 60 + 19 * len(names)),
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
    )


def _heat_column(heat: QueryHeat, place: int, names: Sequence[str]) -> dict[str, Any]:
    """The cells of one pipeline; none where a query has no answer."""
    cells = [
        (name, query_id, row[place])
        for name, query_id, row in zip(names, heat.query_ids, heat.values, strict=True)
        if row[place] is not None
    ]
    label = escaped(heat.labels[place])
    return {
        "type": "bar",
        "orientation": "h",
        "y": [name for name, _, _ in cells],
        "x": [0.98] * len(cells),
        "base": [place - 0.49] * len(cells),
        "width": 0.94,
        "marker": {"color": [value for _, _, value in cells], "coloraxis": "coloraxis"},
        "unselected": {"marker": {"opacity": 1}},
        "customdata": [[query_id, value] for _, query_id, value in cells],
        "hovertemplate": f"%{{y}}<br>{label} %{{customdata[1]:.3f}}<extra></extra>",
    }


def tag_chart(
    result: ByTag, labels: Mapping[str, str], colours: Mapping[str, int], theme: Theme
) -> Figure:
    """Each pipeline against the baseline on each tag of two queries or more, with intervals."""
    result = replace(result, tags=tuple(tag for tag in result.tags if tag.queries > 1))
    specs = list(dict.fromkeys(one.b for tag in result.tags for one in tag.comparisons))
    traces = [
        _tag_points(result, spec, 0.6 * ((place + 0.5) / len(specs) - 0.5))
        | {
            "name": escaped(labels[spec]),
            "marker": {
                "size": 9,
                "color": pipeline_colour(theme, colours.get(spec, place)),
                "symbol": ["circle" if tag.enough else "circle-open" for tag in result.tags],
            },
        }
        for place, spec in enumerate(specs)
    ]
    baseline = escaped(labels[result.baseline])
    return figure(
        theme,
        traces,
        xaxis={"title": {"text": f"{result.measure} against {baseline}"}, "fixedrange": True},
        yaxis={
            "autorange": "reversed",
            "tickvals": list(range(len(result.tags))),
            "ticktext": [f"{escaped(shorten(t.tag, 30))} ({t.queries})" for t in result.tags],
            "fixedrange": True,
            "automargin": True,
            "ticksuffix": "  ",
        },
        shapes=[upright(0, {"color": theme.still, "width": 1, "dash": "dot"})],
        height=90 + len(result.tags) * max(34, 18 * len(specs)),
        showlegend=True,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        margin={"l": 8, "r": 16, "t": 30, "b": 40},
    )


def _tag_points(result: ByTag, spec: str, shift: float) -> dict[str, Any]:
    """Differences and their intervals, a point a tag, `shift` rows below the tag's own."""
    rows = [next((one for one in tag.comparisons if one.b == spec), None) for tag in result.tags]
    ends = [
        (0.0, 0.0) if one is None or one.low is None or one.high is None
        else (one.difference - one.low, one.high - one.difference)
        for one in rows
    ]  # fmt: skip
    return {
        "type": "scatter",
        "mode": "markers",
        "hovertemplate": "%{customdata[0]}, %{customdata[1]} queries<br>%{x:+.3f}",
        "x": [None if one is None else one.difference for one in rows],
        "y": [place + shift for place in range(len(rows))],
        "customdata": [[tag.tag, tag.queries] for tag in result.tags],
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [high for _, high in ends],
            "arrayminus": [low for low, _ in ends],
            "thickness": 2,
            "width": 3,
        },
    }
