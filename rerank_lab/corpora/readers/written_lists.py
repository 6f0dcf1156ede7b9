"""Lists inside the cells of a table: as JSON, as Python prints them, or as NumPy prints them.

Nothing is evaluated: Python's form goes through `ast.literal_eval`, which knows constants only.
"""

from __future__ import annotations

import ast
import io
import json
import tokenize
from typing import Any

_LONGEST = 2_000_000
"""Characters of a cell that are parsed; a longer one is no list that a table program wrote."""


def written_list(text: str) -> list[Any] | dict[str, Any] | None:
    """The list or dictionary that a cell holds; None for any other text.

    `['a' 'b']` is NumPy's form of two items, where Python would join the strings. A list that was
    shortened when it was printed (`['a' ... 'b']`) is none.
    """
    cell = text.strip()
    if len(cell) > _LONGEST or (cell[:1], cell[-1:]) not in (("[", "]"), ("{", "}")):
        return None
    try:
        value = json.loads(cell)
    except (ValueError, RecursionError):
        value = _python_value(cell)
    return value if isinstance(value, list | dict) else None


def _python_value(cell: str) -> Any:
    try:
        value = ast.literal_eval(_with_commas(cell))
    except (ValueError, SyntaxError, MemoryError, RecursionError, tokenize.TokenError):
        return None
    shortened = isinstance(value, list) and any(item is Ellipsis for item in value)
    return None if shortened else value


def _with_commas(cell: str) -> str:
    """The cell on one line, with a comma between strings that only white space separates."""
    tokens = [t for t in tokenize.generate_tokens(io.StringIO(cell).readline) if t.string.strip()]
    parts: list[str] = []
    for before, token in zip([None, *tokens], tokens, strict=False):
        if before and before.type == token.type == tokenize.STRING:
            parts.append(",")
        parts.append(token.string)
    return " ".join(parts)
