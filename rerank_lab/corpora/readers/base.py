"""The contract of a reader: recognise one shape of file, then read it row by row.

A reader is a class with a `name`, a `label` and two methods, `sniff` and `read`, registered in the
entry point group `rerank_lab.readers`. docs/add-a-corpus-format.md shows how to write one.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import PurePath
from typing import Any, ClassVar, NamedTuple

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.limits import DEFAULT_LIMITS, Limits
from rerank_lab.corpora.mapping import ColumnMapping, Record, Row
from rerank_lab.corpora.source import Source, detect_decoding

SAMPLE_RECORDS = 50


class QueryRow(NamedTuple):
    """A query that stands in a corpus file; `meta` holds its reference answers, if it has any."""

    line: int
    query_id: str
    text: str
    meta: Mapping[str, Any] = {}


class JudgmentRow(NamedTuple):
    """A relevance grade that stands in a corpus file."""

    line: int
    query_id: str
    document_id: str
    grade: int


Entry = Row | QueryRow | JudgmentRow


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What the user overrides; empty or None means: find out."""

    encoding: str = ""
    delimiter: str = ""
    header: bool | None = None
    limits: Limits = field(default=DEFAULT_LIMITS)
    columns: Mapping[str, str] = field(default_factory=dict)
    """Role -> column: `COLUMN_ROLES` says which roles a file of each kind has."""
    format: str = ""
    """The name of a reader."""


COLUMN_ROLES: Mapping[str, tuple[str, ...]] = {
    "corpus": ("id", "text", "title", "meta"),
    "queries": ("id", "text"),
    "qrels": ("query", "document", "grade", "documents", "negatives"),
    "run": ("query", "document", "rank", "score"),
}
"""What columns may mean in a file of each kind. Names in `meta` are joined by +."""


@dataclass(frozen=True, slots=True)
class Match:
    """How sure a reader is that a source has its shape, and the evidence in a few words.

    `confidence` is 1 for bytes that only this shape has, 0.8 to 0.95 for telling keys or structure,
    up to 0.6 for a container that more special shapes may use (JSON lines, Parquet), 0.5 for the
    extension of a file name alone, 0.1 or less for a last resort.
    """

    confidence: float
    reason: str


class Sample:
    """The beginning of a source. Each view of it is made once, for all readers that look at it."""

    def __init__(
        self, source: Source, options: ReadOptions, tables: Sequence[TableReader] = ()
    ) -> None:
        self.source = source
        self.options = options
        self._tables = tables

    @property
    def suffix(self) -> str:
        """The extension of the name in lower case, such as `.csv`."""
        return self.source.suffix

    @cached_property
    def head(self) -> bytes:
        """The first 64 KB."""
        return self.source.head()

    @cached_property
    def start(self) -> bytes:
        """The first 512 bytes after byte order mark and white space, in lower case."""
        return self.head.lstrip(b"\xef\xbb\xbf \t\r\n")[:512].lower()

    @cached_property
    def text(self) -> str:
        """The first 64 KB as text; empty for a binary file."""
        try:
            decoding = detect_decoding(self.source, ProblemLog(), self.options.encoding)
        except InvalidInput:
            return ""
        return self.head.decode(decoding.codec, "replace").replace("\r\n", "\n")

    @cached_property
    def table(self) -> TableReader | None:
        """The reader of the table that the source is, when it is one."""
        matches = [
            (match.confidence, reader) for reader in self._tables if (match := reader.sniff(self))
        ]
        return max(matches, key=lambda pair: pair[0])[1] if matches else None

    @cached_property
    def records(self) -> tuple[Record, ...]:
        """The first rows of a table; empty when the source is none or cannot be read."""
        if self.table is None:
            return ()
        try:
            rows = self.table.read(self.source, self.options, ProblemLog())
            return tuple(record for _, record in islice(rows, SAMPLE_RECORDS))
        except InvalidInput:
            return ()


class Reader(ABC):
    """Reads one shape of source."""

    name: ClassVar[str]
    """What `--format` and saved files call it."""
    label: ClassVar[str]
    """What people are shown, as in "read as <label>"."""
    extensions: ClassVar[tuple[str, ...]] = ()
    """Extensions of file names that usually have this shape, in lower case and with the dot."""
    mapping: ClassVar[ColumnMapping | None] = None
    """The columns of its rows where the shape fixes them; None guesses, or asks the user."""

    @abstractmethod
    def sniff(self, sample: Sample) -> Match | None:
        """How likely the source has this shape; None when it has not. Must not raise."""

    @abstractmethod
    def read(self, source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Entry]:
        """The rows of documents, and the queries and judgments that stand between them.

        What a row lacks goes to `log` and the rest is read. Raises InvalidInput only for a source
        that is unusable as a whole.
        """

    def by_extension(self, sample: Sample, confidence: float = 0.5) -> Match | None:
        """The match that the name of the file alone allows."""
        if sample.suffix not in self.extensions:
            return None
        return Match(confidence, f"its name ends in {sample.suffix}")


class TableReader(Reader):
    """Reads records with named columns: their meaning is guessed, and the user may correct it.

    Query and judgment files are read by these as well.
    """

    @abstractmethod
    def read(self, source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
        """(line, record) pairs; the line is that where the record begins, from 1."""


class PageReader(Reader):
    """Reads a file that is one document: one row with `id`, `title` and `text`."""

    mapping = ColumnMapping("text", "id", "title")


def page_row(source: Source, title: str, text: str, **more: int) -> Row:
    """The row of a one-document file: its id is its path, its title at worst its name."""
    name = re.sub(r"\s+", "_", PurePath(source.name).as_posix())
    title = title or PurePath(source.name).stem.replace("_", " ")
    return 0, {"id": name, "title": title, "text": text.strip(), **more}


def broken_file(source: Source, label: str, error: Exception) -> InvalidInput:
    """The error for a file that its parser cannot make sense of."""
    reason = str(error).split("\n")[0] or "it is damaged"
    return InvalidInput(
        f"{source.name} cannot be read as {label}: {reason}.",
        hint=f"Open it in a program that shows {label} files and save it again.",
    )


def first_value(record: Record, names: Sequence[str]) -> Any:
    """The first value among some columns that is neither missing nor empty."""
    return next(
        (record[name] for name in names if record.get(name) not in (None, "", [], {})), None
    )
