"""The table of formats, and which one a file is: by its first bytes, then by its extension."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePath

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora import pages, tables
from rerank_lab.corpora.source import Source
from rerank_lab.corpora.tables import ReadOptions, Row

Reader = Callable[[Source, ReadOptions, ProblemLog], Iterator[Row]]


@dataclass(frozen=True, slots=True)
class Format:
    """`rows` is True when a file holds many records, False when it is one document."""

    name: str
    label: str
    extensions: tuple[str, ...]
    rows: bool
    read: Reader


FORMATS = {
    entry.name: entry
    for entry in (
        Format("jsonl", "JSON lines", (".jsonl", ".ndjson"), True, tables.read_jsonl),
        Format("json", "JSON array", (".json",), True, tables.read_json),
        Format("csv", "CSV or TSV", (".csv", ".tsv", ".tab"), True, tables.read_csv),
        Format("parquet", "Parquet", (".parquet", ".pq"), True, tables.read_parquet),
        Format("lines", "One text a line", (), True, tables.read_plain_lines),
        Format("markdown", "Markdown", (".md", ".markdown"), False, pages.read_markdown),
        Format("html", "HTML", (".html", ".htm", ".xhtml"), False, pages.read_html),
        Format("pdf", "PDF", (".pdf",), False, pages.read_pdf),
        Format("docx", "Word (DOCX)", (".docx",), False, pages.read_docx),
        Format("text", "Plain text", (".txt", ".text", ".rst", ".log"), False, pages.read_plain),
    )
}
ARCHIVE = ".zip"
UPLOAD_EXTENSIONS = (*(e for entry in FORMATS.values() for e in entry.extensions), ARCHIVE)

_BY_EXTENSION = {e: entry for entry in FORMATS.values() for e in entry.extensions}
_OFFICE = {".xlsx": "spreadsheet", ".pptx": "presentation", ".odt": "document", ".epub": "book"}


def is_archive(source: Source) -> bool:
    """A zip that is to be unpacked (a DOCX is a zip too, and is not)."""
    suffix = PurePath(source.name).suffix.lower()
    if suffix == ".docx" or suffix in _OFFICE:
        return False
    return suffix == ARCHIVE or source.head(4) == b"PK\x03\x04"


def known_extension(name: str) -> bool:
    return PurePath(name).suffix.lower() in _BY_EXTENSION


def format_of(source: Source, name: str = "") -> Format:
    """The format called `name`, else the one that the file is. Raises InvalidInput if unknown."""
    if name:
        if name not in FORMATS:
            raise InvalidInput(
                f"There is no format called {name!r}.", hint="Formats: " + ", ".join(FORMATS) + "."
            )
        return FORMATS[name]
    head = source.head(4096)
    suffix = PurePath(source.name).suffix.lower()
    if found := _by_magic(head):
        return FORMATS[found]
    if suffix in _OFFICE or head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        if suffix == ".docx":
            return FORMATS["docx"]
        raise InvalidInput(
            f"{source.name} is an office file that is not read.",
            hint="Save a spreadsheet as CSV, anything else as PDF, DOCX or text.",
        )
    if suffix == ".json" and _is_json_lines(head):
        return FORMATS["jsonl"]
    if suffix in _BY_EXTENSION:
        return _BY_EXTENSION[suffix]
    return FORMATS[_by_content(head)]


def _by_magic(head: bytes) -> str:
    if head.startswith(b"%PDF-"):
        return "pdf"
    return "parquet" if head.startswith(b"PAR1") else ""


def _by_content(head: bytes) -> str:
    """For files without a telling extension."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:512].lower()
    if start.startswith(b"{"):
        return "jsonl"
    if start.startswith(b"["):
        return "json"
    if re.match(rb"<(!doctype html|html|head|body)", start):
        return "html"
    lines = [line for line in head.split(b"\n")[:-1][:20] if line.strip()]
    tabs = {line.count(b"\t") for line in lines}
    return "csv" if len(lines) > 1 and len(tabs) == 1 and tabs != {0} else "text"


def _is_json_lines(head: bytes) -> bool:
    """Objects that follow each other line by line in a file that calls itself .json."""
    lines = [line.strip() for line in head.split(b"\n") if line.strip()]
    return (
        len(lines) > 1
        and all(line.startswith(b"{") for line in lines[:2])
        and (lines[0].endswith(b"}"))
    )
