"""Results as HTML for notebooks and reports: plain tables in which every text is escaped."""

from __future__ import annotations

import html
from collections.abc import Sequence


def escaped(text: str) -> str:
    """Text for an element or a quoted attribute, without characters that no page can carry."""
    plain = "".join(
        character if character in "\n\t" or ord(character) >= 32 else " " for character in text
    )
    return html.escape(plain.encode("utf-8", "replace").decode("utf-8"), quote=True)


def html_table(headings: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "") -> str:
    """A table with its caption above it; the first column holds names, the others values."""
    side = ["left", *["right"] * (len(headings) - 1)]
    heads = "".join(
        f'<th style="text-align:{place}">{escaped(heading)}</th>'
        for heading, place in zip(headings, side, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f'<td style="text-align:{place}">{escaped(cell)}</td>'
            for cell, place in zip(row, side, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    above = f'<caption style="text-align:left">{escaped(caption)}</caption>' if caption else ""
    return f"<table>{above}<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
