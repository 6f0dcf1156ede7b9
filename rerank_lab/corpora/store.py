"""Corpora on disk: the samples, and imported ones under the data folder, whole or not at all."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput, StorageError
from rerank_lab.core.paths import data_home, samples_home
from rerank_lab.core.storage import (
    disk_errors,
    recover_folders,
    remove_folder,
    staged_folder,
    write_file,
)
from rerank_lab.core.text import load_json
from rerank_lab.core.types import Document, Qrels, Query
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.corpora.layouts import Parts
from rerank_lab.corpora.mapping import META
from rerank_lab.corpora.source import Source
from rerank_lab.corpora.stored_documents import CORPUS, DocumentWriter, StoredDocuments
from rerank_lab.remote.objects.store import FileOrigin

QUERIES, QRELS, SUMMARY = "queries.jsonl", "qrels.tsv", "summary.json"
LIVE = "live.json"
"""In place of documents, where these stay in a search engine: the engine's spec."""
ORIGIN = "origin.json"
"""Where the documents were brought from, with the version of each file."""
_CHUNK = 2000


@dataclass(frozen=True, slots=True)
class CorpusEntry:
    """One line of the list of corpora, read without loading any document.

    `kind` is `sample`, `imported` or `live`; `error` says why a stored one cannot be read. The
    documents of a live one are what its engine counted when it was connected, None when unknown.
    """

    name: str
    slug: str
    kind: str
    path: Path
    documents: int | None = 0
    queries: int = 0
    judgments: int = 0
    languages: tuple[str, ...] = ()
    content_hash: str = ""
    error: str = ""


def corpora_home() -> Path:
    """The folder of the imported corpora."""
    return data_home() / "corpora"


def slug_of(name: str) -> str:
    """A folder name for a corpus name: lower-case ASCII letters, digits and dashes."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60].strip("-")
    if slug and name.isascii():
        return slug
    mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{slug}-{mark}" if slug else f"corpus-{mark}"


def list_corpora() -> tuple[CorpusEntry, ...]:
    """The samples, then the imported corpora, each by name."""
    samples = [_sample_entry(path) for path in _folders(samples_home())]
    return (*samples, *_imported())


def _imported() -> list[CorpusEntry]:
    """The imported and live corpora, by name."""
    recover_folders(corpora_home())
    entries = [_imported_entry(path) for path in _folders(corpora_home())]
    return sorted(entries, key=lambda entry: entry.name.casefold())


def find_entry(name: str) -> CorpusEntry | None:
    """The corpus of that name (an imported one also by its folder's name)."""
    sample = next((path for path in _folders(samples_home()) if path.name == name), None)
    if sample is not None:
        return _sample_entry(sample)
    return next((entry for entry in _imported() if name in (entry.name, entry.slug)), None)


def unknown_corpus(name: str) -> InvalidInput:
    """The error for a name that is neither a corpus nor a path, with the nearest names."""
    names = [entry.name for entry in list_corpora()]
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5) or names[:10]
    return InvalidInput(
        f"There is no corpus or file {name!r}.",
        hint=("Did you mean: " if names else "Give the path of a file or folder")
        + ", ".join(near)
        + ("? A path works too." if names else "."),
    )


def imported_entry(name: str) -> CorpusEntry:
    """The imported corpus of that name, or InvalidInput: samples cannot be changed."""
    entry = find_entry(name)
    if entry is None:
        raise unknown_corpus(name)
    if entry.kind == "live":
        raise InvalidInput(
            f"The documents of {name!r} stay in its search engine; no file can be added to them.",
            hint="Connect it again, with the queries and judgments that it is to have.",
        )
    if entry.kind != "imported":
        raise InvalidInput(
            f"{name!r} is a sample that comes with the program and stays as it is.",
            hint="Import a corpus of your own under another name.",
        )
    return entry


