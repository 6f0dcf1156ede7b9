"""How the values of a table of results are written, one way for each unit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rerank_lab.evaluation.experiments.columns import ResultColumn, ResultRow, Unit
from rerank_lab.views.labels import seconds

MEASURE_DIGITS = 3
TERMINAL_DIGITS = 4


def p_words(p: float | None) -> str:
    """`p < 0.001`, `p = 0.012`; "no p-value" for too few queries."""
    if p is None:
        return "no p-value"
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.0995 else f"p = {p:.2f}"


def signed(value: float) -> str:
    """`+0.21`, `−0.05`, `0.00`, with a true minus; two decimals, three when small."""
    digits_text = f"{abs(value):.2f}" if abs(value) >= 0.095 else f"{abs(value):.3f}"
    if not float(digits_text):
        return digits_text
    return f"+{digits_text}" if value > 0 else f"−{digits_text}"


FORMATS: Mapping[Unit, Callable[[Any], str]] = {
    "text": str,
    "count": lambda count: f"{count:,}",
    "share": lambda share: f"{share:.0%}",
    "seconds": seconds,
    "difference": signed,
    "p": p_words,
}
"""By unit; a measure is written with as many decimals as its table has room for."""


def cell_text(column: ResultColumn, row: ResultRow, digits: int = MEASURE_DIGITS) -> str:
    """A value in words, or what stands there without one. The remark of a cell is apart."""
    value = column.value(row)
    if value is None:
        return column.absence(row)
    if column.unit == "measure":
        return f"{value:.{digits}f}"
    return FORMATS[column.unit](value)


def exported(column: ResultColumn, row: ResultRow) -> str:
    """A value in CSV: unrounded, empty without one."""
    value = column.value(row)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return repr(value) if isinstance(value, float) else str(value)
