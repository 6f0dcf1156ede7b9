"""Cells of CSV files that a spreadsheet would take for formulas: made harmless, and read back."""

from __future__ import annotations

import re
from typing import Any

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_HARMLESS = re.compile(r"'+[=+\-@\t\r]")


def harmless_cell(text: str) -> str:
    """The text as a cell that no spreadsheet computes: with ' before = + - @ tab or line end.

    A text that looks like such a cell gets one ' more, so that `plain_cell` gives every text back.
    """
    return "'" + text if _FORMULA.match(text) else text


def plain_cell(cell: Any) -> Any:
    """The text that `harmless_cell` made the cell of; anything else as it is."""
    return cell[1:] if isinstance(cell, str) and _HARMLESS.match(cell) else cell
