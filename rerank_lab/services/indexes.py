"""Indexes as a use case: build one beforehand, and have the keyword index of a corpus ready."""

from __future__ import annotations

from dataclasses import dataclass

from rerank_lab.components.registry import resolve
from rerank_lab.core.context import Context
from rerank_lab.core.spec import Node
from rerank_lab.corpora import Corpus
from rerank_lab.jobs.keys import JobKey
from rerank_lab.jobs.table import Job
from rerank_lab.pipeline.engine import Engine
from rerank_lab.retrievers.stored_indexes import delete_index
from rerank_lab.services.access import Action, needs
from rerank_lab.services.session import Session

KEYWORDS = "bm25"
"""The first stage whose index is made for every corpus that is opened."""


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


@needs(Action.DELETE, "name")
def delete(corpus: Corpus, name: str, engine: Engine) -> None:
    """Delete a stored index of a corpus, on the disk and in memory.

    Raises:
        StorageError: The folder cannot be written.
    """
    delete_index(engine.home / "indexes", corpus.content_hash, name)
    engine.forget()