def delete_corpus(name: str) -> None:
    """Remove an imported or live corpus from the data folder. InvalidInput for any other.

    The search engine of a live one is not touched.
    """
    entry = find_entry(name)
    if entry is None or entry.kind != "live":
        entry = imported_entry(name)
    with disk_errors(entry.path):
        remove_folder(entry.path)


def check_name(name: str, *, replace: bool) -> str:
    """The folder name for a new corpus; InvalidInput when the name is taken or unusable."""
    unusable = any(ord(char) < 32 or "\ud800" <= char <= "\udfff" for char in name)
    if not name.strip() or len(name) > 200 or unusable:
        raise InvalidInput(
            "A corpus needs a name.", hint="Give one of 1 to 200 characters that can be printed."
        )
    slug = slug_of(name.strip())
    taken = find_entry(name.strip()) or find_entry(slug)
    if taken and taken.kind == "sample":
        raise InvalidInput(f"{name!r} is a sample's name.", hint="Choose another name.")
    if taken and not replace:
        raise _taken(taken.name)
    return taken.slug if taken else slug


def _taken(name: str) -> InvalidInput:
    return InvalidInput(
        f"There is already a corpus called {name!r}.",
        hint="Choose another name, or replace it (replace=True).",
    )


def save_corpus(
    corpus: Corpus,
    summary: Mapping[str, Any],
    *,
    slug: str,
    replace: bool = False,
    origin: FileOrigin | None = None,
    ctx: Context | None = None,
) -> Path:
    """Write a corpus beside its place, then move it there; give back its folder.

    Raises InvalidInput when there is one already and it is not to be replaced.
    """
    with new_corpus(slug, replace=replace) as folder:
        write_documents(folder, corpus.documents, ctx or Context())
        write_judged(folder, corpus.queries, corpus.qrels)
        write_about(folder, summary, origin)
    return corpora_home() / slug


@contextmanager
def new_corpus(slug: str, *, replace: bool = False) -> Iterator[Path]:
    """An empty folder to write a corpus into, which takes its place when the block ends well.

    Raises:
        InvalidInput: There is one already and it is not to be replaced.
        StorageError: The folder cannot be written.
    """
    target = corpora_home() / slug
    try:
        with staged_folder(target, replace=replace) as folder:
            yield folder
    except FileExistsError:
        raise _taken(target.name) from None


def write_about(folder: Path, summary: Mapping[str, Any], origin: FileOrigin | None) -> None:
    """Write what is known of a corpus without reading it, and where it was brought from."""
    write_summary(folder, summary)
    if origin is not None:
        write_file(folder / ORIGIN, json.dumps(origin.to_json(), ensure_ascii=False))


def write_documents(
    folder: Path, documents: Sequence[Document], ctx: Context, doing: str = "Storing documents"
) -> StoredDocuments:
    """Write documents with distinct ids, one in memory at a time; `doing` is said of it.

    Raises:
        StorageError: The disk is full, for example.
        Cancelled: `ctx` says so.
    """
    with closing(DocumentWriter(folder)) as writer:
        for number, document in enumerate(documents):
            if number % _CHUNK == 0:
                ctx.checkpoint()
                ctx.report(doing, number, len(documents))
            writer.add(document)
        return writer.finish()


def write_judged(folder: Path, queries: Sequence[Query], qrels: Qrels) -> None:
    """Write the queries and judgments of a corpus; no file where there are none."""
    if queries:
        write_queries(folder / QUERIES, queries)
    if qrels:
        write_judgments(folder / QRELS, qrels)


def write_queries(path: Path, queries: Iterable[Query]) -> None:
    """Write `queries.jsonl`, in the layout of BEIR."""
    rows = ({"_id": q.id, "text": q.text} | ({META: q.meta} if q.meta else {}) for q in queries)
    write_file(
        path, "".join(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows)
    )


def write_judgments(path: Path, qrels: Qrels) -> None:
    """As BEIR does: tab separated, with a header. Quoted where an id holds a tab or a quote."""
    import csv
    import io

    out = io.StringIO()
    writer = csv.writer(out, delimiter="\t", lineterminator="\n")
    writer.writerow(("query-id", "corpus-id", "score"))
    writer.writerows((q, d, grade) for q, judged in qrels.items() for d, grade in judged.items())
    write_file(path, out.getvalue())


