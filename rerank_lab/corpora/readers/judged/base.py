"""The contract of readers of queries, judgments and runs, and the views of a file they share."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.mapping import Record
from rerank_lab.corpora.readers.base import SAMPLE_RECORDS, ReadOptions, TableReader
from rerank_lab.corpora.readers.registry import choose_table_reader
from rerank_lab.corpora.source import Source, detect_decoding, read_lines

_HEAD_LINES = 200


class JudgedPair(NamedTuple):
    """A judgment as it stands in a file: `query` is an id or a text, `grade` is not checked yet.

    `document` is None for a query that is listed without a judgment; `text` is that of the query
    where the file has it beside the id. `meta` are the other cells of a table's row, such as a note
    or the judge.
    """

    line: int
    query: str
    document: str | None
    grade: object
    text: str = ""
    meta: Mapping[str, Any] = {}


class FoundQuery(NamedTuple):
    """A query of a file; without an id, it gets one from its text."""

    line: int
    query_id: str
    text: str
    meta: Mapping[str, Any] = {}


class RankedPair(NamedTuple):
    """A line of a run: `rank` and `score` are None where the file does not say them."""

    line: int
    query: str
    document: str
    rank: float | None
    score: float | None
    tag: str = ""


RowT = TypeVar("RowT")


@dataclass(frozen=True, slots=True)
class Rows(Generic[RowT]):
    """The rows of a file, what they were read as, and which column was taken for what."""

    rows: Iterator[RowT]
    label: str
    columns: Mapping[str, str] = field(default_factory=dict)


class JudgedFile:
    """A file of queries, judgments or a run. Each view of it is made once, for all readers."""

    def __init__(self, source: Source, options: ReadOptions) -> None:
        self.source = source
        self.options = options

    @property
    def name(self) -> str:
        """What problems call it."""
        return self.source.name

    def lines(self, log: ProblemLog) -> Iterator[tuple[int, str]]:
        """(line number, line without its end) of every line."""
        decoding = detect_decoding(self.source, log, self.options.encoding)
        for number, line in read_lines(self.source, decoding, log, self.options.limits):
            yield number, line.rstrip("\r\n")

    @cached_property
    def head(self) -> tuple[str, ...]:
        """The first lines that are not empty. Binary files have none."""
        try:
            lines = (line for _, line in self.lines(ProblemLog()) if line.strip())
            return tuple(islice(lines, _HEAD_LINES))
        except InvalidInput:
            return ()

    @cached_property
    def value(self) -> Any:
        """The one JSON value that the file is; None when it is none, or holds one a line."""
        start = self.head[0].lstrip("\ufeff \t") if self.head else ""
        limit = self.options.limits.page_file
        if not start.startswith(("{", "[")) or self.source.size > limit:
            return None
        try:
            text = "\n".join(line for _, line in self.lines(ProblemLog()))
            return json.loads(text)
        except (ValueError, RecursionError, InvalidInput):
            return None

    @cached_property
    def table(self) -> TableReader | None:
        """The reader of the table that the file is; None when it is none."""
        return choose_table_reader(self.source, self.options)

    @cached_property
    def records(self) -> tuple[Record, ...]:
        """The first records of the table; empty when there are none."""
        if self.table is None:
            return ()
        try:
            rows = self.table.read(self.source, self.options, ProblemLog())
            return tuple(record for _, record in islice(rows, SAMPLE_RECORDS))
        except InvalidInput:
            return ()


class JudgedReader(ABC, Generic[RowT]):
    """Reads one shape of queries, judgments or runs."""

    name: ClassVar[str]
    """What `--format` calls it."""

    @abstractmethod
    def recognises(self, file: JudgedFile) -> bool:
        """Whether the file has this shape. Must not raise."""

    @abstractmethod
    def read(self, file: JudgedFile, log: ProblemLog) -> Rows[RowT]:
        """The rows, lazily. Raises InvalidInput only for a file that is unusable as a whole."""
