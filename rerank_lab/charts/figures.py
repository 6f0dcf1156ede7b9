"""Figures as Plotly draws them, plain dicts, on one template made from the theme's colours.

Plotly's own objects check each value as they are built, which takes longer than everything else on
a page: the tests build them once for each figure instead.

Colour never carries a meaning alone: movement has arrows and numbers, grades are written out, and
a pipeline is named wherever its colour is used.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from rerank_lab.core.spec import PipelineSpec
from rerank_lab.views.bump import Axis, Bump, BumpLine
from rerank_lab.views.evidence import StageTime
from rerank_lab.views.labels import seconds
from rerank_lab.views.text import shorten
from rerank_lab.views.times import PART_NAMES, PARTS

Figure: TypeAlias = dict[str, Any]
"""`data` and `layout` of a figure, as Plotly's schema has them."""


@dataclass(frozen=True, slots=True)
class Theme:
    """The colours of one theme. `.streamlit/config.toml` holds the same values for widgets.

    `grades` run pale to deep for grades 0 to 3; `pipelines` are told apart by colour-blind eyes and
    go to pipelines by their slot; `up` and `down` are the two ends of movement.
    """

    name: str
    accent: str
    background: str
    surface: str
    text: str
    muted: str
    border: str
    up: str
    down: str
    still: str
    grades: tuple[str, str, str, str]
    grade_text: tuple[str, str, str, str]
    grade_lines: tuple[str, str, str, str]
    pipelines: tuple[str, ...]
    mark: str


LIGHT = Theme(
    name="light",
    accent="#1d5c96",
    background="#ffffff",
    surface="#f3f5f7",
    text="#1c2630",
    muted="#5d6b78",
    border="#d5dbe1",
    up="#1d5c96",
    down="#a85400",
    still="#8a959f",
    grades=("#ece4f8", "#cbb6ea", "#8560c3", "#432579"),
    grade_text=("#432579", "#2b1559", "#ffffff", "#ffffff"),
    grade_lines=("#cfc6e2", "#b39bdd", "#8560c3", "#432579"),
    pipelines=("#356fa8", "#b9770e", "#1f8a7f", "#9c4f96", "#7a7f35", "#5d6b78"),
    mark="#fdeeb5",
)
DARK = Theme(
    name="dark",
    accent="#3877b5",
    background="#14191f",
    surface="#1e252d",
    text="#e3e8ed",
    muted="#94a1ae",
    border="#35404b",
    up="#7db4e6",
    down="#e8a256",
    still="#7b8894",
    grades=("#4a3a70", "#6d55a3", "#a58edb", "#ddd0fa"),
    grade_text=("#efe8fc", "#ffffff", "#1b1030", "#1b1030"),
    grade_lines=("#6f5d9c", "#8b74c2", "#a58edb", "#ddd0fa"),
    pipelines=("#6ea8dc", "#e0a13f", "#52b8ab", "#cf8ac8", "#b3b866", "#94a1ae"),
    mark="#5a4a12",
)


def template(theme: Theme) -> dict[str, Any]:
    """The layout that every figure shares."""
    axis = {"gridcolor": theme.border, "linecolor": theme.border, "zeroline": False}
    return {
        "font": {"family": "Source Sans, sans-serif", "size": 13, "color": theme.text},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "hoverlabel": {
            "bgcolor": theme.surface,
            "bordercolor": theme.border,
            "font": {"color": theme.text, "size": 13},
            "align": "left",
        },
        "xaxis": axis,
        "yaxis": axis,
        "showlegend": False,
        "dragmode": False,
    }


def figure(
    theme: Theme,
    traces: Sequence[Mapping[str, Any]],
    *,
    xaxis: Mapping[str, Any],
    yaxis: Mapping[str, Any],
    **layout: Any,
) -> Figure:
    """A figure of these traces. The layout is the template's where it does not say otherwise.

    Properties that are None are left out.
    """
    base = template(theme)
    axes = {"xaxis": _stated(base["xaxis"] | xaxis), "yaxis": _stated(base["yaxis"] | yaxis)}
    return {"data": [_stated(trace) for trace in traces], "layout": base | layout | axes}


def _stated(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in properties.items() if value is not None}


def upright(x: float, line: Mapping[str, Any]) -> dict[str, Any]:
    """A line from the bottom of the plot to its top, as a shape of the layout."""
    return {
        "type": "line", "x0": x, "x1": x, "xref": "x", "y0": 0, "y1": 1, "yref": "y domain",
        "line": line,
    }  # fmt: skip


