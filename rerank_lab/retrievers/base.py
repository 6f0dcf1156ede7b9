"""The contract of a first stage: build once for a corpus, then search it.

A family writes `_build` and `_search`; the base owns option checking, the index folder with its
manifest, timing, limits and the refusal of an index that belongs to something else.
"""

from __future__ import annotations

import json
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from rerank_lab.components.base import Component, Param, digest
from rerank_lab.core.context import Context
from rerank_lab.core.errors import BackendError, InvalidInput, LabError, StorageError
from rerank_lab.core.input_coverage import InputCoverage
from rerank_lab.core.spec import Literal
from rerank_lab.core.storage import disk_errors, remove_folder, staged_folder, write_file
from rerank_lab.core.text import load_json
from rerank_lab.core.types import Document, Query, Ranking, Trace
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.corpora.key_table import KeyTable
from rerank_lab.retrievers.embeddings import Embedding

_log = logging.getLogger(__name__)
MANIFEST = "manifest.json"

DEPTH = Param(
    "k",
    100,
    "How many candidates the first stage returns.",
    low=1,
    high=10_000,
    unit="documents",
    label="Candidates",
)
"""Every retriever has this option."""


class DamagedIndex(BackendError):
    """A stored index that cannot be read; `Retriever.build` builds it anew."""

    kind = "damaged_index"

    @classmethod
    def of(cls, retriever: str, folder: Path, why: str) -> DamagedIndex:
        """The error for the index in `folder`; `why` says what is wrong with its files."""
        return cls(
            f"The {retriever} index in {folder.name!r} cannot be read: {why}",
            hint="Build it again.",
            details=f"{folder}: {why}",
        )


def needs_copy(retriever: str, corpus: Corpus) -> InvalidInput:
    """The error for a first stage that reads all documents, on a corpus that holds none."""
    return InvalidInput(
        f"{retriever} reads all documents, and those of {corpus.name!r} stay in the search engine.",
        hint="Begin the pipeline with live, the engine's own search; or import a copy as a corpus.",
    )


def names_of(ids: Sequence[str], numbers: Sequence[int]) -> list[str]:
    """Some ids of a corpus, by the numbers of their documents; those on the disk read at once."""
    return ids.some(numbers) if isinstance(ids, KeyTable) else [ids[number] for number in numbers]


@dataclass(frozen=True, slots=True)
class Retrieved:
    """A ranking of at most k documents, and what it took."""

    ranking: Ranking
    trace: Trace


