"""Corpora as use cases: look at an upload, import it, delete a corpus."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.paths import user_path
from rerank_lab.corpora import (
    ColumnMapping,
    ImportOptions,
    ImportReport,
    Preview,
    attach_qrels,
    attach_queries,
    delete_corpus,
    import_corpus,
    inspect_upload,
)
from rerank_lab.corpora.source import Source


@dataclass(frozen=True, slots=True)
class InspectionRequest:
    """Look at a file or folder before it is imported. `name` is what the user calls it."""

    name: str
    path: Path
    options: ImportOptions = field(default_factory=ImportOptions)


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """Import a file or folder as a corpus, with files of queries and judgments if there are any.

    `source_name` is what problems call the file; empty means its own name.
    """

    path: Path
    name: str
    source_name: str = ""
    mapping: ColumnMapping | None = None
    queries: Path | None = None
    qrels: Path | None = None
    options: ImportOptions = field(default_factory=ImportOptions)


def inspect(request: InspectionRequest) -> Preview:
    """Format, columns, first rows and first problems; nothing is stored.

    Raises:
        InvalidInput: It cannot be read at all.
    """
    return inspect_upload(request.name, request.path, request.options)


def run_import(request: ImportRequest, ctx: Context | None = None) -> ImportReport:
    """Import a corpus whole, or leave the data folder as it was.

    Raises:
        InvalidInput: A file is missing or unusable, or the name is taken.
        Cancelled: `ctx` says so.
    """
    for path in (request.path, request.queries, request.qrels):
        if path is not None and not user_path(path).exists():
            raise InvalidInput(f"There is no file or folder {path}.", hint="Check the path.")
    return import_corpus(
        Source.of(user_path(request.path), request.source_name),
        request.name,
        mapping=request.mapping,
        queries=request.queries,
        qrels=request.qrels,
        options=request.options,
        ctx=ctx,
    )


@dataclass(frozen=True, slots=True)
class AttachRequest:
    """Give an imported corpus other queries or judgments."""

    corpus: str
    path: Path
    part: Literal["queries", "qrels"]


def attach(request: AttachRequest, ctx: Context | None = None) -> ImportReport:
    """Store the queries or judgments of a file in place of those that the corpus has.

    Raises:
        InvalidInput: The file is unusable, or its judgments belong to another corpus.
        Cancelled: `ctx` says so.
    """
    use = attach_queries if request.part == "queries" else attach_qrels
    return use(request.corpus, request.path, ctx=ctx)


def delete(name: str) -> None:
    """Delete an imported corpus.

    Raises:
        InvalidInput: There is none of that name, or it is a sample.
    """
    delete_corpus(name)