def level(y: float, line: Mapping[str, Any]) -> dict[str, Any]:
    """A line from the left of the plot to its right, as a shape of the layout."""
    return {
        "type": "line", "x0": 0, "x1": 1, "xref": "x domain", "y0": y, "y1": y, "yref": "y",
        "line": line,
    }  # fmt: skip


def pipeline_colour(theme: Theme, slot: int) -> str:
    """The colour of a pipeline's place, the same on every page."""
    return theme.pipelines[slot % len(theme.pipelines)]


def line_colours(theme: Theme, line: BumpLine) -> tuple[str, str, str]:
    """Line, point and number: by grade when the query is judged, else by direction of movement."""
    if line.key.startswith("grade:"):
        grade = int(line.key.removeprefix("grade:"))
        return theme.grade_lines[grade], theme.grades[grade], theme.grade_text[grade]
    colour = {"up": theme.up, "down": theme.down}.get(line.key, theme.still)
    return colour, colour, theme.background


@dataclass(frozen=True, slots=True)
class BumpSizes:
    """How large the bump chart is drawn, in pixels.

    `height` does not depend on the ranks, so that a page can keep the place free. `right` is the
    margin for the titles beside the last axis, which are left out when `titles` is false.
    `marker` and `number` are of the first k ranks, `deep_marker` and `deep_number` of those below.
    """

    height: int = 500
    right: int = 228
    titles: bool = True
    label: int = 13
    row: int = 18
    marker: int = 19
    number: int = 10
    deep_marker: int = 16
    deep_number: int = 9


PAGE_SIZES = BumpSizes()
STAGE_SIZES = BumpSizes(
    height=500, right=20, titles=False, label=16, row=21, marker=28, number=15, deep_marker=24,
    deep_number=12,
)  # fmt: skip
"""For an audience: the documents are named by the answers beside the chart."""


def bump_chart(data: Bump, theme: Theme, sizes: BumpSizes = PAGE_SIZES) -> Figure:
    """Documents as lines over first stage and pipelines; rank 1 on top.

    Each point carries the document's id in `customdata`, so that a click can pin it. Documents
    that an axis does not have are drawn below its last rank.
    """
    floor = _height_of(data.lowest, data.k) + 1.2
    drawn = sorted(data.lines, key=lambda line: (line.pinned, line.grade or 0))
    last = len(data.axes) - 1
    width = _title_width(data.axes)
    titles_height = sizes.row * max(len(_rows(axis.label, width)) for axis in data.axes)
    after_last = 0.12 if sizes.titles else 0.35
    return figure(
        theme,
        [_bump_trace(data, line, theme, floor, sizes) for line in drawn],
        xaxis={"range": [-0.35, last + after_last], "visible": False, "fixedrange": True},
        yaxis=_rank_axis(data, theme, floor),
        height=sizes.height,
        margin={"l": 36, "r": sizes.right, "t": 12 + titles_height, "b": 8},
        hovermode="closest",
        shapes=[_cut_line(data.k, last, theme)],
        annotations=[_axis_title(place, axis, sizes, width) for place, axis in enumerate(data.axes)]
        + (_end_labels(data, theme) if sizes.titles else []),
    )


def _rank_axis(data: Bump, theme: Theme, floor: float) -> dict[str, Any]:
    """Ranks downwards; documents that an axis does not have are at `floor`."""
    ticks = [1, *range(5, data.k + 1, 5), *range(data.k + 10, data.lowest + 1, 10)]
    absent = any(place is None for line in data.lines for place in line.places)
    return {
        "range": [floor + 1, 0.2],
        "tickvals": [_height_of(tick, data.k) for tick in ticks] + [floor] * absent,
        "ticktext": [str(tick) for tick in ticks] + ["none"] * absent,
        "fixedrange": True,
        "gridcolor": theme.surface,
    }


_MANY = 14
"""With more lines than this, those that matter less are drawn faintly; ranks stay readable."""


def _height_of(rank: int, k: int) -> float:
    """Where a rank is drawn: ranks below k are a quarter as far apart, so that the top is clear."""
    return float(rank) if rank <= k else k + 0.8 + (rank - k) / 4


