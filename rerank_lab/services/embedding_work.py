"""Embedding a corpus as work for workers: they send vectors, and the command keeps them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput, LabError
from rerank_lab.core.spec import Node
from rerank_lab.corpora import Corpus
from rerank_lab.jobs.workers import Workers, answers
from rerank_lab.pipeline.engine import Engine
from rerank_lab.retrievers.base import Retriever
from rerank_lab.retrievers.embeddings import TextBlock

EmbeddedBlock = tuple[Any, set[int]]
"""The vectors of a block, and the places in it of texts that were cut."""


@dataclass(frozen=True, slots=True)
class EmbeddingWork:
    """Embedding blocks of texts for the index of one first stage.

    Attributes:
        node: the first stage.
        fingerprint: of it, where the work was planned.
        encoder: the digest of its encoder there.
        local_models: as `Workload.local_models`.
    """

    node: Node
    fingerprint: str
    encoder: str
    local_models: bool = True

    def open(self, engine: Engine) -> Callable[[TextBlock, Context], EmbeddedBlock]:
        """As `Workload.open`.

        Raises:
            InvalidInput: this machine has another state of the model than the planner's has.
        """
        retriever, ctx = engine.retriever(self.node), Context()
        retriever.prepare(ctx)
        own = retriever.fingerprint(), retriever.encoder_digest(ctx)
        if own != (self.fingerprint, self.encoder):
            raise InvalidInput(
                f"A worker has another state of {self.node}, or runs it another way, than this "
                "machine.",
                hint="Bring the same version of Rerank Lab, and of the model, to all machines, "
                'and fix the device, such as dense(device="cpu").',
            )

        def embedded(block: TextBlock, ctx: Context) -> EmbeddedBlock:
            ctx.checkpoint()
            return retriever.embed(block.texts, ctx)

        return embedded

    def failed(self, task: TextBlock, error: LabError) -> EmbeddedBlock:
        """Raises the error: an index without some vectors is not written."""
        raise error


def embed_by_workers(
    node: Node,
    retriever: Retriever,
    corpus: Corpus,
    ctx: Context,
    engine: Engine,
    workers: Workers,
) -> None:
    """Have the vectors that an index needs in their store; nothing for families without a model.

    At most one block a worker is in memory, and one more. Each is kept as soon as it is there, so a
    later run goes on from here.

    Args:
        node: The spec of the first stage.
        retriever: The first stage, prepared.
        corpus: The documents.
        ctx: For progress and cancelling.
        engine: Of this process.
        workers: Who embeds.

    Raises:
        Cancelled: `ctx` says so.
        LabError: No worker can be had, the model fails, or the vectors cannot be kept.
    """
    embedding = retriever.embedding(corpus, ctx, engine.home / "indexes")
    if embedding is None:
        return
    blocks = embedding.blocks(ctx)
    first = next(blocks, None)
    if first is None:
        return
    work = EmbeddingWork(node, retriever.fingerprint(), retriever.encoder_digest(ctx))
    lots: Iterator[Iterator[TextBlock]] = (iter([block]) for block in chain([first], blocks))
    done = first.done
    with workers.pool(work, ctx, engine) as pool:
        for block, (vectors, truncated) in answers(work, pool, lots, ctx):
            embedding.add(block, vectors, truncated)
            done += len(block.texts)
            ctx.report("embedding documents", done, block.total)
