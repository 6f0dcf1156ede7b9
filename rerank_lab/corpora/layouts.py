"""Which files of a folder are documents, which are queries and which are judgments."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from rerank_lab.core.errors import InvalidInput
from rerank_lab.corpora.readers.registry import known_extension, readers, table_readers
from rerank_lab.corpora.source import Source, uncompressed_name

CORPUS_STEMS = ("corpus", "documents", "docs", "collection", "passages")
QUERY_STEMS = ("queries", "topics", "questions")
QRELS_STEMS = ("qrels", "judgments", "judgements")
_PAGES = (".html", ".htm", ".xhtml")
_MARKUPS = (".md", ".markdown", ".rst", ".adoc", ".asciidoc")
_WORD = re.compile(rb"[^\W\d_]{3,}|[\x80-\xff]{3,}")
_READ = 1 << 20
_MOST = 0.7
SPLITS = ("test", "dev", "validation", "train")


@dataclass(frozen=True, slots=True)
class Parts:
    """The files of a collection by what they are.

    `ignored` are names of files not understood, `twins` of files that are a page once more.
    """

    documents: tuple[Source, ...]
    queries: Source | None = None
    qrels: Source | None = None
    ignored: tuple[str, ...] = ()
    twins: tuple[str, ...] = ()


def find_parts(folder: Path) -> Parts:
    """Documents, queries and judgments of a folder: a BEIR layout, or one file a document.

    `corpus.*` beside `queries.*` and `qrels.*` or `qrels/test.tsv` is a collection; otherwise every
    file of a known format gives documents. Raises InvalidInput when there is nothing to read.
    """
    folder = _descended(folder)
    files = [path for path in sorted(folder.rglob("*")) if _is_plain(path, folder)]
    if hub := _hub_parts(folder, files):
        return hub
    roots = [path for path in files if path.parent == folder]
    queries = _by_stem(roots, QUERY_STEMS)
    qrels = _qrels_file(folder, roots)
    corpus = _by_stem([path for path in roots if _is_table(path)], CORPUS_STEMS)
    if corpus:
        return Parts((Source.of(corpus),), _source(queries), _source(qrels))
    rest = [path for path in files if path not in (queries, qrels)]
    rest = [path for path in rest if path.relative_to(folder).parts[0] != "qrels"]
    rest = _without_sources_of_pages(rest, folder)
    twins = _twins(rest)
    rest = [path for path in rest if path not in twins]
    known = [path for path in rest if known_extension(path.name)]
    if not known:
        raise InvalidInput(
            f"There is nothing to read in {folder.name or 'the archive'}: {len(files):,} files, "
            "none of a known document format.",
            hint="Give corpus.jsonl, or files in one of: " + ", ".join(readers()) + ".",
        )
    sources = tuple(Source.of(path, path.relative_to(folder).as_posix()) for path in known)
    ignored = tuple(p.relative_to(folder).as_posix() for p in rest if not known_extension(p.name))
    twin_names = tuple(path.relative_to(folder).as_posix() for path in sorted(twins))
    return Parts(sources, _source(queries), _source(qrels), ignored, twin_names)


def worth_reading(name: str) -> bool:
    """Whether a file of that path within a folder may be one of its parts."""
    path = Path(name)
    if any(_hidden(part) for part in path.parts):
        return False
    stems = (*QUERY_STEMS, *QRELS_STEMS)
    judged = path.parts[0] == "qrels" or _shard_stem(path) in stems
    return judged or known_extension(path.name)


def _hub_parts(folder: Path, files: list[Path]) -> Parts | None:
    """The parts of a data set as the Hugging Face hub stores it, None for another layout.

    `corpus/`, `queries/` and `qrels/` hold tables, perhaps in shards.
    """
    tables = [path for path in files if _is_table(path)]
    corpus, queries, qrels = (
        [path for path in tables if path.parent == folder / name]
        for name in ("corpus", "queries", "qrels")
    )
    for name in ("default", "data"):  # as MTEB's sets call their judgments
        qrels = qrels or [path for path in tables if path.parent == folder / name]
    if not corpus or not (queries or qrels):
        return None
    documents = tuple(Source.of(path, path.relative_to(folder).as_posix()) for path in corpus)
    split = _by_stem(qrels, SPLITS) or (qrels[0] if qrels else None)
    split_queries = _by_stem(queries, SPLITS) or (queries[0] if queries else None)
    unread = [path for path in queries if path != split_queries]
    ignored = tuple(path.relative_to(folder).as_posix() for path in unread)
    return Parts(documents, _source(split_queries), _source(split), ignored)


def _without_sources_of_pages(files: list[Path], folder: Path) -> list[Path]:
    """The files without what documentation generators put beside their HTML pages.

    That is the same pages once more (`_sources`), scripts and templates.
    """
    if not any(path.suffix.lower() in (".html", ".htm") for path in files):
        return files
    inner = {"_sources", "_static", "_templates", "node_modules"}
    return [path for path in files if not inner & set(path.relative_to(folder).parts[:-1])]


def _twins(files: list[Path]) -> set[Path]:
    """The sources in a markup language of HTML pages that lie beside them under the same name."""
    pages = {path.with_suffix(""): path for path in files if path.suffix.lower() in _PAGES}
    sources = [path for path in files if path.suffix.lower() in _MARKUPS]
    return {
        path
        for path in sources
        if (page := pages.get(path.with_suffix(""))) and _says_the_same(page, path)
    }


def _says_the_same(page: Path, source: Path) -> bool:
    """Whether most of the words of a source stand in its page."""
    try:
        page_words, words = (set(_WORD.findall(one.read_bytes()[:_READ])) for one in (page, source))
    except OSError:
        return False
    return len(words & page_words) >= _MOST * len(words) > 0


def _is_table(path: Path) -> bool:
    suffix = Path(uncompressed_name(path.name)).suffix.lower()
    return any(suffix in reader.extensions for reader in table_readers())


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
    by_stem = {_shard_stem(path): path for path in reversed(files)}
    exact = {path.stem.lower(): path for path in reversed(files)}
    by_name = by_stem | exact
    return next((by_name[stem] for stem in stems if stem in by_name), None)


def _shard_stem(path: Path) -> str:
    """The name of a file without extensions and without the number of a shard."""
    return re.sub(r"-\d+-of-\d+$", "", path.name.split(".")[0].lower())


def _qrels_file(folder: Path, roots: list[Path]) -> Path | None:
    """`qrels.*` at the top, else the BEIR folder's test split (or dev, or train)."""
    if top := _by_stem(roots, QRELS_STEMS):
        return top
    splits = sorted(p for p in (folder / "qrels").glob("*") if p.is_file() and not _hidden(p.name))
    return _by_stem(splits, SPLITS) or (splits[0] if splits else None)


def _source(path: Path | None) -> Source | None:
    if path is None:
        return None
    return Source.of(path, f"qrels/{path.name}" if path.parent.name == "qrels" else path.name)
