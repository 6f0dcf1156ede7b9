"""Plain text with one query a line."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.readers.judged.base import FoundQuery, JudgedFile, JudgedReader, Rows
from rerank_lab.corpora.source import clean_text

_COMMENT = re.compile(r"#+\s")
_BULLET = re.compile(r"\s*[-*\u2022]\s+(?=\S)")
_MARKUP = ("<!doctype", "<html", "<?xml")


class PlainQueries(JudgedReader[FoundQuery]):
    """One query a line; empty lines are skipped.

    Where the first line is a comment (`# my queries`), so are all lines that begin so. Where every
    line is an item of a list, the bullets are no part of the queries.
    """

    name = "lines"

    def recognises(self, file: JudgedFile) -> bool:
        """Any text."""
        return True

    def read(self, file: JudgedFile, log: ProblemLog) -> Rows[FoundQuery]:
        """One query a line. Raises InvalidInput for a web page and for XML without topics."""
        first = file.head[0].lstrip("\ufeff ").lower() if file.head else ""
        if first.startswith(_MARKUP):
            raise InvalidInput(
                f"{file.name} is {'XML without topics' if first[1] == '?' else 'a web page'}; it "
                "holds no queries.",
                hint="Check that the file was downloaded as it is meant: give one query a line, a "
                "table, or TREC topics.",
            )
        return Rows(_lines(file, log), "one query a line")


def _lines(file: JudgedFile, log: ProblemLog) -> Iterator[FoundQuery]:
    comments = bool(file.head) and _COMMENT.match(file.head[0].lstrip("\ufeff")) is not None
    queries = [line for line in file.head if not (comments and _COMMENT.match(line))]
    bullets = len(queries) > 1 and all(_BULLET.match(line) for line in queries)
    for number, line in file.lines(log):
        text = clean_text(line).strip()
        if comments and _COMMENT.match(line.lstrip("\ufeff")):
            log.tally(file.name, "comment lines")
        elif text:
            yield FoundQuery(number, "", _BULLET.sub("", text, count=1) if bullets else text)
        else:
            log.tally(file.name, "empty lines")
