"""Which readers there are (found by entry point), and which one a source is for."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import cache
from pathlib import PurePath

from rerank_lab.components.plugins import plugins
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.mapping import Row
from rerank_lab.corpora.readers.base import Match, Reader, ReadOptions, Sample, TableReader
from rerank_lab.corpora.source import COMPRESSED_SUFFIXES, Source, uncompressed_name

GROUP = "rerank_lab.readers"
ARCHIVE = ".zip"
_OFFICE = (".xlsx", ".xls", ".pptx", ".ppt", ".doc", ".odt", ".ods", ".epub")
_log = logging.getLogger(__name__)


@cache
def readers() -> dict[str, Reader]:
    """Every reader by name. One that cannot be loaded is logged and left out."""
    entry_points = plugins(GROUP)
    loaded: dict[str, Reader] = {}
    for entry_point in sorted(entry_points, key=lambda e: not e.value.startswith("rerank_lab.")):
        try:
            reader = entry_point.load()()
        except (Exception, SystemExit) as error:  # a plugin may raise anything while it is imported
            _log.warning("The reader %s cannot be loaded: %s", entry_point.name, error)
            continue
        if isinstance(reader, Reader):
            loaded.setdefault(reader.name, reader)
    return loaded


def reader_named(name: str) -> Reader:
    """The reader of that name, or InvalidInput with the names that there are."""
    try:
        return readers()[name]
    except KeyError:
        raise InvalidInput(
            f"There is no format called {name!r}.", hint="Formats: " + ", ".join(readers()) + "."
        ) from None


def table_readers() -> tuple[TableReader, ...]:
    """The readers of tables with named columns."""
    return tuple(reader for reader in readers().values() if isinstance(reader, TableReader))


def choose_reader(source: Source, options: ReadOptions | None = None) -> tuple[Reader, Match]:
    """The reader for a source, and why: the named one, else the one that is surest of its shape.

    Where columns are named, a table is read as such, whatever shape it has inside. Raises
    InvalidInput for an unknown name and for an office file that no reader takes.
    """
    options = options or ReadOptions()
    if options.format:
        return reader_named(options.format), Match(1.0, "it was chosen")
    sample = Sample(source, options, table_readers())
    if options.columns and sample.table:
        return sample.table, Match(1.0, "its columns were named")
    if sample.head[257:262] == b"ustar":
        raise InvalidInput(
            f"{source.name} is a tar archive, which is not read.",
            hint="Unpack it and give the folder, or zip the files.",
        )
    best: tuple[Reader, Match] | None = None
    for reader in readers().values():
        match = _sniffed(reader, sample)
        if match is not None and (best is None or match.confidence > best[1].confidence):
            best = reader, match
    office = sample.suffix in _OFFICE or sample.head.startswith(
        (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
    )
    if best is None or (office and best[1].confidence < 0.5):
        raise InvalidInput(
            f"{source.name} is an office file that is not read."
            if office
            else f"The format of {source.name} is not known.",
            hint="Save a spreadsheet as XLSX or CSV, anything else as PDF, DOCX or text.",
        )
    return best


def choose_table_reader(source: Source, options: ReadOptions | None = None) -> TableReader | None:
    """The reader of the table that a source is; None when it is none."""
    return Sample(source, options or ReadOptions(), table_readers()).table


def table_rows(source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
    """The rows of the table that a source is, for the readers of shapes inside tables."""
    reader = choose_table_reader(source, options)
    return reader.read(source, options, log) if reader else iter(())


def known_extension(name: str) -> bool:
    """Whether some reader takes files whose name ends so."""
    suffix = PurePath(uncompressed_name(name)).suffix.lower()
    return any(suffix in reader.extensions for reader in readers().values())


@cache
def upload_extensions() -> tuple[str, ...]:
    """The extensions of all files that can be imported."""
    names = [extension for reader in readers().values() for extension in reader.extensions]
    return tuple(dict.fromkeys([*names, ARCHIVE, *COMPRESSED_SUFFIXES]))


def is_archive(source: Source) -> bool:
    """Whether a source is a zip to be unpacked (an office file is a zip too, and is not)."""
    suffix = PurePath(source.name).suffix.lower()
    if suffix in (".docx", *_OFFICE):
        return False
    return suffix == ARCHIVE or source.head(4) == b"PK\x03\x04"


def _sniffed(reader: Reader, sample: Sample) -> Match | None:
    try:
        return reader.sniff(sample)
    except Exception:  # a plugin's mistake must not stop the import of another format
        _log.warning(
            "The reader %s failed to look at %s", reader.name, sample.source.name, exc_info=True
        )
        return None
