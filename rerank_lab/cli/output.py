"""Everything that the command line writes: results, tables, progress and errors."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import time
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

from rerank_lab.core.errors import InvalidInput, LabError

if TYPE_CHECKING:
    from rerank_lab.core.context import Progress

_EVERY_S = 0.1


class Output:
    """Standard output and standard error, as text for people or as JSON for programs."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self._shown_at = 0.0
        self._shown = False
        self._waiting: list[str] | None = None

    @contextmanager
    def own_stdout(self) -> Iterator[None]:
        """With --json standard output holds the JSON alone, whatever a library prints there.

        Inside, the stream and its file descriptor lead to standard error; lines wait until the end.
        """
        if not self.as_json:
            yield
            return
        self._waiting, stdout = [], sys.stdout
        stdout.flush()
        real = os.dup(1)
        os.dup2(2, 1)
        try:
            with redirect_stdout(sys.stderr):
                yield
        finally:
            os.dup2(real, 1)
            os.close(real)
            lines, self._waiting = self._waiting, None
            stdout.write("".join(lines))

    def prepare(self) -> None:
        """Characters that the terminal lacks become "?"; with --json no log mixes with errors."""
        for stream in (sys.stdout, sys.stderr):
            reconfigure = getattr(stream, "reconfigure", None)
            if reconfigure is not None:
                reconfigure(errors="replace")
        logging.captureWarnings(True)
        if self.as_json:
            logging.getLogger().addHandler(logging.NullHandler())

    def json(self, value: Any) -> None:
        """One line of JSON, ASCII only, so that no locale can spoil it."""
        self.line(json.dumps(value, allow_nan=False))

    def line(self, text: str = "") -> None:
        """One line on standard output."""
        self._clear()
        if self._waiting is not None:
            self._waiting.append(f"{text}\n")
        else:
            sys.stdout.write(f"{text}\n")

    def table(self, rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> None:
        """Aligned columns, the first row as headings; columns in `right` are right-aligned."""
        widths = [max(columns(cell) for cell in column) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = [
                pad(c, w, i in right) for i, (c, w) in enumerate(zip(row, widths, strict=True))
            ]
            self.line("  ".join(cells).rstrip())

    def note(self, text: str) -> None:
        """A remark for people, on standard error; nothing with --json."""
        if not self.as_json:
            self._clear()
            sys.stderr.write(f"{text}\n")

    def error(self, error: LabError) -> None:
        """The error as JSON or as text. Tracebacks are never shown."""
        self._clear()
        values = {"error": error.kind, "message": error.message, "hint": error.hint}
        problems = list(error.problems) if isinstance(error, InvalidInput) else []
        if self.as_json:
            extra = {"problems": problems} if problems else {}
            sys.stderr.write(json.dumps(values | extra) + "\n")
            return
        listed = [f"  - {problem}" for problem in problems if problem not in error.message]
        lines = [f"error: {error.message}", *listed, f"hint: {error.hint}" if error.hint else ""]
        for line in lines:
            if line:
                sys.stderr.write(printable(line, keep="\n") + "\n")

    def progress(self, now: Progress) -> None:
        """What is happening, on one line of a terminal that is written over and over."""
        if self.as_json or not sys.stderr.isatty() or time.monotonic() - self._shown_at < _EVERY_S:
            return
        self._shown_at, self._shown = time.monotonic(), True
        count = f" {now.done:,} / {now.total:,}" if now.total else ""
        text = cut(f"{now.message}{count}", screen_width() - 1)
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()

    def finish(self) -> None:
        """Write what is still held back."""
        self._clear()
        sys.stdout.flush()

    def _clear(self) -> None:
        if self._shown:
            self._shown = False
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def screen_width() -> int:
    """Columns of the terminal."""
    return min(shutil.get_terminal_size((100, 24)).columns, 160)


def columns(text: str) -> int:
    """How many columns of a terminal the text takes: wide characters take two, marks none."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(unicodedata.combining(letter) > 0 for letter in text)


def pad(text: str, width: int, right: bool = False) -> str:
    """The text filled up with spaces to `width` columns of the terminal."""
    gap = " " * (width - columns(text))
    return gap + text if right else text + gap


def cut(text: str, width: int) -> str:
    """At most `width` columns, with an ellipsis where something was left out."""
    text = printable(text)
    if columns(text) <= width:
        return text
    letters: list[str] = []
    room = width - 1
    for letter in text:
        room -= columns(letter)
        if room < 0:
            break
        letters.append(letter)
    return "".join(letters).rstrip() + "…"


def printable(text: str, keep: str = "") -> str:
    """Without control characters (a document could hold a terminal's commands) and line breaks."""
    return "".join(
        letter if letter in keep or unicodedata.category(letter)[0] != "C" else " "
        for letter in text
    )


def number(value: float | None, digits: int = 4) -> str:
    """A value as a table shows it; "-" for None."""
    return "–" if value is None else f"{value:.{digits}f}"


def seconds(value: float | None) -> str:
    """A time for people: `0.4 ms`, `12 ms`, `1.3 s`, `4 min`."""
    if value is None:
        return "–"
    if value < 0.01:
        return f"{value * 1000:.1f} ms"
    if value < 1:
        return f"{value * 1000:.0f} ms"
    return f"{value:.1f} s" if value < 120 else f"{value / 60:.0f} min"