def write_summary(folder: Path, summary: Mapping[str, Any]) -> None:
    """Write what is known of a corpus without reading it."""
    write_file(folder / SUMMARY, json.dumps(summary, ensure_ascii=False, indent=1, default=str))


def save_live(
    corpus: Corpus, engine: str, summary: Mapping[str, Any], *, slug: str, replace: bool = False
) -> Path:
    """Store a live corpus: the spec of its engine, its queries and judgments; no document.

    Raises InvalidInput when there is one already and it is not to be replaced.
    """
    target = corpora_home() / slug
    try:
        with staged_folder(target, replace=replace) as folder:
            write_file(folder / LIVE, json.dumps({"engine": engine}, ensure_ascii=False, indent=1))
            write_judged(folder, corpus.queries, corpus.qrels)
            write_summary(folder, summary)
    except FileExistsError:
        raise _taken(target.name) from None
    return target


def read_engine(folder: Path) -> str:
    """The spec of the engine of a stored live corpus. Raises StorageError when it is damaged."""
    try:
        return str(load_json((folder / LIVE).read_text("utf-8"))["engine"])
    except (OSError, ValueError, KeyError, TypeError):
        raise StorageError(
            f"The live corpus in {folder.name!r} cannot be read.",
            hint="Connect it again.",
            damaged=True,
        ) from None


def stored_judged(folder: Path) -> Parts:
    """The files of queries and judgments beside a stored live corpus."""
    files = [folder / QUERIES, folder / QRELS]
    queries, qrels = (Source.of(file) if file.is_file() else None for file in files)
    return Parts((), queries, qrels)


def read_summary(folder: Path) -> dict[str, Any]:
    """The stored summary; empty when there is none (a sample)."""
    try:
        loaded = load_json((folder / SUMMARY).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return loaded if isinstance(loaded, dict) else {}


def read_origin(folder: Path) -> FileOrigin | None:
    """Where a stored corpus was brought from; None for files of this machine."""
    try:
        return FileOrigin.from_json(load_json((folder / ORIGIN).read_text("utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _folders(home: Path) -> list[Path]:
    if not home.is_dir():
        return []
    inside = (path for path in sorted(home.iterdir()) if not path.name.startswith("."))
    return [path for path in inside if (path / CORPUS).is_file() or (path / LIVE).is_file()]


# The samples come with the program, and finding this out anew takes a second for each.
_SAMPLE_LANGUAGES = {
    "helpdesk": ("en",),
    "multilingual-faq": ("en", "de", "fr", "es", "pl", "tr", "ja", "ar"),
    "science-answers": ("en",),
}


def _sample_entry(path: Path) -> CorpusEntry:
    counts = (_count_lines(path / CORPUS), _count_lines(path / QUERIES), _count_lines(path / QRELS))
    return CorpusEntry(
        path.name,
        path.name,
        "sample",
        path,
        counts[0],
        counts[1],
        max(0, counts[2] - 1),
        _SAMPLE_LANGUAGES.get(path.name, ()),
    )


def _imported_entry(path: Path) -> CorpusEntry:
    about = read_summary(path)
    kind = "live" if (path / LIVE).is_file() else "imported"
    if not about:
        return CorpusEntry(path.name, path.name, kind, path, error="Its summary is damaged.")
    documents = about.get("documents", 0)
    return CorpusEntry(
        str(about.get("name", path.name)),
        path.name,
        kind,
        path,
        None if documents is None else int(documents),
        int(about.get("queries", 0)),
        int(about.get("judgments", 0)),
        tuple(about.get("languages", {})),
        str(about.get("content_hash", "")),
    )


def _count_lines(path: Path) -> int:
    try:
        with path.open("rb") as stream:
            return sum(1 for line in stream if line.strip())
    except OSError:
        return 0
