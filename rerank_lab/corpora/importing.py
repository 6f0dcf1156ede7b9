"""Bringing one's own corpus in two steps: look at it (`inspect_upload`), then `import_corpus`.

Nothing is half-imported: the corpus is written beside its place and moved there at the end. Its
documents go from the reader to the disk one by one; they are never all in memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.paths import user_path
from rerank_lab.core.problems import Problem, ProblemLog, Severity
from rerank_lab.core.storage import remove_folder
from rerank_lab.core.types import Document
from rerank_lab.corpora.addresses import brought
from rerank_lab.corpora.bundle import (
    Bundle,
    CollectionOptions,
    FileReading,
    checked_judgments,
    opened,
    read_judged,
    read_own_judged,
    read_parts,
    refuse_losses,
)
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.corpora.duplicates import Duplicates, find_duplicates
from rerank_lab.corpora.judged import JudgedReading
from rerank_lab.corpora.layouts import Parts
from rerank_lab.corpora.limits import DEFAULT_LIMITS, LOCAL_LIMITS, Limits, check_size
from rerank_lab.corpora.load import finished, load_corpus
from rerank_lab.corpora.mapping import ColumnMapping
from rerank_lab.corpora.passages import PassageOptions, id_clash, passages_of
from rerank_lab.corpora.preview import Preview, preview_parts
from rerank_lab.corpora.readers.base import ReadOptions
from rerank_lab.corpora.source import Source
from rerank_lab.corpora.store import (
    CorpusEntry,
    check_name,
    corpora_home,
    imported_entry,
    new_corpus,
    read_origin,
    read_summary,
    save_corpus,
    stored_judged,
    write_about,
    write_judged,
)
from rerank_lab.corpora.stored_documents import DocumentWriter, StoredDocuments, stored_documents
from rerank_lab.corpora.summary import CorpusSummary, summarise
from rerank_lab.remote.objects.address import is_address
from rerank_lab.remote.objects.store import FileOrigin

ImportSource = Preview | Source | Path | str
_UNCUT = ".uncut"
"""Where documents lie until they are cut into passages."""
_CHUNK = 2000


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What the user decides beside the columns. Empty means: find out.

    `format` is the name of a reader; `passages` cuts long documents; `replace` allows to
    take the place of an imported corpus of the same name.
    """

    format: str = ""
    encoding: str = ""
    delimiter: str = ""
    header: bool | None = None
    passages: PassageOptions | None = None
    replace: bool = False
    strict: bool = False
    """Whether anything lost or doubtful refuses the import."""
    licence: str = ""
    limits: Limits = field(default=DEFAULT_LIMITS)
    columns: Mapping[str, str] = field(default_factory=dict)
    """Role (id, text, title, meta) -> column of the documents, for some or all of them."""
    queries: ReadOptions = field(default_factory=ReadOptions)
    qrels: ReadOptions = field(default_factory=ReadOptions)

    @property
    def documents(self) -> ReadOptions:
        """The part of the options that readers of documents take."""
        return ReadOptions(
            self.encoding, self.delimiter, self.header, self.limits, self.columns, self.format
        )

    @property
    def reading(self) -> CollectionOptions:
        """The part of the options that readers take."""
        queries, qrels = (replace(one, limits=self.limits) for one in (self.queries, self.qrels))
        return CollectionOptions(self.documents, queries, qrels, self.strict)


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of an import. `documents` counts documents (before cutting), `skipped` rows."""

    name: str
    path: Path
    documents: int
    skipped: int
    passages: int
    queries: int
    judgments: int
    summary: CorpusSummary
    problems: tuple[Problem, ...]
    problem_counts: Mapping[str, int]
    readings: tuple[FileReading, ...] = ()
    """How each file of documents was read; empty when only queries or judgments were attached."""
    judged_readings: tuple[JudgedReading, ...] = ()
    """How the files of queries and judgments were read."""
    origin: FileOrigin | None = None
    """Where the documents were brought from, if not from this machine."""

    def to_json(self) -> dict[str, Any]:
        """The report as the command line gives it with `--json`."""
        names = ("name", "skipped", "passages", "queries", "judgments")
        return {name: getattr(self, name) for name in names} | {
            "kept": self.documents,
            "path": str(self.path),
            "summary": self.summary.to_json(),
            "problems": [problem.to_json() for problem in self.problems],
            "problem_counts": dict(self.problem_counts),
            "files": [reading.to_json() for reading in self.readings],
            "readings": [reading.to_json() for reading in self.judged_readings],
            "left_out": self.problem_counts.get("error", 0),
            "origin": self.origin.to_json() if self.origin else None,
        }


def inspect_upload(name: str, data: bytes | Path, options: ImportOptions | None = None) -> Preview:
    """Format, encoding, columns, first rows and first problems of an upload; nothing is stored.

    Raises InvalidInput when it cannot be read at all (empty, over the limit, binary, unsafe zip).
    """
    options = options or ImportOptions()
    source = Source(name, data) if isinstance(data, Path) else Source(name, data=data)
    with opened(source, options.limits) as parts:
        return preview_parts(source, parts, options.documents)


def import_corpus(
    upload: ImportSource,
    name: str,
    *,
    mapping: ColumnMapping | None = None,
    queries: ImportSource | None = None,
    qrels: ImportSource | None = None,
    options: ImportOptions | None = None,
    ctx: Context | None = None,
) -> ImportReport:
    """Read, check, cut, summarise and store a corpus under `name`, all of it or nothing.

    Args:
        upload: a file, a folder, an address such as `s3://bucket/folder/`, an upload or its
            preview.
        name: what the corpus is to be called.
        mapping: the columns of files of rows; without it (and with a Preview) the guessed ones.
        queries: a query file in place of the queries that come with the documents.
        qrels: a judgment file in place of the judgments that come with them.
        options: what the user decides beside that.
        ctx: for progress and cancelling.

    Raises:
        InvalidInput: the name is taken, one of the files is unusable, the judgments belong to
            another corpus, or something would be lost in strict mode.
        Cancelled: `ctx` says so. In all these cases the data folder is as it was.
    """
    options, ctx = options or ImportOptions(), ctx or Context()
    slug = check_name(name, replace=options.replace)
    log = ProblemLog(options.limits.problems)
    if isinstance(upload, Preview):
        mapping = mapping or upload.mapping
        options = replace(options, format=options.format or upload.chosen_format)
    with ExitStack() as stack:
        source = _source(upload, stack, options, ctx)
        files = _Files(source, *_beside(queries, qrels, stack, options, ctx), mapping)
        folder = stack.enter_context(new_corpus(slug, replace=options.replace))
        bundle, documents = _read_into(folder, files, options, log, ctx)
        corpus = _checked(name.strip(), bundle, log)
        duplicates = _repeats(corpus, log, ctx)
        if options.strict:
            refuse_losses(source.name, log)
        summary = summarise(corpus, duplicates, ctx)
        write_judged(folder, corpus.queries, corpus.qrels)
        write_about(
            folder, _stored_about(_provenance(source, bundle, options), summary, log), source.origin
        )
        ctx.checkpoint()
    return _report(slug, summary, documents, bundle, log, source.origin)


@dataclass(frozen=True, slots=True)
class _Files:
    """The files of an import: the documents, and what takes the place of what is beside them."""

    documents: Source
    queries: Source | None
    qrels: Source | None
    mapping: ColumnMapping | None


def _read_into(
    folder: Path, files: _Files, options: ImportOptions, log: ProblemLog, ctx: Context
) -> tuple[Bundle, int]:
    """Write the documents, or their passages, into a folder; how many there were before cutting."""
    uncut = folder / _UNCUT
    with (
        opened(files.documents, options.limits) as parts,
        closing(DocumentWriter(uncut if options.passages else folder)) as writer,
    ):
        bundle = read_parts(
            parts,
            options.reading,
            log,
            mapping=files.mapping,
            judgments=files.qrels,
            writer=writer,
            ctx=ctx,
        )
    _read_beside(bundle, files.queries, files.qrels, options, log)
    documents = len(bundle.documents)
    if options.passages:
        bundle.documents = _cut(bundle.documents, options.passages, folder, ctx)
        remove_folder(uncut)
    return bundle, documents


def attach_queries(
    name: str,
    upload: ImportSource,
    *,
    options: ImportOptions | None = None,
    ctx: Context | None = None,
) -> ImportReport:
    """Give an imported corpus the queries of a file, in place of those it has.

    Its judgments stay; those of queries that are not in the file are reported and rest unused.
    """
    return _attach(name, upload, "queries", options or ImportOptions(), ctx or Context())


def attach_qrels(
    name: str,
    upload: ImportSource,
    *,
    options: ImportOptions | None = None,
    ctx: Context | None = None,
) -> ImportReport:
    """Give an imported corpus the judgments of a file, in place of those it has.

    Raises InvalidInput when they name none of its documents, or none of its queries.
    """
    return _attach(name, upload, "qrels", options or ImportOptions(), ctx or Context())


def stored_summary(name: str) -> CorpusSummary:
    """The summary made when the corpus was imported; made now when that is missing or a sample."""
    try:
        return CorpusSummary.from_json(read_summary(imported_entry(name).path))
    except (InvalidInput, KeyError, TypeError, ValueError):
        return summarise(load_corpus(name))


def _beside(
    queries: ImportSource | None,
    qrels: ImportSource | None,
    stack: ExitStack,
    options: ImportOptions,
    ctx: Context,
) -> tuple[Source | None, Source | None]:
    """The files of queries and judgments that were named, as `_source` gives them."""
    query_file = None if queries is None else _source(queries, stack, options, ctx)
    return query_file, None if qrels is None else _source(qrels, stack, options, ctx)


def _attach(
    name: str, upload: ImportSource, what: str, options: ImportOptions, ctx: Context
) -> ImportReport:
    with ExitStack() as stack:
        source = _source(upload, stack, options, ctx)
        return _attach_source(imported_entry(name), source, what, options, ctx)


def _attach_source(
    entry: CorpusEntry, source: Source, what: str, options: ImportOptions, ctx: Context
) -> ImportReport:
    log = ProblemLog(options.limits.problems)
    check_size(source.name, source.size, options.limits.upload)
    bundle = _stored_bundle(entry, ctx)
    reading = options.queries if what == "queries" else options.qrels
    if reading == ReadOptions():
        reading = options.documents
    collection = CollectionOptions(queries=reading, qrels=reading)
    if what == "queries":
        read_judged(bundle, Parts((), source), collection, log)
    else:
        read_judged(bundle, Parts((), None, source), collection, log)
        checked_judgments(bundle, log, source.name)
    about = read_summary(entry.path)
    corpus = _checked(entry.name, bundle, log if what == "queries" else ProblemLog())
    documents = len(corpus.document_ids)
    if options.strict:
        refuse_losses(source.name, log)
    bundle.skipped = int(about.get("skipped", 0))
    summary = summarise(corpus, ctx=ctx)
    stored = _stored_about(about, summary, log)
    origin = read_origin(entry.path)
    save_corpus(corpus, stored, slug=entry.slug, replace=True, origin=origin, ctx=ctx)
    return _report(entry.slug, summary, documents, bundle, log, origin)


def _stored_bundle(entry: CorpusEntry, ctx: Context) -> Bundle:
    """A corpus with its judgments as they are: those that wait for their queries stay."""
    documents = stored_documents(entry.path, ctx)
    if documents is None:
        with opened(Source.of(entry.path), LOCAL_LIMITS) as parts:
            reading = CollectionOptions(ReadOptions(limits=LOCAL_LIMITS))
            bundle = read_parts(parts, reading, ProblemLog(), ctx=ctx)
    else:
        bundle = Bundle(documents=documents)
        read_own_judged(bundle, stored_judged(entry.path), CollectionOptions(), ProblemLog())
    bundle.readings, bundle.judged_readings = [], []
    return bundle


def _cut(
    documents: Sequence[Document], options: PassageOptions, folder: Path, ctx: Context
) -> StoredDocuments:
    """Write the passages of documents, which lie on the disk, as a corpus of their own.

    Raises InvalidInput when a passage id is already a document's.
    """
    with closing(DocumentWriter(folder)) as writer:
        for number, document in enumerate(documents):
            if number % _CHUNK == 0:
                ctx.checkpoint()
                ctx.report("Cutting passages", number, len(documents))
            for passage in passages_of(document, options):
                if writer.number(passage.id) is not None:
                    raise id_clash(passage.id)
                writer.add(passage)
        return writer.finish()


def _provenance(source: Source, bundle: Bundle, options: ImportOptions) -> dict[str, Any]:
    """What is stored about where a corpus comes from."""
    return {
        "source": source.name,
        "format": bundle.format,
        "licence": options.licence,
        "imported_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "skipped": bundle.skipped,
        **({"origin": source.origin.summary()} if source.origin else {}),
    }


def _read_beside(
    bundle: Bundle,
    query_file: Source | None,
    judgment_file: Source | None,
    options: ImportOptions,
    log: ProblemLog,
) -> None:
    """Take queries and judgments from files of their own; a file that is unusable raises."""
    read_judged(bundle, Parts((), query_file, judgment_file), options.reading, log)
    if judgment_file is not None:
        checked_judgments(bundle, ProblemLog(), judgment_file.name)


def _source(upload: ImportSource, stack: ExitStack, options: ImportOptions, ctx: Context) -> Source:
    """What is to be read; from elsewhere it is brought here until the stack is left."""
    if isinstance(upload, Preview):
        return upload.source
    if isinstance(upload, Source):
        return upload
    if is_address(upload):
        return stack.enter_context(brought(str(upload), limits=options.limits, ctx=ctx))
    path = user_path(upload)
    if not path.exists():
        raise InvalidInput(f"There is no file or folder {path}.", hint="Check the path.")
    return Source.of(path)


def _checked(name: str, bundle: Bundle, log: ProblemLog) -> Corpus:
    """The corpus with the judgments of unknown queries too: these may be attached later."""
    corpus = finished(name, bundle, {}, log)
    return replace(corpus, qrels=bundle.qrels if corpus.qrels else {})


def _repeats(corpus: Corpus, log: ProblemLog, ctx: Context) -> Duplicates:
    """The documents that repeat others, which `log` is told of."""
    duplicates = find_duplicates(corpus.documents, ctx)
    if repeats := duplicates.count:
        count = "1 document repeats" if repeats == 1 else f"{repeats:,} documents repeat"
        examples = "; ".join(" = ".join(group[:4]) for group in duplicates.groups[:3])
        log.note(f"{count} the content of another; all are kept ({examples}).")
    return duplicates


def _stored_about(
    about: Mapping[str, Any], summary: CorpusSummary, log: ProblemLog
) -> dict[str, Any]:
    """What is stored of a corpus, to be known without reading it."""
    problems = [problem.to_json() for problem in log.problems]
    return dict(about) | summary.to_json() | {"problems": problems}


def _report(
    slug: str,
    summary: CorpusSummary,
    documents: int,
    bundle: Bundle,
    log: ProblemLog,
    origin: FileOrigin | None,
) -> ImportReport:
    """What became of an import of so many documents, before they were cut."""
    return ImportReport(
        name=summary.name,
        path=corpora_home() / slug,
        documents=documents,
        skipped=bundle.skipped,
        passages=summary.passages,
        queries=summary.queries,
        judgments=summary.judgments,
        summary=summary,
        problems=log.problems,
        problem_counts={severity.value: log.count(severity) for severity in Severity},
        readings=tuple(bundle.readings),
        judged_readings=tuple(bundle.judged_readings),
        origin=origin,
    )


__all__ = [
    "ColumnMapping",
    "ImportOptions",
    "ImportReport",
    "Preview",
    "attach_qrels",
    "attach_queries",
    "import_corpus",
    "inspect_upload",
    "stored_summary",
]