def _bump_trace(
    data: Bump, line: BumpLine, theme: Theme, floor: float, sizes: BumpSizes
) -> dict[str, Any]:
    colour, fill, ink = line_colours(theme, line)
    strong = line.pinned or (line.grade or 0) >= 2 or (not data.judged and line.key == "up")
    in_crowd = not strong and len(data.lines) > _MANY
    y = [floor if place is None else _height_of(place, data.k) for place in line.places]
    below = [place is None or place > data.k for place in line.places]
    return {
        "type": "scatter",
        "x": list(range(len(y))),
        "y": y,
        "mode": "lines+markers+text",
        "line": {
            "color": _faint(colour) if in_crowd else colour,
            "width": 4.5 if line.pinned else 2.6 if strong else 1.6,
            "shape": "spline",
            "smoothing": 0.4,
            "dash": "dot" if line.key == "unjudged" else "solid",
        },
        "marker": {
            "color": fill,
            "size": [sizes.deep_marker if low else sizes.marker for low in below],
            "opacity": 1.0,
            "line": {
                "color": theme.text if line.pinned else colour,
                "width": 2.5 if line.pinned else 1.2,
            },
        },
        "text": ["–" if place is None else str(place) for place in line.places],
        "textfont": {
            "size": [sizes.deep_number if low else sizes.number for low in below],
            "color": ink,
        },
        "textposition": "middle center",
        "customdata": [line.doc_id] * len(y),
        "hovertemplate": _hover(data, line) + "<extra></extra>",
    }


def _faint(colour: str) -> str:
    """A colour, written #rrggbb, that lets half of what is behind it through."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.5)"


def _hover(data: Bump, line: BumpLine) -> str:
    way = " → ".join("–" if place is None else str(place) for place in line.places)
    grade = "not judged" if line.grade is None else f"grade {line.grade}"
    label = f"<b>{escaped(shorten(line.title, 70))}</b><br>rank {way}"
    return label + (f"<br>{grade}" if data.judged else "")


def escaped(text: str) -> str:
    """Text that Plotly shows as it stands."""
    # Plotly reads a small HTML and %{...} placeholders in labels.
    return html.escape(text).replace("%", "&#37;").replace("{", "&#123;")


def _axis_title(place: int, axis: Axis, sizes: BumpSizes, width: int) -> dict[str, Any]:
    name = "<br>".join(escaped(row) for row in _rows(axis.label, width))
    return {
        "x": place, "y": 1, "yref": "paper", "yanchor": "bottom", "yshift": 6,
        "text": f"<b>{name}</b>", "showarrow": False, "font": {"size": sizes.label},
    }  # fmt: skip


def _title_width(axes: Sequence[Axis]) -> int:
    """Characters in a row of an axis' title: fewer where many axes share the width."""
    return 16 if len(axes) <= 3 else 13


def _rows(label: str, width: int) -> list[str]:
    """A pipeline's name in short rows, broken before >> and after hyphens and commas."""
    rows: list[str] = []
    for place, part in enumerate(label.split(" >> ")):
        row = ">> " if place else ""
        for piece in re.findall(r"[^-,]*[-,]?", part):
            if len(row) + len(piece) > width and row.strip(" >"):
                rows.append(row)
                row = ""
            row += piece
        rows.append(row)
    return rows[:4]


def _end_labels(data: Bump, theme: Theme) -> list[dict[str, Any]]:
    """Titles beside the last axis, one a place, for the documents that end in the top k."""
    labels: list[dict[str, Any]] = []
    taken: set[int] = set()
    for line in sorted(data.lines, key=lambda line: not line.pinned):
        place = line.places[-1]
        if place is None or (place > data.k and not line.pinned) or place in taken:
            continue
        taken.add(place)
        text = f"{escaped(shorten(line.title, 29))}  {_arrow(line)}".rstrip()
        labels.append({
            "x": len(data.axes) - 1, "y": _height_of(place, data.k),
            "xanchor": "left", "xshift": 14,
            "text": f"<b>{text}</b>" if line.pinned else text, "showarrow": False,
            "font": {"size": 12, "color": theme.text}, "align": "left",
        })  # fmt: skip
    return labels


def _arrow(line: BumpLine) -> str:
    return line.movement.shown if line.movement else ""


def _cut_line(k: int, last: int, theme: Theme) -> dict[str, Any]:
    return {
        "type": "line", "x0": -0.2, "x1": last + 0.2, "y0": k + 0.6, "y1": k + 0.6,
        "line": {"color": theme.muted, "width": 1, "dash": "dash"}, "layer": "below",
    }  # fmt: skip


