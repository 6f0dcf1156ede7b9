"""Corpora as use cases: look at an upload, import it, delete a corpus."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.paths import data_home, user_path
from rerank_lab.corpora import (
    ColumnMapping,
    Corpus,
    CorpusEntry,
    CorpusSummary,
    ImportOptions,
    ImportReport,
    Preview,
    attach_qrels,
    attach_queries,
    delete_corpus,
    import_corpus,
    inspect_upload,
    list_corpora,
    stored_summary,
    summarise,
)
from rerank_lab.corpora.addresses import OriginChanges, bring, origin_changes
from rerank_lab.corpora.source import Source
from rerank_lab.corpora.store import imported_entry, read_origin
from rerank_lab.jobs.keys import JobKey
from rerank_lab.jobs.table import Job
from rerank_lab.remote.objects.address import (
    OWN_RULES,
    AddressRules,
    is_address,
    parse_address,
    visitor_rules,
)
from rerank_lab.remote.objects.store import FileOrigin
from rerank_lab.services.access import OWNER, Action, current_visitor, needs, require
from rerank_lab.services.session import Session
from rerank_lab.services.stored_indexes import delete_indexes


@dataclass(frozen=True, slots=True)
class InspectionRequest:
    """Look at a file or folder before it is imported. `name` is what the user calls it."""

    name: str
    path: Path
    options: ImportOptions = field(default_factory=ImportOptions)


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """Import a file or folder as a corpus, with files of queries and judgments if there are any.

    Each may be an address, such as `s3://bucket/folder/`. `source_name` is what problems call the
    file; empty means its own name. `origin` says where a file was brought from before.
    """

    path: Path | str
    name: str
    source_name: str = ""
    mapping: ColumnMapping | None = None
    queries: Path | str | None = None
    qrels: Path | str | None = None
    options: ImportOptions = field(default_factory=ImportOptions)
    origin: FileOrigin | None = None


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
        if path is not None and not is_address(path) and not user_path(path).exists():
            raise InvalidInput(f"There is no file or folder {path}.", hint="Check the path.")
    upload: Source | str = str(request.path)
    if not is_address(request.path):
        source = Source.of(user_path(request.path), request.source_name)
        upload = replace(source, origin=request.origin)
    return import_corpus(
        upload,
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


def changes_since_import(
    name: str, ctx: Context | None = None, *, rules: AddressRules = OWN_RULES
) -> OriginChanges:
    """What is another, at the address that a corpus was imported from, since it was read there.

    Raises:
        InvalidInput: There is no such corpus, or it was imported from files of this machine.
        LabError: The address cannot be asked again.
    """
    origin = origin_of(name)
    if origin is None:
        raise InvalidInput(
            f"{name!r} was not imported from an address.",
            hint="Files of this machine are compared by importing them again.",
        )
    return origin_changes(origin, rules=rules, ctx=ctx)


def address_rules() -> AddressRules:
    """What whoever asks may read from elsewhere; to be asked before a job begins, for its visitor.

    The owner of this process reads what its user could read anyway. A visitor reaches neither its
    network nor, with its credentials, buckets that its operator has not named.
    """
    return OWN_RULES if current_visitor() is OWNER else visitor_rules()


@needs(Action.DELETE, "name")
def delete(name: str) -> None:
    """Delete an imported corpus, and the indexes that were built for it.

    Raises:
        InvalidInput: There is none of that name, or it is a sample.
    """
    entry = next((one for one in list_corpora() if name in (one.name, one.slug)), None)
    delete_corpus(name)
    if entry is not None:
        delete_indexes(data_home() / "indexes", entry.content_hash)


@dataclass(frozen=True, slots=True)
class InspectKey(JobKey[Preview]):
    """Looking at an upload, read in this format and encoding. `upload` names its folder."""

    upload: str
    format: str
    encoding: str


@dataclass(frozen=True, slots=True)
class BringRequest:
    """Bring what lies at an address into an empty folder of the data folder."""

    address: str = field(repr=False)
    folder: Path


@dataclass(frozen=True, slots=True)
class BringKey(JobKey[Source]):
    """Bringing files from elsewhere. `upload` names their folder; the address may be secret."""

    upload: str


@dataclass(frozen=True, slots=True)
class ChangesKey(JobKey[OriginChanges]):
    """Looking at the address of a corpus again; `look` counts how often."""

    corpus: str
    look: int


@dataclass(frozen=True, slots=True)
class ImportKey(JobKey[ImportReport]):
    """Importing an upload as a corpus of that name."""

    upload: str
    name: str


@dataclass(frozen=True, slots=True)
class AttachKey(JobKey[ImportReport]):
    """Adding an upload of queries or judgments to a corpus."""

    upload: str


@dataclass(frozen=True, slots=True)
class SummaryKey(JobKey[CorpusSummary]):
    """The facts of a corpus, for so many queries and judgments."""

    corpus: str
    corpus_hash: str
    queries: int
    judgments: int


@needs(Action.IMPORT)
def start_inspection(request: InspectionRequest, upload: str, session: Session) -> Job[Preview]:
    """The job that looks at an upload: the one at work or done, else a new one."""
    key = InspectKey(upload, request.options.format, request.options.encoding)
    return session.jobs.submit(
        key,
        lambda _: inspect(request),
        lane="light",
        name=f"Looking at {request.name}",
        waiter=session.waiter,
    )


@needs(Action.IMPORT, "upload")
def start_bringing(request: BringRequest, upload: str, session: Session) -> Job[Source]:
    """The job that brings files from an address, as far as the visitor may read there.

    Raises:
        InvalidInput: It is no address.
        NotAllowed: The visitor may not read there.
    """
    address, rules = parse_address(request.address), address_rules()
    rules.check(address)
    return session.jobs.submit(
        BringKey(upload),
        lambda ctx: bring(request.address, request.folder, rules=rules, ctx=ctx),
        lane="light",
        name=f"Reading {address.shown}",
        waiter=session.waiter,
    )


@needs(Action.IMPORT, "name")
def start_changes(name: str, look: int, session: Session) -> Job[OriginChanges]:
    """The job that looks whether files at the address of a corpus are others since its import."""
    rules = address_rules()
    return session.jobs.submit(
        ChangesKey(name, look),
        lambda ctx: changes_since_import(name, ctx, rules=rules),
        lane="light",
        name=f"Looking where {name} came from",
        waiter=session.waiter,
    )


def origin_of(name: str) -> FileOrigin | None:
    """The address that an imported corpus was brought from; None for files of this machine."""
    return read_origin(imported_entry(name).path)


@needs(Action.IMPORT, "upload")
def start_import(
    request: ImportRequest, upload: str, session: Session, *, discard: Callable[[], None]
) -> Job[ImportReport]:
    """The job that imports an upload. `discard` removes it once it is imported."""
    if request.options.replace:  # whoever may not delete a corpus does not put another in its place
        require(Action.DELETE, "corpora.start_import", request.name)

    def work(ctx: Context) -> ImportReport:
        report = run_import(request, ctx)
        discard()
        return report

    return session.jobs.submit(
        ImportKey(upload, request.name),
        work,
        lane="light",
        name=f"Importing {request.name}",
        waiter=session.waiter,
        detached=True,
    )


@needs(Action.IMPORT, "upload")
def start_attaching(
    request: AttachRequest, upload: str, session: Session, *, discard: Callable[[], None]
) -> Job[ImportReport]:
    """The job that stores queries or judgments. `discard` removes the upload in any case."""

    def work(ctx: Context) -> ImportReport:
        try:
            return attach(request, ctx)
        finally:
            discard()

    return session.jobs.submit(
        AttachKey(upload),
        work,
        lane="light",
        name=f"Adding {request.path.name}",
        waiter=session.waiter,
        detached=True,
    )


def start_summary(entry: CorpusEntry, corpus: Corpus, session: Session) -> Job[CorpusSummary]:
    """The job that counts what is in a corpus: the one at work or done, else a new one."""

    def work(_: Context) -> CorpusSummary:
        return stored_summary(entry.name) if entry.kind == "imported" else summarise(corpus)

    return session.jobs.submit(
        SummaryKey(entry.name, corpus.content_hash, entry.queries, entry.judgments),
        work,
        lane="light",
        name=f"Looking over {entry.name}",
        waiter=session.waiter,
    )
