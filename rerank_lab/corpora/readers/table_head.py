"""What stands above a table: its title, when it was exported, comments."""

from __future__ import annotations

from collections.abc import Sequence

from rerank_lab.corpora.mapping import is_known_name


def rows_above(rows: Sequence[Sequence[str]]) -> int:
    """How many of the first rows stand above the table, whose header is a row with a known name.

    A row above has one filled cell at most, and the header has more; comments begin with #.
    """
    wide = next((n for n, cells in enumerate(rows) if _filled(cells) > 1), 0)
    above = rows[:wide]
    comments = all(cells and cells[0].lstrip().startswith("#") for cells in above)
    header = bool(above) and any(map(is_known_name, rows[wide]))
    return wide if header or (above and comments) else 0


def _filled(cells: Sequence[str]) -> int:
    return sum(bool(cell.strip()) for cell in cells)
