"""Queries with a number: how often each was asked, or which one it is.

coffee filters<TAB>120      a query log
    120 coffee filters      what `sort | uniq -c` prints
301:coffee filters          numbered queries of TREC's Million Query track and others
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.readers.judged.base import FoundQuery, JudgedFile, JudgedReader, Rows
from rerank_lab.corpora.source import clean_text

_NUMBER = r"(?P<number>\d{1,3}(?:,\d{3})+|\d+)"
_TEXT = r"(?P<text>\S.*?)"
_COUNTED_AFTER = re.compile(rf"\s*{_TEXT}\s*[\t;]\s*{_NUMBER}\s*")
_COUNTED_BEFORE = re.compile(rf"\s*{_NUMBER}[ \t]\s*{_TEXT}\s*")
_NUMBERED = re.compile(rf"\s*{_NUMBER}\s*(?:[:|](?:\d+[:|])?\s*|[.)]\s+){_TEXT}\s*")
_WORDS = re.compile(r"[^\W\d]")
FREQUENCY = "frequency"
"""The meta field of a query that says how often it was asked."""


class QueryLog(JudgedReader[FoundQuery]):
    """A query a line with how often it was asked, before or after it."""

    name = "query-log"

    def recognises(self, file: JudgedFile) -> bool:
        """Every line has a number, and it is no id: it follows, repeats, or is right-aligned."""
        return _log_pattern(file) is not None

    def read(self, file: JudgedFile, log: ProblemLog) -> Rows[FoundQuery]:
        """One query a line; its frequency goes to its meta."""
        pattern = _log_pattern(file) or _COUNTED_AFTER
        return Rows(_rows(file, pattern, log, counts=True), "query log with frequencies")


class NumberedQueries(JudgedReader[FoundQuery]):
    """A query a line after its number and a colon, a bar, or the mark of a numbered list."""

    name = "numbered"

    def recognises(self, file: JudgedFile) -> bool:
        """Every line begins with a number of its own, and has words after it."""
        if file.source.suffix not in ("", ".txt", ".topics", ".query"):
            return False
        matches = [_NUMBERED.fullmatch(line) for line in file.head]
        numbers = {match["number"] for match in matches if match and _WORDS.search(match["text"])}
        return len(matches) > 1 and len(numbers) == len(matches)

    def read(self, file: JudgedFile, log: ProblemLog) -> Rows[FoundQuery]:
        """One query a line with its number as its id."""
        return Rows(_rows(file, _NUMBERED, log, counts=False), "numbered queries")


def _log_pattern(file: JudgedFile) -> re.Pattern[str] | None:
    lines = file.head
    if len(lines) < 2 or file.source.suffix not in ("", ".txt", ".tsv", ".log", ".csv"):
        return None
    after = [_COUNTED_AFTER.fullmatch(line) for line in lines]
    if all(match and _WORDS.search(match["text"]) for match in after):
        return _COUNTED_AFTER
    before = [_COUNTED_BEFORE.fullmatch(line) for line in lines]
    if not all(match and _WORDS.search(match["text"]) for match in before):
        return None
    numbers = [int(match["number"].replace(",", "")) for match in before if match]
    aligned = len({len(line) - len(line.lstrip()) for line in lines}) > 1 or lines[0][0] == " "
    falling = numbers == sorted(numbers, reverse=True) and len(set(numbers)) < len(numbers)
    return _COUNTED_BEFORE if aligned or ("\t" in lines[0] and falling) else None


def _rows(
    file: JudgedFile, pattern: re.Pattern[str], log: ProblemLog, *, counts: bool
) -> Iterator[FoundQuery]:
    for line, content in file.lines(log):
        if not content.strip():
            log.tally(file.name, "empty lines")
            continue
        match = pattern.fullmatch(content)
        if match is None:
            log.error(
                "The line has no query with a number; it was left out.",
                "Write one query a line, each with its number.",
                file=file.name,
                line=line,
            )
            continue
        number, text = match["number"].replace(",", ""), clean_text(match["text"])
        if counts:
            yield FoundQuery(line, "", text, {FREQUENCY: int(number)})
        else:
            yield FoundQuery(line, number, text)
