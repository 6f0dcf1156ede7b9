"""Indexes as a use case: build those of pipelines, have the keyword index of a corpus ready."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rerank_lab.components.registry import pipeline_leaves, resolve
from rerank_lab.core.context import Context
from rerank_lab.core.errors import Cancelled, LabError
from rerank_lab.core.spec import Node, PipelineSpec
from rerank_lab.corpora import Corpus
from rerank_lab.jobs.keys import JobKey
from rerank_lab.jobs.table import Job
from rerank_lab.jobs.workers import Workers
from rerank_lab.pipeline.engine import Engine
from rerank_lab.retrievers.bm25 import BM25
from rerank_lab.services.access import Action, needs
from rerank_lab.services.embedding_work import embed_by_workers
from rerank_lab.services.session import Session
from rerank_lab.services.stored_indexes import StoredIndex, delete_index, stored_indexes

KEYWORDS = "bm25"
"""The first stage whose index is made for every corpus that is opened."""


@dataclass(frozen=True, slots=True)
class IndexState:
    """What became of the index of one first stage.

    Attributes:
        retriever: the spec of the first stage.
        folder: where its index lies; empty where it has none on the disk.
        built: whether it was made now; else it was there.
        seconds: what building or opening took, by the clock.
        size: bytes on the disk.
        reason: why it has no index, in words.
        warnings: what was to be said while it was built.
        error: why it could not be built.
    """

    retriever: str
    folder: str = ""
    built: bool = False
    seconds: float = 0.0
    size: int = 0
    reason: str = ""
    warnings: tuple[str, ...] = ()
    error: LabError | None = None

    def to_json(self) -> dict[str, Any]:
        """The fields by name; of an error its message."""
        names = ("retriever", "folder", "built", "seconds", "size", "reason", "warnings")
        return {name: getattr(self, name) for name in names}


def build_all(
    specs: Sequence[PipelineSpec],
    corpus: Corpus,
    ctx: Context,
    engine: Engine,
    workers: Workers | None = None,
) -> list[IndexState]:
    """Build the indexes that pipelines need, one after the other; none stays in memory.

    An index that is there is opened to see that it is sound. One that was stopped goes on: the
    vectors that were made are kept. With `workers` they embed the documents; the vectors are those
    of this process, which also writes the index.

    Returns:
        A state for each different first stage. One that failed does not stop the others.

    Raises:
        Cancelled: `ctx` says so.
    """
    return [
        _index_state(node, corpus, ctx, engine, workers) for node in _first_stages(specs, engine)
    ]


def _first_stages(specs: Iterable[PipelineSpec], engine: Engine) -> list[Node]:
    """The retrievers of some pipelines, those that share an index once."""
    nodes: dict[tuple[object, ...], Node] = {}
    for spec in specs:
        for node, kind in pipeline_leaves(spec):
            if kind == "retriever":
                retriever = engine.retriever(node)
                options = tuple(sorted(retriever.index_options.items()))
                nodes.setdefault((retriever.identity, options), node)
    return list(nodes.values())


def _index_state(
    node: Node, corpus: Corpus, ctx: Context, engine: Engine, workers: Workers | None
) -> IndexState:
    name = str(node)
    start = time.perf_counter()
    try:
        retriever = engine.retriever(node)
        if retriever.info.live:
            return IndexState(name, reason="its index is that of the search engine")
        for problem in retriever.problems(corpus):
            raise problem
        retriever.prepare(ctx)
        if workers is not None:
            embed_by_workers(node, retriever, corpus, ctx, engine, workers)
        retriever.build(corpus, ctx, engine.home / "indexes")
        folder = retriever.index_folder(corpus, engine.home / "indexes")
    except Cancelled:
        raise
    except LabError as error:
        return IndexState(name, reason=error.message, error=error)
    took, warnings = time.perf_counter() - start, retriever.build_trace.warnings
    built = retriever.build_trace.build_s > 0
    retriever.close()
    if not folder.exists():
        why = "it keeps no index on the disk"
        return IndexState(name, seconds=took, reason=why, warnings=warnings)
    return IndexState(name, str(folder), built, took, _size(folder), warnings=warnings)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


@dataclass(frozen=True, slots=True)
class IndexKey(JobKey[None]):
    """Building the index of a first stage for the corpus with this content."""

    corpus_hash: str
    node: Node


@dataclass(frozen=True, slots=True)
class PrepareKey(JobKey[None]):
    """Getting the keyword index of a corpus ready."""

    corpus_hash: str


@needs(Action.EDIT)
def start(node: Node, corpus: Corpus, session: Session) -> Job[None]:
    """The job that builds the index of a first stage: the one at work or done, else a new one.

    Raises:
        LabError: The first stage cannot run here or on this corpus.
    """
    for problem in session.engine.retriever(node).problems(corpus):
        raise problem
    return _built(
        IndexKey(corpus.content_hash, node), node, corpus, session, f"Building {node} for"
    )


def prepare(corpus: Corpus, session: Session) -> Job[None]:
    """Have the keyword index ready before the first query asks for it; nobody waits for it."""
    node = resolve(KEYWORDS).source
    return _built(PrepareKey(corpus.content_hash), node, corpus, session, "Preparing")


def word_rarity(corpus: Corpus, engine: Engine) -> Callable[[str], Mapping[str, float]] | None:
    """How rare words are in a corpus, by its keyword index, which is built when it is not there."""
    index = engine.built(resolve(KEYWORDS).source, corpus, Context())
    return index.rarity if isinstance(index, BM25) else None


def jobs_of(corpus: Corpus, session: Session) -> list[Job[None]]:
    """The builds for a corpus, oldest first."""
    return session.jobs.jobs(IndexKey, lambda key: key.corpus_hash == corpus.content_hash)


def _built(
    key: IndexKey | PrepareKey, node: Node, corpus: Corpus, session: Session, doing: str
) -> Job[None]:
    engine = session.engine

    def work(ctx: Context) -> None:
        engine.built(node, corpus, ctx)

    return session.jobs.submit(
        key,
        work,
        lane="light" if node.name == KEYWORDS else "cpu",
        name=f"{doing} {corpus.name}",
        ctx=Context(cache=engine.scores),
        waiter=session.waiter if isinstance(key, IndexKey) else "",
        detached=True,
    )


def indexes_of(content_hash: str, engine: Engine) -> tuple[StoredIndex, ...]:
    """The indexes in the data folder of the corpus with this content, by name."""
    return stored_indexes(engine.home / "indexes", content_hash)


@needs(Action.DELETE, "name")
def delete(corpus: Corpus, name: str, engine: Engine) -> None:
    """Delete a stored index of a corpus, on the disk and in memory.

    Raises:
        StorageError: The folder cannot be written.
    """
    delete_index(engine.home / "indexes", corpus.content_hash, name)
    engine.forget()
