"""Charts of a report as SVG, drawn by hand: light, readable by screen readers, on any background.

Colours are variables of the page's style, so that a chart follows its theme. No chart carries a
number that does not stand in the table beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rerank_lab.core.html_text import escaped

_WIDTH = 720
_ROW = 30
_COLOURS = 6
_CHARACTER = 7.2
"""About how wide a character of a chart is, in pixels."""


@dataclass(frozen=True, slots=True)
class IntervalMark:
    """A value with its interval; an end is None where it is open or unknown."""

    label: str
    value: float
    low: float | None
    high: float | None
    slot: int


@dataclass(frozen=True, slots=True)
class CurveMark:
    """A line through points (x, y), in the order of x."""

    label: str
    points: tuple[tuple[float, float], ...]
    slot: int
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class PointMark:
    """A point with an interval in either direction."""

    label: str
    x: IntervalMark
    y: IntervalMark
    slot: int
    faded: bool = False


def interval_chart(marks: Sequence[IntervalMark], title: str, axis: str) -> str:
    """A row for each value with its interval, and a line at 0."""
    ends = [end for m in marks for end in (m.low, m.value, m.high) if end is not None]
    lowest, highest = min([0.0, *ends]), max([0.0, *ends])
    left = min(320.0, 24 + _CHARACTER * max(len(mark.label) for mark in marks))
    ticks = nice_ticks(lowest, highest)
    place = _scale(min(lowest, ticks[0]), max(highest, ticks[-1]), left, _WIDTH - 24)
    bottom = 16 + _ROW * len(marks)
    parts = [_grid(ticks, place, bottom), _axis_title(axis, (left + _WIDTH - 24) / 2, bottom + 36)]
    zero = place(0.0)
    parts.append(f'<line class="zero" x1="{zero:.1f}" x2="{zero:.1f}" y1="8" y2="{bottom}"/>')
    for row, mark in enumerate(marks):
        y = 16 + _ROW * (row + 0.5)
        colour = _colour(mark.slot)
        low = place(mark.value if mark.low is None else mark.low)
        high = place(mark.value if mark.high is None else mark.high)
        parts.append(
            f'<text x="{left - 12:.1f}" y="{y + 4:.1f}" text-anchor="end">'
            f"{escaped(_fitting(mark.label, left - 12))}</text>"
            f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{y:.1f}" y2="{y:.1f}" stroke="{colour}" '
            'stroke-width="3"/>'
            f'<circle cx="{place(mark.value):.1f}" cy="{y:.1f}" r="5" fill="{colour}"/>'
        )
    return _svg(title, bottom + 46, parts)


def curve_chart(
    curves: Sequence[CurveMark], title: str, x_axis: str, y_axis: str, *, log_x: bool = False
) -> str:
    """Lines, each with its name at its right end."""
    of_x: Callable[[float], float] = math.log10 if log_x else float
    xs = sorted({x for curve in curves for x, _ in curve.points})
    ys = [y for curve in curves for _, y in curve.points]
    right = _WIDTH - min(240.0, 24 + _CHARACTER * max(len(curve.label) for curve in curves))
    ticks = nice_ticks(min(ys), max(ys))
    across = _scale(of_x(xs[0]), of_x(xs[-1]), 64, right)
    up = _scale(ticks[0], ticks[-1], 260, 24)
    parts = [_axis_title(x_axis, (64 + right) / 2, 304), _upright(y_axis)]
    for tick in ticks:
        y = up(tick)
        parts.append(
            f'<line class="axis" x1="64" x2="{right:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="muted" x="56" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>'
        )
    parts += [
        f'<text class="muted" x="{across(of_x(x)):.1f}" y="280" text-anchor="middle">{x:g}</text>'
        for x in xs
    ]
    for curve, y_label in zip(curves, _apart([up(c.points[-1][1]) for c in curves]), strict=True):
        points = " ".join(f"{across(of_x(x)):.1f},{up(y):.1f}" for x, y in curve.points)
        dash = ' stroke-dasharray="5 4"' if curve.dashed else ""
        parts.append(
            f'<polyline fill="none" stroke="{_colour(curve.slot)}" stroke-width="2.5"{dash} '
            f'points="{points}"/><text x="{right + 10:.1f}" y="{y_label + 4:.1f}">'
            f"{escaped(_fitting(curve.label, _WIDTH - right - 12))}</text>"
        )
    return _svg(title, 316, parts)


def point_chart(points: Sequence[PointMark], title: str, x_axis: str, y_axis: str) -> str:
    """Points with their intervals as crosses; those out of the running are paler."""
    xs = [end for p in points for end in (p.x.low, p.x.value, p.x.high) if end is not None]
    ys = [end for p in points for end in (p.y.low, p.y.value, p.y.high) if end is not None]
    x_ticks, y_ticks = nice_ticks(min([0.0, *xs]), max(xs)), nice_ticks(min(ys), max(ys))
    across = _scale(x_ticks[0], x_ticks[-1], 64, _WIDTH - 40)
    up = _scale(y_ticks[0], y_ticks[-1], 280, 24)
    parts = [_grid(x_ticks, across, 284), _axis_title(x_axis, _WIDTH / 2, 320), _upright(y_axis)]
    for tick in y_ticks:
        y = up(tick)
        parts.append(
            f'<line class="axis" x1="64" x2="{_WIDTH - 40}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="muted" x="56" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>'
        )
    labels = _label_heights([(*_label_span(p, across), up(p.y.value)) for p in points])
    parts += [_cross(*one, across, up) for one in zip(points, labels, strict=True)]
    return _svg(title, 332, parts)


def nice_ticks(low: float, high: float) -> list[float]:
    """Four to eight round numbers, the first at or below `low`, the last at or above `high`."""
    if high - low < 1e-9:
        low, high = low - 0.05, high + 0.05
    raw = (high - low) / 5
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= raw)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 10) for number in range(first, last + 1)]


def _label_heights(places: Sequence[tuple[float, float, float]]) -> list[float]:
    """Where the names of points go, so that names of neighbours do not lie on each other.

    Args:
        places: of each name where it begins and ends, and the height of its point.
    """
    heights: dict[int, float] = {}
    for index in sorted(range(len(places)), key=lambda index: places[index][2]):
        left, right, y = places[index]
        near = [heights[other] for other in heights
                if places[other][0] < right and left < places[other][1]]  # fmt: skip
        heights[index] = max([y - 8, *(height + 15 for height in near if y - 8 < height + 15)])
    return [heights[index] for index in range(len(places))]


def _label_span(point: PointMark, across: Callable[[float], float]) -> tuple[float, float]:
    """From where to where the name of a point goes: to its right, or left where that is narrow."""
    x, width = across(point.x.value), _CHARACTER * min(len(point.label), int(300 / _CHARACTER))
    return (x - 10 - width, x - 10) if _on_left(x, point.label) else (x + 10, x + 10 + width)


def _on_left(x: float, label: str) -> bool:
    return x > _WIDTH - 60 - _CHARACTER * len(label)


def _cross(
    point: PointMark,
    label_y: float,
    across: Callable[[float], float],
    up: Callable[[float], float],
) -> str:
    colour, x, y = _colour(point.slot), across(point.x.value), up(point.y.value)
    lines = ""
    if point.x.low is not None and point.x.high is not None:
        lines += _line(across(point.x.low), y, across(point.x.high), y, colour)
    if point.y.low is not None and point.y.high is not None:
        lines += _line(x, up(point.y.low), x, up(point.y.high), colour)
    anchor, shift = ("end", -10) if _on_left(x, point.label) else ("start", 10)
    return (
        f'<g opacity="{0.45 if point.faded else 1}">{lines}'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6" fill="{colour}"/>'
        f'<text x="{x + shift:.1f}" y="{label_y:.1f}" text-anchor="{anchor}">'
        f"{escaped(_fitting(point.label, 300))}</text></g>"
    )


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
        'stroke-width="2"/>'
    )


def _grid(ticks: Sequence[float], place: Callable[[float], float], bottom: float) -> str:
    return "".join(
        f'<line class="axis" x1="{place(tick):.1f}" x2="{place(tick):.1f}" y1="8" y2="{bottom}"/>'
        f'<text class="muted" x="{place(tick):.1f}" y="{bottom + 16}" text-anchor="middle">'
        f"{tick:g}</text>"
        for tick in ticks
    )


def _axis_title(text: str, x: float, y: float) -> str:
    return f'<text class="muted" x="{x:.1f}" y="{y}" text-anchor="middle">{escaped(text)}</text>'


def _upright(text: str) -> str:
    return f'<text class="muted" x="8" y="14">{escaped(text)}</text>'


def _apart(heights: Sequence[float]) -> list[float]:
    """Heights of names, moved down until none lies on another."""
    moved: dict[int, float] = {}
    last = -math.inf
    for place in sorted(range(len(heights)), key=lambda place: heights[place]):
        last = max(heights[place], last + 16)
        moved[place] = last
    return [moved[place] for place in range(len(heights))]


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    width = (high - low) or 1.0
    return lambda value: start + (value - low) / width * (end - start)


def _fitting(label: str, width: float) -> str:
    """The label, cut where it would leave its place."""
    most = max(4, int(width / _CHARACTER))
    return label if len(label) <= most else f"{label[: most - 1]}…"


def _colour(slot: int) -> str:
    return f"var(--p{slot % _COLOURS})"


def _svg(title: str, height: float, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height:.0f}" role="img" aria-label="{escaped(title)}">'
        f"<title>{escaped(title)}</title>{''.join(parts)}</svg>"
    )
