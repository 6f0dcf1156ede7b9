"""Text that every file, page and terminal can carry, and JSON that anybody may have written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

_COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def load_json(text: str | bytes) -> Any:
    """`json.loads`, whose every failure is a ValueError.

    It raises RecursionError by itself for what is nested too deeply, such as 100,000 brackets.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def encodable(text: str) -> str:
    """`text` with the two halves of a character joined, and a half that stands alone replaced.

    JSON and JavaScript let half a surrogate pair stand alone; UTF-8 does not.
    """
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def printable(text: str) -> str:
    """`text` without what commands a terminal or turns the order of characters around.

    Line breaks and tabs stay; half a surrogate pair is replaced.
    """
    return _COMMANDS.sub("\ufffd", encodable(text))


def readable_size(size: int) -> str:
    """A number of bytes for people: `1.0 GB`, `12.0 KB`, `7 bytes`."""
    for unit, step in (("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)):
        if size >= step:
            return f"{size / step:.1f} {unit}"
    return f"{size} bytes"


def megabytes(size: int) -> str:
    """Bytes in decimal units, as models and downloads are told: `34 MB`, `1.1 GB`."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def duration_words(seconds: float) -> str:
    """`0.4 ms`, `640 ms`, `1.24 s`, `5 s`: up to three figures that count."""
    if seconds < 0.001:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.3g} s" if seconds < 99.95 else f"{seconds:,.0f} s"


def dollars(amount: float) -> str:
    """`2 USD`, `12.50 USD`, `0.0042 USD`."""
    if amount >= 1:
        return f"{amount:,.2f}".removesuffix(".00") + " USD"
    return f"{amount:.3g} USD"


def problems_line(problems: Iterable[str]) -> str:
    """Problems in one line, ended by one mark."""
    line = "; ".join(problems)
    return line if line.endswith("?") else f"{line}."