def latency_chart(
    rows: Sequence[StageTime], theme: Theme, colours: Mapping[PipelineSpec, int]
) -> Figure:
    """Seconds of each stage as one bar, its parts side by side; stages of a pipeline together."""
    shades = {"load": 0.45, "build": 0.45, "queue": 0.25, "compute": 1.0, "network": 0.7}
    patterns = {"load": "/", "build": "x"}
    names = [
        escaped(row.stage)
        if place and rows[place - 1].spec == row.spec
        else f"<b>{escaped(row.label)}</b><br>{escaped(row.stage)}"
        for place, row in enumerate(rows)
    ]
    keys = [f"{place}" for place, _ in enumerate(rows)]
    traces = []
    for part in PARTS:
        values = [float(getattr(row, part)) for row in rows]
        if sum(values) < 0.0005:
            continue
        traces.append(
            {
                "type": "bar",
                "y": keys,
                "x": values,
                "orientation": "h",
                "name": PART_NAMES[part],
                "marker": {
                    "color": [pipeline_colour(theme, colours.get(row.spec, 0)) for row in rows],
                    "opacity": shades[part],
                    "pattern": {"shape": patterns.get(part, "")},
                    "line": {"width": 0},
                },
                "hovertemplate": [
                    f"{escaped(row.stage)}: {PART_NAMES[part].lower()} "
                    f"{seconds(getattr(row, part))}<extra></extra>"
                    for row in rows
                ],
            }
        )
    totals = [
        _bar_end(key, sum(getattr(row, part) for part in PARTS))
        for key, row in zip(keys, rows, strict=True)
    ]
    return _times_figure(traces, keys, names, theme, totals)


def _bar_end(key: str, total_s: float) -> dict[str, Any]:
    """The whole time of a stage, written where its bar ends."""
    return {
        "x": total_s, "y": key, "xanchor": "left", "xshift": 4, "text": seconds(total_s),
        "showarrow": False, "font": {"size": 12},
    }  # fmt: skip


def _times_figure(
    traces: list[dict[str, Any]],
    keys: list[str],
    names: list[str],
    theme: Theme,
    totals: list[dict[str, Any]],
) -> Figure:
    """A row a stage, the first on top, seconds to the right."""
    return figure(
        theme,
        traces,
        xaxis={
            "title": {"text": "seconds", "standoff": 8},
            "rangemode": "tozero",
            "automargin": True,
            "fixedrange": True,
        },
        yaxis={
            "autorange": "reversed",
            "tickvals": keys,
            "ticktext": names,
            "automargin": True,
            "fixedrange": True,
            "showgrid": False,
        },
        barmode="stack",
        height=60 + 42 * len(keys),
        showlegend=True,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        margin={"l": 8, "r": 64, "t": 30, "b": 8},
        annotations=totals,
    )


def agreement_chart(
    labels: Sequence[str],
    values: Sequence[Sequence[float | None]],
    theme: Theme,
    limits: tuple[float, float] = (0.0, 1.0),
) -> Figure:
    """A square heat map with the numbers written in; undefined cells are empty."""
    names = [escaped(label) for label in labels]
    low, high = limits
    middle = [[0.5, theme.surface]] if low < 0 else []
    start = theme.down if low < 0 else theme.surface
    heat = {
        "type": "heatmap",
        "z": [list(row) for row in values],
        "x": names,
        "y": names,
        "zmin": low,
        "zmax": high,
        "colorscale": [[0, start], *middle, [1, theme.up]],
        "xgap": 3,
        "ygap": 3,
        "showscale": False,
        "hovertemplate": "%{y}<br>%{x}<br><b>%{z:.3f}</b><extra></extra>",
    }
    common = {"automargin": True, "fixedrange": True, "showgrid": False}
    return figure(
        theme,
        [heat],
        xaxis=common | {"side": "top"},
        yaxis=common | {"autorange": "reversed"},
        annotations=[
            _cell_note(names[other], names[place], value, theme)
            for place, row in enumerate(values)
            for other, value in enumerate(row)
        ],
        height=110 + 54 * len(names),
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
    )


def _cell_note(x: str, y: str, value: float | None, theme: Theme) -> dict[str, Any]:
    """The number in a cell of a heat map."""
    dark = value is not None and abs(value) > 0.7
    return {
        "x": x,
        "y": y,
        "text": "–" if value is None else f"{value:.2f}",
        "showarrow": False,
        "font": {"color": theme.background if dark else theme.text, "size": 14},
    }
