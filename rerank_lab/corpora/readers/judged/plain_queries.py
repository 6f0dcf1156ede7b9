"""Plain text with one query a line."""

from __future__ import annotations

from collections.abc import Iterator

from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.readers.judged.base import FoundQuery, JudgedFile, JudgedReader, Rows
from rerank_lab.corpora.source import clean_text


class PlainQueries(JudgedReader[FoundQuery]):
    """One query a line; empty lines are skipped."""

    name = "lines"

    def recognises(self, file: JudgedFile) -> bool:
        """Any text."""
        return True

    def read(self, file: JudgedFile, log: ProblemLog) -> Rows[FoundQuery]:
        """One query a line."""
        return Rows(_lines(file, log), "one query a line")


def _lines(file: JudgedFile, log: ProblemLog) -> Iterator[FoundQuery]:
    for number, line in file.lines(log):
        if text := clean_text(line).strip():
            yield FoundQuery(number, "", text)
        else:
            log.tally(file.name, "empty lines")
