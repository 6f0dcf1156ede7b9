"""What an upload looks like before it is imported: columns with samples, first rows, problems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.problems import Problem, ProblemLog
from rerank_lab.corpora.build import PEEK_ROWS, peek
from rerank_lab.corpora.bundle import Parts
from rerank_lab.corpora.formats import Format, format_of
from rerank_lab.corpora.roles import ColumnMapping, columns_of, guess_mapping
from rerank_lab.corpora.source import Source, detect_decoding
from rerank_lab.corpora.tables import ReadOptions, Record

SHOWN_ROWS = 10
_SHOWN_SAMPLES, _SHOWN_LETTERS = 3, 200
_PREVIEW_FILES = 20
_BINARY = ("parquet", "pdf", "docx")


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

    @property
    def needs_mapping(self) -> bool:
        return self.mapping is not None


def preview_parts(
    source: Source, parts: Parts, options: ReadOptions, format_name: str = ""
) -> Preview:
    """Look at the first file of rows, or at the first few documents of a folder."""
    log = ProblemLog(options.limits.problems)
    single = len(parts.documents) == 1
    chosen = format_of(parts.documents[0], format_name if single else "")
    if single:
        records, complete = _records(parts.documents[0], chosen, options, log)
    else:
        records, complete = _of_many(parts, options, log)
    if not records:
        raise InvalidInput(
            f"{source.name} holds nothing that can be read as {chosen.label}.",
            hint="Choose another format, or see what is wrong with the file.",
            problems=log.lines(),
        )
    mapping = guess_mapping(records) if single and chosen.rows else None
    if single and chosen.rows and mapping is None:
        log.error("No column holds text.", "Choose the column of texts.", file=source.name)
    return Preview(
        source=source,
        format=chosen.name if single else "files",
        label=chosen.label if single else "One document a file",
        encoding=_encoding(parts.documents[0], chosen, options) if single else "",
        columns=_columns(records, mapping),
        rows=tuple(_cut(record) for record in records[:SHOWN_ROWS]),
        mapping=mapping,
        files=len(parts.documents),
        queries=parts.queries.name if parts.queries else "",
        qrels=parts.qrels.name if parts.qrels else "",
        looked_at=len(records),
        complete=complete,
        problems=log.problems,
        chosen_format=format_name,
    )


def _records(
    source: Source, chosen: Format, options: ReadOptions, log: ProblemLog
) -> tuple[list[Record], bool]:
    first, _ = peek(chosen.read(source, options, log), PEEK_ROWS + 1)
    return [record for _, record in first[:PEEK_ROWS]], len(first) <= PEEK_ROWS


def _of_many(parts: Parts, options: ReadOptions, log: ProblemLog) -> tuple[list[Record], bool]:
    records: list[Record] = []
    for source in parts.documents[:_PREVIEW_FILES]:
        try:
            records += _records(source, format_of(source), options, log)[0]
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


def _encoding(source: Source, chosen: Format, options: ReadOptions) -> str:
    if chosen.name in _BINARY:
        return ""
    return detect_decoding(source, ProblemLog(), options.encoding).codec
