"""What a file, folder or zip holds: documents, and perhaps queries and judgments beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.problems import ProblemLog, Severity
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora.archives import unpacked
from rerank_lab.corpora.judged import (
    JudgedReading,
    QrelsDict,
    check_judgments,
    counted,
    fit_judgments,
    judged_documents,
    read_judgments,
    read_queries,
    tallies_sentence,
)
from rerank_lab.corpora.layouts import Parts, find_parts
from rerank_lab.corpora.limits import IMPORT_IT, Limits, check_size
from rerank_lab.corpora.lookups import document_ids
from rerank_lab.corpora.mapping import ColumnMapping, DocumentBuilder, Row, column_of_ids
from rerank_lab.corpora.readers.base import (
    Entry,
    JudgmentRow,
    QueryRow,
    ReadOptions,
    TableReader,
)
from rerank_lab.corpora.readers.registry import choose_reader, is_archive, readers
from rerank_lab.corpora.source import LINES, Source, clean_text, clean_value
from rerank_lab.corpora.stored_documents import DocumentWriter

_LOOKED_AT = 1000
"""Documents in whose fields the ids of judgments are looked for."""


@dataclass(frozen=True, slots=True)
class FileReading:
    """How one file was read, in numbers that add up.

    `tallies` are what the reader counted beside its rows, such as lines and header lines;
    `repeated` rows give a document with the same content again; `left_out` counts what was reported
    as an error.
    """

    file: str
    format: str
    label: str
    reason: str
    rows: int
    documents: int
    queries: int
    positives: int
    judgments: int
    repeated: int
    left_out: int
    tallies: Mapping[str, int]
    columns: Mapping[str, str]

    @property
    def sentence(self) -> str:
        """`read as FlagEmbedding triplets: 3 queries, 9 passages, 3 positives`."""
        counts = [counted(self.queries, "query", "queries")] if self.queries else []
        counts.append(counted(self.documents, "passage" if self.queries else "document"))
        if self.judgments:
            counts.append(counted(self.positives, "positive"))
        columns = ", ".join(f"{role} = {column}" for role, column in self.columns.items())
        chosen = f"; columns: {columns}" if columns else ""
        lines = tallies_sentence(self.tallies)
        lost = f"; {self.repeated:,} repeated" if self.repeated else ""
        lost += f"; {self.left_out:,} left out" if self.left_out else ""
        return f"read as {self.label}: {', '.join(counts)}{lines}{lost}{chosen}"

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self) | {
            "columns": dict(self.columns),
            "lines": self.tallies.get(LINES, 0),
            "sentence": self.sentence,
        }


@dataclass(slots=True)
class Bundle:
    """What was read. `skipped` counts rows that gave no document of their own."""

    documents: Sequence[Document] = ()
    queries: list[Query] = field(default_factory=list)
    qrels: QrelsDict = field(default_factory=dict)
    format: str = ""
    skipped: int = 0
    readings: list[FileReading] = field(default_factory=list)
    judged_readings: list[JudgedReading] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CollectionOptions:
    """How the files of a collection are read. `strict` refuses any loss."""

    documents: ReadOptions = field(default_factory=ReadOptions)
    queries: ReadOptions = field(default_factory=ReadOptions)
    qrels: ReadOptions = field(default_factory=ReadOptions)
    strict: bool = False


@contextmanager
def opened(source: Source, limits: Limits) -> Iterator[Parts]:
    """The parts of a file, folder or zip; a zip is unpacked for the length of the block."""
    if source.path and source.path.is_dir():
        yield find_parts(source.path)
        return
    check_size(source.name, source.size, limits.upload, IMPORT_IT)
    if is_archive(source):
        with unpacked(source, limits) as folder:
            yield find_parts(folder)
        return
    yield Parts((source,))


def read_parts(
    parts: Parts,
    options: CollectionOptions,
    log: ProblemLog,
    *,
    mapping: ColumnMapping | None = None,
    judgments: Source | None = None,
    writer: DocumentWriter | None = None,
    ctx: Context | None = None,
) -> Bundle:
    """Read everything. One unusable file among many is a problem; a single one raises.

    A format that was chosen holds for a single file of documents only. `judgments` is the file
    that is going to take the place of the collection's own. `writer` takes the documents, which
    are then not in memory.
    """
    ctx = ctx or Context()
    documents = options.documents
    bundle = Bundle()
    judged = judgments or parts.qrels
    builder = DocumentBuilder(
        log, ctx, lambda: judged_documents(judged, options.qrels) if judged else (), writer
    )
    alone = len(parts.documents) == 1
    if not alone:
        documents = replace(documents, format="")
    for number, part in enumerate(parts.documents, 1):
        source = replace(part, limits=documents.limits)
        ctx.checkpoint()
        ctx.report(f"Reading {source.name}", number, len(parts.documents))
        try:
            check_size(source.name, source.size, documents.limits.upload, IMPORT_IT)
            _read_file(source, mapping, documents, log, builder, bundle)
        except InvalidInput as error:
            if alone:
                raise
            log.refused(error, source.name)
    _warn_of_unknown_files(parts, log)
    bundle.skipped = builder.skipped
    bundle.format = ", ".join(sorted({reading.label for reading in bundle.readings}))
    if not len(builder.documents):
        raise InvalidInput(
            f"{_names(parts.documents)} holds no usable document.",
            hint="See what is wrong with each row or file; nothing was imported.",
            problems=log.lines(),
        )
    bundle.documents = tuple(builder.documents) if writer is None else writer.finish()
    read_own_judged(bundle, parts, options, log)
    return bundle


def read_own_judged(
    bundle: Bundle, parts: Parts, options: CollectionOptions, log: ProblemLog
) -> None:
    """The queries and judgments that lie beside the documents; unusable ones are left out."""
    for queries, qrels in ((parts.queries, None), (None, parts.qrels)):
        try:
            read_judged(bundle, Parts((), queries, qrels), options, log)
        except InvalidInput as error:
            log.error(error.message, error.hint)


def _warn_of_unknown_files(parts: Parts, log: ProblemLog) -> None:
    if parts.twins:
        log.note(
            f"{counted(len(parts.twins), 'file')} left out that HTML pages show as well, such as "
            f"{parts.twins[0]}."
        )
    if parts.ignored:
        log.warning(
            f"{len(parts.ignored):,} files are of no known format and were left out, such as "
            f"{parts.ignored[0]}.",
            "Formats: " + ", ".join(readers()) + ".",
        )


def _read_file(
    source: Source,
    mapping: ColumnMapping | None,
    options: ReadOptions,
    log: ProblemLog,
    builder: DocumentBuilder,
    bundle: Bundle,
) -> None:
    """Add what one file holds to the builder and the bundle, and note how it was read."""
    reader, match = choose_reader(source, options)
    documents, errors = len(builder.documents), log.count(Severity.ERROR)
    repeated = builder.repeated
    own = Bundle()
    rows = 0

    def document_rows() -> Iterator[Row]:
        nonlocal rows
        for row in _without_judged(reader.read(source, options, log), own, log, source.name):
            rows += 1
            yield row

    chosen = reader.mapping or mapping
    used = builder.add_file(source.name, document_rows(), chosen, options.columns)
    grades = [grade for judged in own.qrels.values() for grade in judged.values()]
    bundle.readings.append(
        FileReading(
            file=source.name,
            format=reader.name,
            label=reader.label,
            reason=match.reason,
            rows=rows,
            documents=len(builder.documents) - documents,
            queries=len(own.queries),
            positives=sum(grade > 0 for grade in grades),
            judgments=len(grades),
            repeated=builder.repeated - repeated,
            left_out=log.count(Severity.ERROR) - errors,
            tallies=dict(log.tallies[source.name]),
            columns=used.roles if used and isinstance(reader, TableReader) else {},
        )
    )
    bundle.queries += own.queries
    for query_id, judged in own.qrels.items():
        bundle.qrels.setdefault(query_id, {}).update(judged)


def _without_judged(
    entries: Iterable[Entry], bundle: Bundle, log: ProblemLog, file: str
) -> Iterator[Row]:
    """The rows of documents among some entries; queries and judgments go to the bundle."""
    queries: dict[str, Query] = {}
    for entry in entries:
        if isinstance(entry, QueryRow):
            query = Query(
                clean_text(entry.query_id), clean_text(entry.text).strip(), clean_value(entry.meta)
            )
            first = queries.setdefault(query.id, query)
            if first is query:
                bundle.queries.append(query)
            elif first.text != query.text:
                log.error(
                    f"Query {query.id!r} is given again with another text; the first is kept.",
                    "Give every query its own id.",
                    file=file,
                    line=entry.line,
                )
        elif isinstance(entry, JudgmentRow):
            judged = bundle.qrels.setdefault(clean_text(entry.query_id), {})
            doc_id = clean_text(entry.document_id)
            judged[doc_id] = max(entry.grade, judged.get(doc_id, entry.grade))
        else:
            yield entry


def read_judged(bundle: Bundle, parts: Parts, options: CollectionOptions, log: ProblemLog) -> None:
    """Queries and judgments, when there are any. Ids are checked by whoever has the corpus."""
    if parts.queries is not None:
        check_size(parts.queries.name, parts.queries.size, options.queries.limits.upload)
        query_file = replace(parts.queries, limits=options.queries.limits)
        query_set = read_queries(query_file, options.queries, log)
        bundle.queries = list(query_set.queries)
        bundle.judged_readings.append(query_set.reading)
    if parts.qrels is not None:
        check_size(parts.qrels.name, parts.qrels.size, options.qrels.limits.upload)
        judgment_file = replace(parts.qrels, limits=options.qrels.limits)
        judgments = read_judgments(judgment_file, options.qrels, log)
        doc_ids = document_ids(bundle.documents)
        bundle.qrels, queries = fit_judgments(judgments, bundle.queries, doc_ids, log)
        bundle.queries = list(queries)
        bundle.judged_readings.append(judgments.reading)


def checked_judgments(bundle: Bundle, log: ProblemLog, file: str = "judgments") -> QrelsDict:
    """The judgments of queries that are there, as `check_judgments` gives them.

    Raises InvalidInput where they fit nothing; its hint names the column that holds their ids.
    """
    doc_ids = document_ids(bundle.documents)
    query_ids = {query.id for query in bundle.queries} or set(bundle.qrels)
    try:
        return check_judgments(bundle.qrels, doc_ids, query_ids, log, file)
    except InvalidInput as error:
        judged = {doc_id for grades in bundle.qrels.values() for doc_id in grades}
        metas = [document.meta for document in bundle.documents[:_LOOKED_AT]]
        column = None if judged & doc_ids else column_of_ids(metas, ColumnMapping(""), judged)
        if column is None:
            raise
        raise InvalidInput(
            error.message,
            hint=f"The judgments name values of {column!r}: use {column} as id. Choose it for Id "
            f'when you import the documents, or write --columns "id={column}".',
        ) from None


def lost(log: ProblemLog) -> bool:
    """Whether something that was given had to be left out."""
    return log.count(Severity.ERROR) > 0


def refuse_losses(file: str, log: ProblemLog) -> None:
    """Raise InvalidInput that lists what is lost or doubtful in a collection, if anything is."""
    losses = log.lines((Severity.ERROR, Severity.WARNING))
    if losses:
        raise InvalidInput(
            f"{file} cannot be taken over without a loss; nothing was done.",
            hint="Mend the file, or go on without strict mode.",
            problems=losses,
        )


def _names(sources: tuple[Source, ...]) -> str:
    return sources[0].name if len(sources) == 1 else f"The {len(sources):,} files"
