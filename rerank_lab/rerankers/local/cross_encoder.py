"""Cross-encoders: one network reads query and text together and gives one logit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rerank_lab.components.base import Info
from rerank_lab.core.context import Context
from rerank_lab.core.work import Work
from rerank_lab.models import SCORER_BACKENDS, ModelOptions, Scorer, open_scorer
from rerank_lab.models.locate.folder import LocatedModel
from rerank_lab.models.token_budget import TokenBudget, pair_token_budget
from rerank_lab.rerankers.local.base import LocalReranker, pointwise_params


class CrossEncoderReranker(LocalReranker[Scorer]):
    """Any sentence-transformers CrossEncoder (folder, hub id) or catalogue name.

    Scores are raw logits: no sigmoid, whatever the model's configuration says, so that nothing
    saturates and ties stay rare. Method: Nogueira and Cho 2019, "Passage Re-ranking with BERT".
    """

    info: ClassVar[Info] = Info(
        name="cross-encoder",
        kind="reranker",
        family="cross-encoder",
        summary="A network that reads query and document together and gives one score.",
        scale="logit",
        params=pointwise_params("ms-marco-minilm-l12", SCORER_BACKENDS),
    )

    def _open(self, model: str, ctx: Context, options: ModelOptions) -> Scorer:
        return open_scorer(model, ctx, options)

    def _token_budget(self, located: LocatedModel, query: str, limit: int) -> TokenBudget | None:
        return pair_token_budget(located.folder, query, limit)

    def score(self, query: str, texts: Sequence[str], work: Work) -> list[float]:
        """A score for each text, by the model that `load` opened."""
        with self._used(work) as usage:
            scores = self.opened.score(query, texts, work.ctx, usage)
        work.truncated |= usage.truncated
        return scores
