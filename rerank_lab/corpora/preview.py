"""What an upload looks like before it is imported: columns with samples, first rows, problems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.problems import Problem, ProblemLog, Severity
from rerank_lab.corpora.judged import judged_documents
from rerank_lab.corpora.layouts import Parts
from rerank_lab.corpora.mapping import (
    PEEK_ROWS,
    ColumnMapping,
    Record,
    column_of_ids,
    columns_of,
    guess_mapping,
    peek,
    refuse_queries,
)
from rerank_lab.corpora.readers.base import JudgmentRow, QueryRow, Reader, ReadOptions, TableReader
from rerank_lab.corpora.readers.registry import choose_reader
from rerank_lab.corpora.source import Source, detect_decoding

SHOWN_ROWS = 10
_SHOWN_SAMPLES, _SHOWN_LETTERS = 3, 200
_PREVIEW_FILES = 20


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its guessed role (`id`, `text`, `title`, `meta`) and some values as text."""

    name: str
    role: str
    samples: tuple[str, ...]
    filled: float
    """Share of the looked-at rows that have a value, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Preview:
    """`rows` are the first 10 with long texts cut; `problems` those of the first 200 rows.

    `mapping` is None for files that are one document each: there is nothing to map. `encoding` is
    empty for binary formats. `looked_at` rows were read; `complete` says whether that was all.
    """

    source: Source
    format: str
    label: str
    encoding: str
    columns: tuple[Column, ...]
    rows: tuple[Record, ...]
    mapping: ColumnMapping | None
    files: int
    queries: str
    qrels: str
    looked_at: int
    complete: bool
    problems: tuple[Problem, ...]
    chosen_format: str = ""
    reason: str = ""
    """Why the file was taken for this format."""
    document_file: str = ""
    """The name of the file that holds the documents; "" when they are several files."""

    @property
    def needs_mapping(self) -> bool:
        """Whether there are columns to choose."""
        return self.mapping is not None


def preview_parts(source: Source, parts: Parts, options: ReadOptions) -> Preview:
    """Look at the first file of rows, or at the first few documents of a folder."""
    log = ProblemLog(options.limits.problems)
    single = len(parts.documents) == 1
    options = options if single else replace(options, format="")
    reader, match = choose_reader(parts.documents[0], options)
    if single:
        records, complete = _records(parts.documents[0], reader, options, log)
    else:
        records, complete = _of_many(parts, options, log)
    if not records:
        raise InvalidInput(
            f"{source.name} holds nothing that can be read as {reader.label}.",
            hint="Choose another format, or see what is wrong with the file.",
            problems=log.lines(),
        )
    table = single and isinstance(reader, TableReader)
    mapping = guess_mapping(records, options.columns) if table else None
    mapping = _of_documents(mapping, records, options, source.name, log)
    if mapping and parts.qrels and "id" not in options.columns:
        judged = judged_documents(parts.qrels, ReadOptions())
        if column := column_of_ids(records, mapping, judged):
            mapping = replace(mapping, id=column)
            log.note(
                f"The judgments name values of {column!r}: use {column} as id.",
                "It is chosen for Id; choose another column if that is not meant.",
                file=parts.qrels.name,
            )
    if table and mapping is None and not log.count(Severity.ERROR):
        log.error("No column holds text.", "Choose the column of texts.", file=source.name)
    return Preview(
        source=source,
        format=reader.name if single else "files",
        label=reader.label if single else "One document a file",
        encoding=_encoding(parts.documents[0], options) if single else "",
        columns=_columns(records, mapping),
        rows=tuple(_cut(record) for record in records[:SHOWN_ROWS]),
        mapping=mapping,
        files=len(parts.documents),
        queries=parts.queries.name if parts.queries else "",
        qrels=parts.qrels.name if parts.qrels else "",
        looked_at=len(records),
        complete=complete,
        problems=log.problems,
        chosen_format=options.format,
        reason=match.reason if single else "",
        document_file=parts.documents[0].name if single else "",
    )


def _of_documents(
    mapping: ColumnMapping | None,
    records: Sequence[Record],
    options: ReadOptions,
    file: str,
    log: ProblemLog,
) -> ColumnMapping | None:
    """The mapping, unless its texts are queries: that is reported."""
    try:
        refuse_queries(mapping, options.columns, columns_of(records), file)
    except InvalidInput as error:
        log.refused(error, file)
        return None
    return mapping


def _records(
    source: Source, reader: Reader, options: ReadOptions, log: ProblemLog
) -> tuple[list[Record], bool]:
    entries = reader.read(source, options, log)
    rows = (entry for entry in entries if not isinstance(entry, QueryRow | JudgmentRow))
    first, _ = peek(rows, PEEK_ROWS + 1)
    return [record for _, record in first[:PEEK_ROWS]], len(first) <= PEEK_ROWS


def _of_many(parts: Parts, options: ReadOptions, log: ProblemLog) -> tuple[list[Record], bool]:
    records: list[Record] = []
    for source in parts.documents[:_PREVIEW_FILES]:
        try:
            records += _records(source, choose_reader(source, options)[0], options, log)[0]
        except InvalidInput as error:
            log.refused(error, source.name)
    return records[:PEEK_ROWS], len(parts.documents) <= _PREVIEW_FILES


def _columns(records: Sequence[Record], mapping: ColumnMapping | None) -> tuple[Column, ...]:
    roles = {mapping.id: "id", mapping.title: "title", mapping.text: "text"} if mapping else {}
    if mapping is None:
        roles = {"id": "id", "title": "title", "text": "text"}
    columns: list[Column] = []
    for name in columns_of(records):
        values = [record[name] for record in records if record.get(name) not in (None, "")]
        samples = tuple(dict.fromkeys(_short(value) for value in values[:20]))[:_SHOWN_SAMPLES]
        columns.append(Column(name, roles.get(name, "meta"), samples, len(values) / len(records)))
    return tuple(columns)


def _cut(record: Record) -> Record:
    return {name: _short(value) for name, value in record.items()}


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else "" if value is None else str(value)
    return text if len(text) <= _SHOWN_LETTERS else text[: _SHOWN_LETTERS - 1] + "…"


def _encoding(source: Source, options: ReadOptions) -> str:
    """The encoding of a text; empty for a binary file."""
    try:
        return detect_decoding(source, ProblemLog(), options.encoding).codec
    except InvalidInput:
        return ""
