"""jina-reranker-v3: one language model reads the query and many documents in one context."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rerank_lab.components.base import Info, Param
from rerank_lab.core.context import Context
from rerank_lab.core.work import Work
from rerank_lab.models import ModelOptions
from rerank_lab.models.torch.one_context import ContextScorer, Listing, open_context_scorer
from rerank_lab.rerankers.joint_scoring import JointScoringReranker
from rerank_lab.rerankers.local.base import UsesModel
from rerank_lab.rerankers.local.prompted import prompted_params

_TEMPLATE_DIGEST = "jina-v3-1"
"""Raise it when the prompt changes, so that scores kept from before then miss."""


class JinaV3(UsesModel[ContextScorer], JointScoringReranker):
    """Wang et al. 2025, "Last but Not Late Interaction", arXiv:2509.25085.

    Documents see those before them, so that a score depends on its company and on the order of the
    candidates. More than `block` documents are read in blocks, which share the mean of their query
    vectors. Code that comes with the weights is not run.
    """

    info: ClassVar[Info] = Info(
        name="jina-v3",
        kind="reranker",
        family="language model, many documents in one context",
        summary="A language model reads query and documents together; a cosine scores each.",
        scale="cosine",
        params=(
            # One context is one batch, whatever its size.
            *(p for p in prompted_params("jina-reranker-v3") if p.name != "batch_tokens"),
            Param(
                "block",
                64,
                "Documents in one context; the model was made for up to 64.",
                low=1,
                high=200,
                unit="documents",
                label="Documents at once",
            ),
            Param(
                "instruction",
                "",
                "What relevance means here, or empty.",
                label="Instruction",
            ),
        ),
    )

    def weights_digest(self) -> str:
        """With the digest of the words around query and documents."""
        return f"{super().weights_digest()}:{_TEMPLATE_DIGEST}"

    def _open(self, model: str, ctx: Context, options: ModelOptions) -> ContextScorer:
        return open_context_scorer(model, ctx, options)

    def score(self, query: str, texts: Sequence[str], work: Work) -> list[float]:
        """A cosine for each text, which depends on the others."""
        instruction, block = str(self.options["instruction"]), int(self.options["block"])
        with self._used(work) as usage:
            listing = Listing(query, texts, instruction, block)
            scores = self.opened.score(listing, work.ctx, usage)
        work.truncated |= usage.truncated
        return scores
