"""What a file, folder or zip holds: documents, and perhaps queries and judgments beside them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.problems import ProblemLog, Severity
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora.archives import unpacked
from rerank_lab.corpora.build import DocumentBuilder
from rerank_lab.corpora.formats import FORMATS, format_of, is_archive, known_extension
from rerank_lab.corpora.judged import QrelsDict, read_judgments, read_queries
from rerank_lab.corpora.limits import check_size
from rerank_lab.corpora.roles import ColumnMapping
from rerank_lab.corpora.source import Source
from rerank_lab.corpora.tables import ReadOptions

CORPUS_STEMS = ("corpus", "documents", "docs", "collection", "passages")
QUERY_STEMS = ("queries", "topics", "questions")
SPLITS = ("test", "dev", "validation", "train")
_TABLE_SUFFIXES = {e for entry in FORMATS.values() if entry.rows for e in entry.extensions}


@dataclass(frozen=True, slots=True)
class Parts:
    """The files of a collection by what they are. `ignored` are names of files not understood."""

    documents: tuple[Source, ...]
    queries: Source | None = None
    qrels: Source | None = None
    ignored: tuple[str, ...] = ()


@dataclass(slots=True)
class Bundle:
    """What was read. `skipped` counts rows that gave no document."""

    documents: list[Document] = field(default_factory=list)
    queries: list[Query] = field(default_factory=list)
    qrels: QrelsDict = field(default_factory=dict)
    format: str = ""
    skipped: int = 0


@contextmanager
def opened(source: Source, options: ReadOptions) -> Iterator[Parts]:
    """The parts of a file, folder or zip; a zip is unpacked for the length of the block."""
    if source.path and source.path.is_dir():
        yield find_parts(source.path)
        return
    check_size(source.name, source.size, options.limits.upload)
    if is_archive(source):
        with unpacked(source, options.limits) as folder:
            yield find_parts(folder)
        return
    yield Parts((source,))


def find_parts(folder: Path) -> Parts:
    """Documents, queries and judgments of a folder: a BEIR layout, or one file a document.

    `corpus.*` beside `queries.*` and `qrels.*` or `qrels/test.tsv` is a collection; otherwise every
    file of a known format gives documents. Raises InvalidInput when there is nothing to read.
    """
    folder = _descended(folder)
    files = [path for path in sorted(folder.rglob("*")) if _is_plain(path, folder)]
    roots = [path for path in files if path.parent == folder]
    queries = _by_stem(roots, QUERY_STEMS)
    qrels = _qrels_file(folder, roots)
    corpus = _by_stem([path for path in roots if path.suffix in _TABLE_SUFFIXES], CORPUS_STEMS)
    if corpus:
        return Parts((Source.of(corpus),), _source(queries), _source(qrels))
    rest = [path for path in files if path not in (queries, qrels)]
    rest = [path for path in rest if path.relative_to(folder).parts[0] != "qrels"]
    known = [path for path in rest if known_extension(path.name)]
    if not known:
        raise InvalidInput(
            f"There is nothing to read in {folder.name or 'the archive'}: {len(files):,} files, "
            "none of a known document format.",
            hint="Give corpus.jsonl, or files in one of: " + ", ".join(FORMATS) + ".",
        )
    sources = tuple(Source.of(path, path.relative_to(folder).as_posix()) for path in known)
    ignored = tuple(p.relative_to(folder).as_posix() for p in rest if not known_extension(p.name))
    return Parts(sources, _source(queries), _source(qrels), ignored)


def read_parts(
    parts: Parts,
    options: ReadOptions,
    log: ProblemLog,
    *,
    mapping: ColumnMapping | None = None,
    format_name: str = "",
    ctx: Context | None = None,
) -> Bundle:
    """Read everything. One unusable file among many is a problem; a single one raises."""
    ctx = ctx or Context()
    builder = DocumentBuilder(log, ctx)
    formats: set[str] = set()
    for number, source in enumerate(parts.documents, 1):
        ctx.checkpoint()
        ctx.report(f"Reading {source.name}", number, len(parts.documents))
        try:
            check_size(source.name, source.size, options.limits.upload)
            chosen = format_of(source, format_name if len(parts.documents) == 1 else "")
            formats.add(chosen.label)
            rows = chosen.read(source, options, log)
            builder.add_file(source.name, rows, mapping if chosen.rows else None)
        except InvalidInput as error:
            if len(parts.documents) == 1:
                raise
            log.refused(error, source.name)
    if parts.ignored:
        log.warning(
            f"{len(parts.ignored):,} files are of no known format and were left out, such as "
            f"{parts.ignored[0]}.",
            "Formats: " + ", ".join(FORMATS) + ".",
        )
    bundle = Bundle(builder.documents, [], {}, ", ".join(sorted(formats)), builder.skipped)
    if not bundle.documents:
        raise InvalidInput(
            f"{_names(parts.documents)} holds no usable document.",
            hint="See what is wrong with each row or file; nothing was imported.",
            problems=log.lines(),
        )
    for queries, qrels in ((parts.queries, None), (None, parts.qrels)):
        try:
            read_judged(bundle, Parts((), queries, qrels), options, log)
        except InvalidInput as error:
            log.error(error.message, error.hint)
    return bundle


def read_judged(bundle: Bundle, parts: Parts, options: ReadOptions, log: ProblemLog) -> None:
    """Queries and judgments, when there are any. Ids are checked by whoever has the corpus."""
    for source in (parts.queries, parts.qrels):
        if source is not None:
            check_size(source.name, source.size, options.limits.upload)
    if parts.queries is not None:
        bundle.queries = read_queries(parts.queries, options, log)
    if parts.qrels is not None:
        bundle.qrels = read_judgments(parts.qrels, options, log)


def lost(log: ProblemLog) -> bool:
    """Whether something that was given had to be left out."""
    return log.count(Severity.ERROR) > 0


def _descended(folder: Path) -> Path:
    """The folder itself, or the only folder inside it (zips often hold one)."""
    while True:
        inside = [path for path in folder.iterdir() if not _hidden(path.name)]
        if len(inside) != 1 or not inside[0].is_dir() or inside[0].is_symlink():
            return folder
        folder = inside[0]


def _is_plain(path: Path, folder: Path) -> bool:
    """A regular, visible file inside the folder; links are not followed out of it."""
    hidden = any(_hidden(part) for part in path.relative_to(folder).parts)
    return not hidden and path.is_file() and path.resolve().is_relative_to(folder.resolve())


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _by_stem(files: list[Path], stems: tuple[str, ...]) -> Path | None:
    by_stem = {path.name.split(".")[0].lower(): path for path in reversed(files)}
    exact = {path.stem.lower(): path for path in reversed(files)}
    found = by_stem | exact
    return next((found[stem] for stem in stems if stem in found), None)


def _qrels_file(folder: Path, roots: list[Path]) -> Path | None:
    """`qrels.*` at the top, else the BEIR folder's test split (or dev, or train)."""
    if top := _by_stem(roots, ("qrels", "judgments", "judgements")):
        return top
    splits = sorted(p for p in (folder / "qrels").glob("*") if p.is_file() and not _hidden(p.name))
    return _by_stem(splits, SPLITS) or (splits[0] if splits else None)


def _source(path: Path | None) -> Source | None:
    if path is None:
        return None
    return Source.of(path, f"qrels/{path.name}" if path.parent.name == "qrels" else path.name)


def _names(sources: tuple[Source, ...]) -> str:
    return sources[0].name if len(sources) == 1 else f"The {len(sources):,} files"
