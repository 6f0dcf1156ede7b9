"""SPLADE as a reranker: the inner product of two learned sparse vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from rerank_lab.components.base import Info
from rerank_lab.core.context import Context
from rerank_lab.core.work import Work
from rerank_lab.models import ModelOptions, Sparse, SparseEncoder, open_sparse_encoder
from rerank_lab.rerankers.local.base import LocalReranker, pointwise_params


class SpladeReranker(LocalReranker[SparseEncoder]):
    """Any SPLADE model (Formal et al. 2021, arXiv:2109.10086).

    SparseEncoder folders and hub ids of sentence-transformers, masked language models.
    """

    info: ClassVar[Info] = Info(
        name="splade",
        kind="reranker",
        family="sparse",
        summary="Matches learned word weights, expanded to related words, of query and document.",
        scale="splade",
        params=pointwise_params("splade-tiny"),
    )
    compares_vectors: ClassVar[bool] = True

    def _open(self, model: str, ctx: Context, options: ModelOptions) -> SparseEncoder:
        return open_sparse_encoder(model, ctx, options)

    def score(self, query: str, texts: Sequence[str], work: Work) -> list[float]:
        """A score for each text, by the model that `load` opened."""
        with self._used(work) as query_usage:
            question = self.opened.encode([query], "query", work.ctx, usage=query_usage)[0]
        with self._used(work) as usage:
            documents = self.opened.encode(texts, "passage", work.ctx, usage=usage)
        work.truncated |= usage.truncated
        return [inner(question, document) for document in documents]


def inner(a: Sparse, b: Sparse) -> float:
    """Sum over the words that both hold of the product of their weights."""
    _, in_a, in_b = np.intersect1d(a.ids, b.ids, assume_unique=True, return_indices=True)
    return float(np.dot(a.weights[in_a].astype(np.float64), b.weights[in_b].astype(np.float64)))
