"""The figures of deeper questions on Evaluate, on the template that every figure shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rerank_lab.charts.figures import Theme, escaped, pipeline_colour, template
from rerank_lab.evaluation.by_tag import ByTag
from rerank_lab.views.text import shorten
from rerank_lab.views.where_it_helps import QueryHeat

_NAMED_UP_TO = 60
"""Queries up to which each row of the heat map is named."""
_TALLEST = 640


def query_heat_chart(heat: QueryHeat, theme: Theme) -> Any:
    """Queries x pipelines, a row a query in the order given; an empty cell is no answer."""
    import plotly.graph_objects as go

    names = [f"{n}. {escaped(text)}" for n, text in enumerate(heat.queries, 1)]
    named = len(names) <= _NAMED_UP_TO
    columns = list(range(len(heat.labels)))
    figure = go.Figure(
        go.Heatmap(
            z=[list(row) for row in heat.values],
            x=columns,
            y=names,
            zmin=0,
            zmax=1,
            colorscale=[[0, theme.surface], [1, theme.accent]],
            xgap=2,
            ygap=1 if named else 0,
            colorbar={"title": {"text": heat.measure, "side": "right"}, "thickness": 12},
            hovertemplate="%{y}<br>%{z:.3f}<extra></extra>",
            hoverongaps=False,
        )
    )
    figure.update_layout(template(theme))
    height = 60 + 17 * len(names) if named else _TALLEST
    figure.update_layout(height=max(160, height), margin={"l": 8, "r": 8, "t": 8, "b": 8})
    figure.update_xaxes(
        side="top", tickvals=columns, ticktext=[escaped(label) for label in heat.labels],
        fixedrange=True, showgrid=False, automargin=True,
    )  # fmt: skip
    figure.update_yaxes(
        autorange="reversed", fixedrange=True, showgrid=False, automargin=True,
        showticklabels=named, tickvals=names if named else None,
        ticktext=[escaped(shorten(text, 44)) for text in heat.queries] if named else None,
    )  # fmt: skip
    return figure


def tag_chart(
    result: ByTag, labels: Mapping[str, str], colours: Mapping[str, int], theme: Theme
) -> Any:
    """Each pipeline against the baseline on each tag of two queries or more, with intervals."""
    import plotly.graph_objects as go

    figure = go.Figure()
    result = replace(result, tags=tuple(tag for tag in result.tags if tag.queries > 1))
    specs = dict.fromkeys(one.b for tag in result.tags for one in tag.comparisons)
    for place, spec in enumerate(specs):
        shift = 0.6 * ((place + 0.5) / len(specs) - 0.5)
        figure.add_trace(
            go.Scatter(
                **_tag_points(result, spec, shift),
                mode="markers",
                name=escaped(labels[spec]),
                marker={
                    "size": 9,
                    "color": pipeline_colour(theme, colours.get(spec, place)),
                    "symbol": ["circle" if tag.enough else "circle-open" for tag in result.tags],
                },
                hovertemplate="%{customdata[0]}, %{customdata[1]} queries<br>%{x:+.3f}",
            )
        )
    figure.update_layout(template(theme))
    figure.update_layout(
        height=90 + len(result.tags) * max(34, 18 * len(specs)),
        showlegend=True,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        margin={"l": 8, "r": 16, "t": 30, "b": 40},
    )
    figure.add_vline(0, line={"color": theme.still, "width": 1, "dash": "dot"})
    figure.update_xaxes(
        title=f"{result.measure} against {escaped(labels[result.baseline])}", fixedrange=True
    )
    figure.update_yaxes(
        autorange="reversed", tickvals=list(range(len(result.tags))), fixedrange=True,
        ticktext=[f"{escaped(shorten(tag.tag, 30))} ({tag.queries})" for tag in result.tags],
        automargin=True, ticksuffix="  ",
    )  # fmt: skip
    return figure


def _tag_points(result: ByTag, spec: str, shift: float) -> dict[str, Any]:
    """Differences and their intervals, a point a tag, `shift` rows below the tag's own."""
    rows = [next((one for one in tag.comparisons if one.b == spec), None) for tag in result.tags]
    ends = [
        (0.0, 0.0) if one is None or one.low is None or one.high is None
        else (one.difference - one.low, one.high - one.difference)
        for one in rows
    ]  # fmt: skip
    return {
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
