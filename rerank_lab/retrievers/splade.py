"""SPLADE as a first stage: learned word weights in the same kind of index as BM25's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from rerank_lab import models
from rerank_lab.components.base import Info, Param
from rerank_lab.core.context import Context
from rerank_lab.core.errors import LabError, ModelUnavailable
from rerank_lab.core.types import Query, Ranking, Trace
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.models.runtime.device import DEVICES
from rerank_lab.models.token_budget import long_query_warning
from rerank_lab.models.torch.sparse import Sparse, open_sparse_encoder
from rerank_lab.retrievers.base import DEPTH, MANIFEST, Retriever, stored_index
from rerank_lab.retrievers.cut_texts import CutTexts
from rerank_lab.retrievers.postings import Postings, open_stored, peaks_of

_BATCH = 256


class Splade(Retriever):
    """Learned sparse retrieval (Formal et al. 2021, arXiv:2109.10086), exact: no pruning."""

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

    @property
    def model(self) -> str:
        """The model's catalogue name, hub id or folder."""
        return str(self.options["model"])

    def prepare(self, ctx: Context) -> None:
        """Download the model when it is not here; progress and cancel go through `ctx`."""
        if models.availability(self.model).state == "downloadable":
            models.fetch(self.model, ctx)

    def weights_digest(self) -> str:
        """Digest of the model's files. Raises ModelUnavailable when they are not here."""
        return models.model_digest(self.model, vectors=True)

    def problems(self, corpus: Corpus | None = None) -> list[LabError]:
        """A model that is not here and cannot be downloaded."""
        availability = models.availability(self.model)
        if availability.state != "missing":
            return []
        return [ModelUnavailable(availability.reason, hint=availability.hint)]

    def build(self, corpus: Corpus, ctx: Context, indexes: Path | None = None) -> None:
        """As the base says; the encoder is opened first."""
        ctx.report("loading model")
        options = models.ModelOptions(device=str(self.options["device"]))
        self._encoder = open_sparse_encoder(self.model, ctx, options)
        super().build(corpus, ctx, indexes)

    def _build(self, corpus: Corpus, folder: Path | None, ctx: Context) -> None:
        self._ids = corpus.ids
        self._blank = {n for n, document in enumerate(corpus.documents) if document.blank}
        if folder is not None and (folder / MANIFEST).exists():
            self._postings = open_stored(self.info.name, folder, len(corpus))
            self._cut = CutTexts.read(folder, self._ids)
            return
        vectors, self._cut = self._vectors(corpus, ctx)
        built = postings_of(vectors, self._ids)
        if folder is None:
            self._postings = built
            return
        with stored_index(folder, self._manifest(corpus)) as unfinished:
            built.save(unfinished)
            self._cut.save(unfinished, self._ids)
        self._postings = open_stored(self.info.name, folder, len(corpus))

    def _vectors(self, corpus: Corpus, ctx: Context) -> tuple[list[Sparse], CutTexts]:
        """A vector for each document, and which were cut; equal texts are encoded once."""
        hashes = [document.content_hash for document in corpus.documents]
        texts = {h: d.content for h, d in zip(hashes, corpus.documents, strict=True)}
        vectors: dict[str, Sparse] = {}
        truncated: set[str] = set()
        waiting = list(texts)
        for start in range(0, len(waiting), _BATCH):
            ctx.checkpoint()
            ctx.report("embedding documents", start, len(waiting))
            batch = waiting[start : start + _BATCH]
            quiet = replace(ctx, progress=_ignore)
            usage = models.Usage()
            batch_vectors = self._encoder.encode([texts[h] for h in batch], "passage", quiet, usage)
            self.build_trace += Trace(load_s=usage.load_s, queue_s=usage.queue_s)
            vectors |= zip(batch, batch_vectors, strict=True)
            truncated |= {batch[row] for row in usage.truncated}
        ctx.report("embedding documents", len(waiting), len(waiting))
        cut = CutTexts(i for i, h in zip(self._ids, hashes, strict=True) if h in truncated)
        return [vectors[h] for h in hashes], cut

    def _search(self, query: Query, k: int, ctx: Context) -> Ranking:
        return self._traced(query, k, ctx)[0]

    def _traced(self, query: Query, k: int, ctx: Context) -> tuple[Ranking, Trace]:
        if not query.text.strip():
            return Ranking.from_scores(query.id, {}, self.info.scale), Trace()
        usage = models.Usage()
        quiet = replace(ctx, progress=_ignore)
        vector = self._encoder.encode([query.text], "query", quiet, usage)[0]
        terms = {str(i): float(w) for i, w in zip(vector.ids, vector.weights, strict=True)}
        best = self._postings.weighted(terms, k + len(self._blank))
        scores = {self._ids[n]: score for n, score in best if n not in self._blank}
        ranking = Ranking.from_scores(query.id, scores, self.info.scale, limit=k)
        trace = Trace(
            load_s=usage.load_s,
            queue_s=usage.queue_s,
            tokens_in=usage.tokens,
            truncated=len(usage.truncated),
            model_asked=self.model,
            model_served=self.model,
            backend=usage.backend,
            warnings=(
                *usage.warnings,
                *([long_query_warning(self.model)] if usage.truncated else []),
                *self._cut.warnings(ranking, self.model),
            ),
        )
        return ranking, trace

    def close(self) -> None:
        """Let go of the index."""
        super().close()
        self.__dict__.pop("_postings", None)
        self.__dict__.pop("_ids", None)


def postings_of(vectors: Sequence[Sparse], ids: Sequence[str]) -> Postings:
    """An inverted index of sparse vectors; terms are token ids, as text. `ids` settle ties."""
    documents = np.repeat(np.arange(len(vectors), dtype=np.int32), [len(v.ids) for v in vectors])
    tokens = np.concatenate([v.ids for v in vectors])
    weights = np.concatenate([v.weights for v in vectors])
    by_token = np.argsort(tokens, kind="stable")
    used, counts = np.unique(tokens, return_counts=True)
    start = np.zeros(len(used) + 1, dtype=np.int64)
    np.cumsum(counts, out=start[1:])
    order = np.empty(len(ids), dtype=np.int32)
    order[sorted(range(len(ids)), key=ids.__getitem__)] = np.arange(len(ids), dtype=np.int32)
    return Postings(
        {str(token): number for number, token in enumerate(used.tolist())},
        start,
        documents[by_token],
        weights[by_token],
        np.zeros(len(used), dtype=np.float32),
        order,
        peaks_of(start, weights[by_token]),
    )


def _ignore(_: object) -> None:
    """Encoding one query, or a batch inside a counted whole, is not reported by itself."""
