"""Late interaction: every query token finds its best match among the document's tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from rerank_lab.components.base import Info
from rerank_lab.core.context import Context
from rerank_lab.core.work import Work
from rerank_lab.models import ModelOptions, TokenEncoder, open_token_encoder
from rerank_lab.models.locate.folder import LocatedModel
from rerank_lab.models.token_budget import TokenBudget, text_token_budget
from rerank_lab.rerankers.local.base import LocalReranker, pointwise_params

Floats = NDArray[np.float32]


class LateInteractionReranker(LocalReranker[TokenEncoder]):
    """MaxSim over token vectors: ColBERT (Khattab and Zaharia 2020).

    PyLate and sentence-transformers multi-vector models.
    """

    info: ClassVar[Info] = Info(
        name="late-interaction",
        kind="reranker",
        family="late-interaction",
        summary="Matches every query token with its best document token (MaxSim).",
        scale="maxsim",
        params=pointwise_params("colbert-small-encoder"),
    )
    compares_vectors: ClassVar[bool] = True

    def _open(self, model: str, ctx: Context, options: ModelOptions) -> TokenEncoder:
        return open_token_encoder(model, ctx, options=options)

    def _token_budget(self, located: LocatedModel, query: str, limit: int) -> TokenBudget | None:
        own = located.json("config_sentence_transformers.json").get("document_length")
        limit = min(limit, own) if isinstance(own, int) and own > 0 else limit
        return text_token_budget(located.folder, limit, markers=1)

    def score(self, query: str, texts: Sequence[str], work: Work) -> list[float]:
        """A score for each text, by the model that `load` opened."""
        with self._used(work) as query_usage:
            question = self.opened.encode([query], "query", work.ctx, usage=query_usage)[0]
        with self._used(work) as usage:
            documents = self.opened.encode(texts, "passage", work.ctx, usage=usage)
        work.truncated |= usage.truncated
        return maxsim(question, documents)


def maxsim(query: Floats, documents: Sequence[Floats]) -> list[float]:
    """Sum over query tokens of their best cosine among a document's tokens, for each document.

    `query` has shape (tokens, dimension) and `documents` are (tokens, dimension) arrays; rows have
    length 1. A document without tokens scores 0.
    """
    sizes = [len(document) for document in documents]
    filled = [document for document in documents if len(document)]
    scores = np.zeros(len(documents), np.float64)
    if filled and len(query):
        starts = np.concatenate([[0], np.cumsum([len(d) for d in filled])[:-1]])
        cosines = query @ np.concatenate(filled).T
        best = np.maximum.reduceat(cosines, starts, axis=1)
        scores[np.array(sizes) > 0] = best.sum(axis=0, dtype=np.float64)
    return [float(score) for score in scores]
