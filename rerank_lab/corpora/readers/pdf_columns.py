"""Columns of a PDF page in reading order, found in the page's text as it is laid out.

A table has gutters too, and stays as it is, row by row: only columns of running text are taken
apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

_LEAST_LINES = 4
"""Lines with text on both sides of a gutter that make columns."""
_LEAST_WORDS = 3.0
"""Mean words a line on either side; cells of a table have fewer."""
_MOST_LEVELS = 2
"""Gutters inside the parts of a gutter: up to four columns."""


def in_reading_order(laid_out: str) -> str | None:
    """The text of a page with its columns one after the other; None for a page without columns.

    Args:
        laid_out: the page as lines of characters that stand where they stand on paper.
    """
    lines = [line.rstrip() for line in laid_out.split("\n")]
    if _gutter(lines) is None:
        return None
    ordered = (" ".join(line.split()) for line in _ordered(lines, 0))
    return "\n".join(line for line in ordered if line)


def _ordered(lines: Sequence[str], level: int) -> list[str]:
    """Between lines that run across the gutter, those left of it, then those right of it."""
    gutter = _gutter(lines) if level < _MOST_LEVELS else None
    if gutter is None:
        return list(lines)
    ordered: list[str] = []
    left: list[str] = []
    right: list[str] = []
    for line in [*lines, None]:
        if line is not None and _is_free(line, gutter):
            left.append(line[:gutter].rstrip())
            right.append(line[gutter:])
            continue
        ordered += [*_ordered(left, level + 1), *_ordered(right, level + 1)]
        left, right = [], []
        if line is not None:
            ordered.append(line)
    return ordered


def _gutter(lines: Sequence[str]) -> int | None:
    """The position at which most lines are split in two pieces of running text."""
    starts = Counter(start for line in lines for start in _starts(line))
    best: tuple[int, int] | None = None
    for start in starts:
        sides = [
            (line[:start].split(), line[start:].split()) for line in lines if _is_free(line, start)
        ]
        both = [(left, right) for left, right in sides if left and right]
        if len(both) < _LEAST_LINES or 2 * len(both) < sum(bool(line.strip()) for line in lines):
            continue
        least = min(sum(len(pair[side]) for pair in both) / len(both) for side in (0, 1))
        if least >= _LEAST_WORDS and (best is None or len(both) > best[0]):
            best = len(both), start
    return best[1] if best else None


def _starts(line: str) -> list[int]:
    """Where text begins after at least two spaces inside a line."""
    text = line.lstrip()
    offset = len(line) - len(text)
    return [offset + n for n in range(2, len(text)) if text[n] != " " and text[n - 2 : n] == "  "]


def _is_free(line: str, position: int) -> bool:
    """Whether nothing of a line stands right before a position."""
    return not line[max(0, position - 2) : position].strip()
