"""SPLADE as a first stage: learned word weights in the same kind of index as BM25's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from rerank_lab import models
from rerank_lab.components.base import Info, Param
from rerank_lab.core.context import Context
from rerank_lab.core.input_coverage import InputCoverage
from rerank_lab.core.types import Document, Query, Ranking, Trace
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.corpora.key_table import mapped
from rerank_lab.models import Sparse, open_sparse_encoder
from rerank_lab.models.input_coverage import indexed_coverage
from rerank_lab.models.runtime.device import DEVICES
from rerank_lab.models.token_budget import long_query_warning
from rerank_lab.retrievers.base import DEPTH, MANIFEST, names_of, stored_index
from rerank_lab.retrievers.cut_texts import CutTexts
from rerank_lab.retrievers.distinct_texts import DistinctTexts, distinct_texts
from rerank_lab.retrievers.embeddings import (
    BATCH,
    BLOCK,
    Embedding,
    embed_missing,
    hexadecimal,
)
from rerank_lab.retrievers.encoded import EncodedRetriever
from rerank_lab.retrievers.postings import (
    Postings,
    new_array,
    next_places,
    open_stored,
    order_of,
    peaks_of,
    tops_of,
)
from rerank_lab.retrievers.sparse_vectors import SparseStore

_BLANK = "blank.npy"


class Splade(EncodedRetriever):
    """Learned sparse retrieval (Formal et al. 2021, arXiv:2109.10086), exact: no pruning."""

    _encoder: models.SparseEncoder

    info: ClassVar[Info] = Info(
        name="splade",
        kind="retriever",
        family="sparse",
        summary="Ranks by learned word weights; query and documents are expanded to related words.",
        scale="splade",
        params=(
            DEPTH,
            Param(
                "model",
                "splade-tiny",
                "Catalogue name, local folder, or hub id.",
                label="Model",
                local=True,
            ),
            Param("device", "auto", "Where it runs.", choices=DEVICES, label="Device"),
        ),
    )

    def _open_encoder(self, ctx: Context) -> None:
        ctx.report("loading model")
        options = models.ModelOptions(device=str(self.options["device"]))
        self._encoder = open_sparse_encoder(self.model, ctx, options)

    def _store(self, folder: Path) -> SparseStore:
        """Where the vectors stay for the index in a folder."""
        place = folder.parents[2] / "embeddings" / f"{self._encoder.digest[:32]}-sparse.sqlite"
        return SparseStore(place)

    def _build(self, corpus: Corpus, folder: Path | None, ctx: Context) -> None:
        self._ids = corpus.ids
        if folder is not None and (folder / MANIFEST).exists():
            self._open(corpus, folder)
            return
        texts, digests = distinct_texts(corpus.documents, ctx)
        rows = np.empty(len(corpus), np.int32)
        rows[texts.documents] = np.repeat(
            np.arange(len(texts), dtype=np.int32), np.diff(texts.starts)
        )
        self._blank = np.flatnonzero(np.isin(rows, texts.blank))
        if folder is None:
            vectors, cut = self._embedded(corpus, texts, ctx)
            self._cut = CutTexts(cut[rows])
            self._postings = postings_of(lambda: [[vectors[row] for row in rows]], self._ids)
            return
        store = self._store(folder)
        embed_missing(Embedding(corpus, texts, digests, store), self._encoded, ctx)
        cut = np.zeros(len(corpus), np.bool_)
        with stored_index(folder, self._manifest(corpus)) as unfinished:
            blocks = partial(_stored_blocks, store, digests, rows, cut, ctx)
            postings_of(blocks, self._ids, unfinished).save(unfinished)
            CutTexts(cut).save(unfinished)
            np.save(unfinished / _BLANK, self._blank, allow_pickle=False)
        self._open(corpus, folder)

    def _open(self, corpus: Corpus, folder: Path) -> None:
        self._postings = open_stored(self.info.name, folder, len(corpus))
        self._cut = CutTexts.open(folder, len(corpus))
        try:
            self._blank = mapped(folder / _BLANK)
        except (OSError, ValueError):  # as stored until version 0.1
            blank = [n for n, document in enumerate(corpus.documents) if document.blank]
            self._blank = np.array(blank, np.int64)
            with suppress(OSError):
                np.save(folder / _BLANK, self._blank, allow_pickle=False)

    def _embedded(
        self, corpus: Corpus, texts: DistinctTexts, ctx: Context
    ) -> tuple[list[Sparse], NDArray[np.bool_]]:
        """A vector of each text, and which of these were cut; nothing is stored."""
        vectors: list[Sparse] = []
        cut = np.zeros(len(texts), np.bool_)
        documents = texts.first_documents()
        for start in range(0, len(texts), BATCH):
            numbers = documents[start : start + BATCH].tolist()
            batch = [corpus.documents[number].content for number in numbers]
            batch_vectors, truncated = self._encoded(batch, start, len(texts), ctx)
            vectors += batch_vectors
            cut[[start + row for row in truncated]] = True
        ctx.report("embedding documents", len(texts), len(texts))
        return vectors, cut

    def _encoded(
        self, batch: list[str], done: int, total: int, ctx: Context
    ) -> tuple[list[Sparse], set[int]]:
        """The vectors of a batch of texts, and the places in it of those that were cut."""
        ctx.checkpoint()
        ctx.report("embedding documents", done, total)
        usage = models.Usage()
        vectors = self._encoder.encode(batch, "passage", replace(ctx, progress=_ignore), usage)
        self.build_trace += Trace(load_s=usage.load_s, queue_s=usage.queue_s)
        return vectors, set(usage.truncated)

    def _search(self, query: Query, k: int, ctx: Context) -> Ranking:
        return self._traced(query, k, ctx)[0]

    def _traced(self, query: Query, k: int, ctx: Context) -> tuple[Ranking, Trace]:
        if not query.text.strip():
            return Ranking.from_scores(query.id, {}, self.info.scale), Trace()
        usage = models.Usage()
        quiet = replace(ctx, progress=_ignore)
        vector = self._encoder.encode([query.text], "query", quiet, usage)[0]
        terms = {str(i): float(w) for i, w in zip(vector.ids, vector.weights, strict=True)}
        blank = set(self._blank.tolist())
        best = self._postings.weighted(terms, k + len(blank))
        best = [(number, score) for number, score in best if number not in blank]
        numbers = dict(zip(names_of(self._ids, [n for n, _ in best]), best, strict=True))
        scores = {doc_id: score for doc_id, (_, score) in numbers.items()}
        ranking = Ranking.from_scores(query.id, scores, self.info.scale, limit=k)
        trace = Trace(
            load_s=usage.load_s,
            queue_s=usage.queue_s,
            tokens_in=usage.tokens,
            truncated=self._cut.count([numbers[hit.doc_id][0] for hit in ranking]),
            model_asked=self.model,
            model_served=self.model,
            backend=usage.backend,
            warnings=(
                *usage.warnings,
                *([long_query_warning(self.model)] if usage.truncated else []),
            ),
        )
        return ranking, trace

    def input_coverage(self, document: Document) -> InputCoverage | None:
        """What the encoder read of a document when it was indexed."""
        return indexed_coverage(self.model, document.content)

    def close(self) -> None:
        """Let go of the index."""
        super().close()
        self.__dict__.pop("_postings", None)
        self.__dict__.pop("_ids", None)


def postings_of(
    blocks: Callable[[], Iterable[Sequence[Sparse]]], ids: Sequence[str], folder: Path | None = None
) -> Postings:
    """An inverted index of sparse vectors; terms are token ids, as text. `ids` settle ties.

    Args:
        blocks: Gives the vectors of all documents, in order, some at a time; called twice.
        ids: The documents' ids.
        folder: Takes the arrays of documents and weights, which are then not in memory.
    """
    counts = np.zeros(0, np.int64)
    for block in blocks():
        for vector in block:
            if len(vector.ids) and vector.ids[-1] >= len(counts):
                counts = np.concatenate([counts, np.zeros(vector.ids[-1] + 1, np.int64)])
            counts[vector.ids] += 1
    used = np.flatnonzero(counts)
    start = np.zeros(len(used) + 1, dtype=np.int64)
    np.cumsum(counts[used], out=start[1:])
    documents = new_array(folder, "documents", np.int32, int(start[-1]))
    weights = new_array(folder, "weights", np.float32, int(start[-1]))
    free, first = start[:-1].copy(), 0
    for block in blocks():
        holders = np.repeat(np.arange(len(block), dtype=np.int32), [len(v.ids) for v in block])
        tokens = np.concatenate([vector.ids for vector in block])
        by_token = np.argsort(tokens, kind="stable")
        terms = np.searchsorted(used, tokens[by_token]).astype(np.int32)
        places = next_places(terms, free)
        documents[places] = holders[by_token] + np.int32(first)
        weights[places] = np.concatenate([vector.weights for vector in block])[by_token]
        first += len(block)
    return Postings(
        {str(token): number for number, token in enumerate(used.tolist())},
        start,
        documents,
        weights,
        np.zeros(len(used), dtype=np.float32),
        order_of(ids),
        peaks_of(start, weights),
        tops_of(start, weights),
    )


def _stored_blocks(
    store: SparseStore,
    digests: NDArray[np.uint8],
    rows: NDArray[np.int32],
    cut: NDArray[np.bool_],
    ctx: Context,
) -> Iterator[list[Sparse]]:
    """The stored vectors of all documents, in blocks; `cut` takes which of them were cut."""
    for start in range(0, len(rows), BLOCK):
        ctx.checkpoint()
        ctx.report("reading vectors", start, len(rows))
        contents = hexadecimal(digests[rows[start : start + BLOCK]])
        vectors, truncated = store.read(contents)
        cut[start : start + len(contents)] = [content in truncated for content in contents]
        yield vectors


def _ignore(_: object) -> None:
    """Encoding one query, or a batch inside a counted whole, is not reported by itself."""