class Retriever(Component, ABC):
    """One first stage with its options. Instant to construct; `build` does the work."""

    index_format: ClassVar[int] = 1
    """Raised when the files of an index change shape, so that old ones are built anew."""

    def __init__(self, **options: Literal) -> None:
        super().__init__(**options)
        self._built_for: str | None = None
        self.build_trace = Trace()
        """What the last `build` took: `build_s` where it made the index, `load_s` where it opened
        one, and what the family told of its model."""

    @property
    def depth(self) -> int:
        """How many candidates a search returns when nobody says otherwise."""
        return int(self.options.get("k", 100))

    @property
    def index_options(self) -> dict[str, Literal]:
        """The options that an index depends on: all but the depth and those of execution only."""
        return self.identifying_options()

    def fingerprint(self) -> str:
        """What an index of this retriever is made with; part of its folder's name."""
        own = [self.identity, self.index_format, self.index_options, self.weights_digest()]
        return digest(own)

    def index_folder(self, corpus: Corpus, indexes: Path) -> Path:
        """Where its index of this corpus lies, or would lie, below `indexes`."""
        return indexes / corpus.content_hash[:16] / f"{self.identity}-{self.fingerprint()[:16]}"

    def build(self, corpus: Corpus, ctx: Context, indexes: Path | None = None) -> None:
        """Make this retriever ready for `corpus`: open its index below `indexes`, or build it.

        With `indexes=None` nothing is written. Building reports progress, can be cancelled, and
        goes on where it was stopped when the family supports that. A stored index that is damaged
        is built anew; where none can be written, the index lives in memory alone. Both are noted
        in `build_trace`.

        Raises:
            BackendError: a stored index does not belong to this corpus and these options.
        """
        if self._built_for == corpus.content_hash:
            return
        if corpus.live and not self.info.live:
            raise needs_copy(self.info.name, corpus)
        if not corpus.documents and not corpus.live:
            raise InvalidInput(
                f"Corpus {corpus.name!r} has no documents.", hint="Import some documents first."
            )
        folder = self.index_folder(corpus, indexes) if indexes else None
        start, self.build_trace = time.perf_counter(), Trace()
        opened = folder is not None and self._open_stored(corpus, folder, ctx)
        if not opened:
            self._build_and_store(corpus, folder, ctx)
        seconds = max(0.0, time.perf_counter() - start - self.build_trace.total_s)
        self.build_trace += Trace(load_s=seconds) if opened else Trace(build_s=seconds)
        self._built_for = corpus.content_hash

    def _open_stored(self, corpus: Corpus, folder: Path, ctx: Context) -> bool:
        """Open the index in `folder`; False when there is none, or a damaged one, now removed."""
        if not (folder / MANIFEST).exists():
            return False
        try:
            self._check_manifest(folder, corpus)
            self._build(corpus, folder, ctx)
        except DamagedIndex as error:
            self._note(f"The stored {self.info.name} index was damaged and is built anew.", error)
            remove_folder(folder)
            return False
        return True

    def _build_and_store(self, corpus: Corpus, folder: Path | None, ctx: Context) -> None:
        if folder is None:
            self._build(corpus, None, ctx)
            return
        try:
            with disk_errors(folder):
                self._build(corpus, folder, ctx)
                if folder.exists() and not (folder / MANIFEST).exists():
                    write_manifest(folder, self._manifest(corpus))
        except StorageError as error:
            self._note(f"The {self.info.name} index is not kept: {error.message}", error)
            self._build(corpus, None, ctx)

    def _note(self, sentence: str, error: LabError) -> None:
        self.build_trace += Trace(warnings=(sentence,))
        _log.warning("%s (%s)", sentence, error.details or error.message)

    def search(self, query: Query, k: int | None, ctx: Context) -> Retrieved:
        """The best `k` documents (default: the option k), best first.

        Raises:
            BackendError: `build` was not called.
        """
        if self._built_for is None:
            raise BackendError(
                f"{self.info.name} has no index yet.", hint="Call build(corpus, ctx) first."
            )
        ctx.checkpoint()
        start = time.perf_counter()
        ranking, trace = self._traced(query, k or self.depth, ctx)
        seconds = max(0.0, time.perf_counter() - start - trace.total_s)
        own = Trace(compute_s=seconds, calls=1, documents=len(ranking))
        return Retrieved(ranking, own + trace)

    def search_many(
        self, queries: Sequence[Query], k: int | None, ctx: Context
    ) -> Iterable[Retrieved]:
        """One after the other; override where a batch is faster."""
        for query in queries:
            yield self.search(query, k, ctx)

    def problems(self, corpus: Corpus | None = None) -> list[LabError]:
        """What would stop it from running here, found without heavy work."""
        return []

    def input_coverage(self, document: Document) -> InputCoverage | None:
        """What its model read of a document when it was indexed; None when that is not known.

        Cheap: no model is loaded or fetched, and no index is needed.
        """
        return None

    def embedding(self, corpus: Corpus, ctx: Context, indexes: Path) -> Embedding[Any] | None:
        """What has to be embedded before the index of a corpus can be built.

        None where no model reads the documents, or the index is there. Where the vectors are in
        the store, `build` makes none.

        Raises:
            LabError: the model cannot be opened, or the documents cannot be read.
        """
        return None

    def encoder_digest(self, ctx: Context) -> str:
        """Of the encoder as it runs here; "" without one. Equal digests make equal vectors."""
        return ""

    def embed(self, texts: Sequence[str], ctx: Context) -> tuple[Any, set[int]]:
        """The vectors of documents, and the places of those that were cut.

        Raises:
            InvalidInput: no model reads the documents of this first stage.
        """
        raise InvalidInput(f"{self.info.name} has no encoder.", hint="Build its index here.")

    def close(self) -> None:
        """Free what `build` holds in memory; a later `build` opens it again."""
        self._built_for = None

    @abstractmethod
    def _build(self, corpus: Corpus, folder: Path | None, ctx: Context) -> None:
        """Open the index in `folder` when it is complete there, else build it there.

        Add to `build_trace` what of the time was not the index: loading a model, waiting for it.
        """

    @abstractmethod
    def _search(self, query: Query, k: int, ctx: Context) -> Ranking:
        """At most `k` documents. An empty query gives an empty ranking."""

    def _traced(self, query: Query, k: int, ctx: Context) -> tuple[Ranking, Trace]:
        """`_search`, and what only the family knows: waiting, loading, tokens, warnings."""
        return self._search(query, k, ctx), Trace()

    def _manifest(self, corpus: Corpus) -> dict[str, Any]:
        return {
            "retriever": self.info.name,
            "format": self.index_format,
            "options": self.index_options,
            "weights": self.weights_digest(),
            "corpus": corpus.content_hash,
            "documents": len(corpus),
        }

    def _check_manifest(self, folder: Path, corpus: Corpus) -> None:
        try:
            stored = dict(load_json((folder / MANIFEST).read_text("utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise DamagedIndex.of(self.info.name, folder, str(error)) from error
        manifest = self._manifest(corpus)
        differing = sorted(key for key in manifest if stored.get(key) != manifest[key])
        if differing:
            raise BackendError(
                f"The {self.info.name} index in {folder.name!r} was built for another "
                f"{' and '.join(differing)}.",
                hint=f"Delete the folder {folder}; the index is then built anew.",
                details=str(folder),
            )


@contextmanager
def stored_index(folder: Path, manifest: Mapping[str, Any]) -> Iterator[Path]:
    """An empty folder to write an index into; it becomes `folder` when the block ends well.

    When another process has stored the same index meanwhile, that one stays.
    """
    with staged_folder(folder, complete=lambda path: (path / MANIFEST).exists()) as unfinished:
        yield unfinished
        write_manifest(unfinished, manifest)


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Written last and in one step: an index folder without it is unfinished."""
    write_file(folder / MANIFEST, json.dumps(manifest, sort_keys=True, indent=1))
