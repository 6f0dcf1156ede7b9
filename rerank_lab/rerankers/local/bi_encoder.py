"""A bi-encoder as reranker: cosine of the query's vector and each candidate's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rerank_lab.components.base import Info
from rerank_lab.core.context import Context
from rerank_lab.core.work import Work
from rerank_lab.models import Encoder, ModelOptions, open_encoder
from rerank_lab.models.execution_plan import prefixes_of
from rerank_lab.models.locate.folder import LocatedModel
from rerank_lab.models.token_budget import TokenBudget, text_token_budget
from rerank_lab.rerankers.local.base import LocalReranker, pointwise_params


class BiEncoderReranker(LocalReranker[Encoder]):
    """Any sentence-transformers bi-encoder. Prefixes as the catalogue or the model itself says.

    Method: Reimers and Gurevych 2019, "Sentence-BERT".
    """

    info: ClassVar[Info] = Info(
        name="bi-encoder",
        kind="reranker",
        family="bi-encoder",
        summary="Compares one vector of the query with one vector of each document.",
        scale="cosine",
        params=pointwise_params("bge-small-en"),
    )
    compares_vectors: ClassVar[bool] = True

    def _open(self, model: str, ctx: Context, options: ModelOptions) -> Encoder:
        return open_encoder(model, ctx, options=options)

    def _token_budget(self, located: LocatedModel, query: str, limit: int) -> TokenBudget | None:
        return text_token_budget(located.folder, limit, prefixes_of(located)[1])

    def score(self, query: str, texts: Sequence[str], work: Work) -> list[float]:
        """A score for each text, by the model that `load` opened."""
        with self._used(work) as query_usage:
            question = self.opened.encode([query], "query", work.ctx, usage=query_usage)
        with self._used(work) as usage:
            passages = self.opened.encode(texts, "passage", work.ctx, usage=usage)
        work.truncated |= usage.truncated
        return [float(score) for score in passages @ question[0]]
