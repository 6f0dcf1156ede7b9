"""What bringing a corpus of one's own shows: the upload, its columns, the result, the problems."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.problems import Problem, ProblemLog
from rerank_lab.core.table_cells import harmless_cell
from rerank_lab.corpora import ColumnMapping, ImportReport, Preview
from rerank_lab.corpora.addresses import OriginChanges
from rerank_lab.corpora.mapping import DocumentBuilder
from rerank_lab.corpora.readers.registry import table_readers
from rerank_lab.views.corpora import Fact, snippet
from rerank_lab.views.formatting import counted, document_counts

NO_COLUMN = "(none)"
NO_QUERIES_HINT = (
    "This corpus has no queries of its own. Type one on Compare, or add a query set under Change."
)
_NAMED = 5
_STEM_SUFFIXES = re.compile(r"(\.[A-Za-z0-9]{1,8}){1,2}$")
_PROBLEM_FIELDS = ("severity", "file", "line", "field", "message", "hint")


@dataclass(frozen=True, slots=True)
class ColumnLine:
    """One column of an upload: its guessed role, how full it is (0 to 1), some values."""

    name: str
    role: str
    filled: float
    samples: str


@dataclass(frozen=True, slots=True)
class MappedRow:
    """One document as the import would make it from one of the first rows."""

    id: str
    title: str
    text: str
    meta: str


@dataclass(frozen=True, slots=True)
class MappedRows:
    """The first documents under a mapping, and what is wrong with the rows that give none."""

    rows: tuple[MappedRow, ...]
    problems: tuple[Problem, ...]
    error: str = ""


def upload_facts(preview: Preview) -> tuple[Fact, ...]:
    """What was recognised in an upload."""
    facts = [Fact("Format", preview.label)]
    if preview.encoding:
        facts.append(Fact("Encoding", preview.encoding.upper().replace("_", "-")))
    if preview.files > 1:
        facts.append(Fact("Files", f"{preview.files:,}"))
    rows = f"{preview.looked_at:,}" + ("" if preview.complete else " and more")
    facts.append(Fact("Rows" if preview.needs_mapping else "Documents looked at", rows))
    beside = [f"queries in {preview.queries}"] if preview.queries else []
    beside += [f"judgments in {preview.qrels}"] if preview.qrels else []
    if beside:
        facts.append(Fact("Beside the documents", ", ".join(beside)))
    return tuple(facts)


def column_lines(preview: Preview) -> tuple[ColumnLine, ...]:
    """The columns of an upload with their guessed roles."""
    return tuple(
        ColumnLine(c.name, c.role, c.filled, " · ".join(c.samples)) for c in preview.columns
    )


def mapping_of(
    id_column: str, text_column: str, title_column: str, metadata_columns: Sequence[str] | None
) -> ColumnMapping:
    """The mapping chosen in the form; `NO_COLUMN` leaves id or title out.

    `metadata_columns=None` keeps all.
    """
    return ColumnMapping(
        text_column,
        None if id_column == NO_COLUMN else id_column,
        None if title_column == NO_COLUMN else title_column,
        None if metadata_columns is None else tuple(metadata_columns),
    )


def mapped_rows(preview: Preview, mapping: ColumnMapping) -> MappedRows:
    """The documents that the preview's rows would become, made by the importer's own builder.

    Its problems have no line: a preview knows rows, not where they stand in the file.
    """
    if len(set(mapping.used)) != len(mapping.used):
        return MappedRows((), (), "The same column is chosen twice: choose different ones.")
    log = ProblemLog()
    builder = DocumentBuilder(log)
    rows = ((0, record) for record in preview.rows)
    try:
        builder.add_file(preview.source.name, rows, mapping)
    except InvalidInput as error:
        return MappedRows((), (), error.message)
    documents = tuple(
        MappedRow(
            document.id,
            document.title,
            snippet(document.text, size=200),
            json.dumps(document.meta, ensure_ascii=False, default=str) if document.meta else "",
        )
        for document in builder.documents
    )
    return MappedRows(documents, log.problems)


def suggested_name(file_name: str, taken: Collection[str]) -> str:
    """A corpus name from a file name, free among `taken`: `notes`, `notes 2`, ..."""
    stem = _STEM_SUFFIXES.sub("", PurePath(file_name.replace("\\", "/")).name)
    plain = " ".join("".join(c if c.isprintable() else " " for c in stem).split())
    base = plain[:80].strip(" .") or "My corpus"
    folded = {name.casefold() for name in taken}
    number, name = 1, base
    while name.casefold() in folded:
        number += 1
        name = f"{base} {number}"
    return name


def import_sentence(report: ImportReport) -> str:
    """What an import brought, as in `"notes" holds 240 documents and 12 queries.`.

    Every error means that something was left out; merged duplicates are notes and lose nothing.
    """
    documents = document_counts(report.documents, report.passages)
    beside = [counted(report.queries, "query", "queries")] if report.queries else []
    beside += [counted(report.judgments, "judgment")] if report.judgments else []
    parts = [documents, *beside]
    held = ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + parts[-1]
    lost = report.problem_counts.get("error", 0)
    left = f"; {counted(lost, 'entry was', 'entries were')} left out" if lost else ""
    return f'"{report.name}" holds {held}{left}.'


def changes_lines(changes: OriginChanges) -> tuple[str, ...]:
    """What is another at the address of a corpus, a line each kind; that nothing is, in one."""
    if not changes.any:
        return ("Nothing has changed there since it was imported.",)
    kinds = (("changed", changes.changed), ("new", changes.added), ("gone", changes.removed))
    lines = []
    for kind, names in kinds:
        if names:
            more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
            lines.append(f"{counted(len(names), 'file')} {kind}: {', '.join(names[:_NAMED])}{more}")
    return (*lines, "Import it again to have what lies there now.")


def mappable(preview: Preview) -> bool:
    """True for a table: its columns can be chosen. Files that are one document each have none."""
    tables = {reader.name for reader in table_readers()}
    return preview.format in tables - {"lines"}


def count_problems(problems: Sequence[Problem]) -> dict[str, int]:
    """How many problems of each severity, as `problem_sentence` takes them."""
    return dict(Counter(problem.severity.value for problem in problems))


def problem_sentence(counts: Mapping[str, int]) -> str:
    """`3 errors, 1 warning, 2 notes`; "Nothing to report" without any."""
    words = (("error", "error"), ("warning", "warning"), ("info", "note"))
    sentences = [(counts.get(key, 0), word) for key, word in words]
    sentence = [counted(n, word) for n, word in sentences if n]
    return ", ".join(sentence) or "Nothing to report"


def problems_csv(problems: Sequence[Problem]) -> str:
    """The problems as CSV: severity, file, line (empty when unknown), field, message, hint."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_PROBLEM_FIELDS)
    for problem in problems:
        text = problem.to_json() | {"line": problem.line or ""}
        writer.writerow([harmless_cell(str(text[name])) for name in _PROBLEM_FIELDS])
    return out.getvalue()
