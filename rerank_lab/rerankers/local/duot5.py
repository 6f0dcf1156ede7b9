"""duoT5: a T5 model that compares two documents for a query."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import ClassVar

from rerank_lab.components.base import Info, Param
from rerank_lab.core.context import Context
from rerank_lab.core.work import Work
from rerank_lab.models import ModelOptions
from rerank_lab.models.prompt_templates import DUOT5
from rerank_lab.models.torch.prompted import PromptedModel, open_prompted_model
from rerank_lab.rerankers.base import TOP
from rerank_lab.rerankers.comparative import KEEP, PairwiseReranker
from rerank_lab.rerankers.local.base import UsesModel
from rerank_lab.rerankers.local.prompted import prompted_params

_SORT = Param(
    "sort",
    "allpairs",
    "How preferences become an order; the sorts decide the first places with fewer comparisons.",
    choices=("allpairs", "heapsort", "bubblesort"),
    label="Sort",
)


class DuoT5(UsesModel[PromptedModel], PairwiseReranker):
    """Pradeep et al. 2021, "The Expando-Mono-Duo Design Pattern", arXiv:2101.05667.

    Both orders of a pair are asked, and only agreement counts: n documents take n(n-1) passes.
    """

    info: ClassVar[Info] = Info(
        name="duot5",
        kind="reranker",
        family="seq2seq",
        summary="A T5 model compares documents two at a time, in both orders.",
        scale="wins",
        params=(
            replace(TOP, default=10),
            *(p for p in prompted_params("duot5-base", _SORT, KEEP) if p.name != "top"),
        ),
    )

    marks_cut: ClassVar[bool] = True

    def _open(self, model: str, ctx: Context, options: ModelOptions) -> PromptedModel:
        return open_prompted_model(model, DUOT5, ctx, options)

    def weights_digest(self) -> str:
        """With the digest of the words around query and documents."""
        return f"{super().weights_digest()}:{DUOT5.digest()}"

    def prefer(self, query: str, first: str, second: str, work: Work) -> float:
        """The probability that `first` is the more relevant one."""
        with self._used(work) as usage:
            values = {"query": query, "document": first, "other": second}
            (logit,) = self.opened.score([values], work.ctx, usage)
        work.truncated |= {document for _, document in usage.cut}
        return 1 / (1 + math.exp(-max(-60.0, min(60.0, logit))))
