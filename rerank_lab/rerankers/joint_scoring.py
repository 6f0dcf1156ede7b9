"""The base of rerankers that score all documents in one go: each score depends on its company."""

from __future__ import annotations

from typing import ClassVar

from rerank_lab.core.context import Context
from rerank_lab.core.input_coverage import InputCoverage
from rerank_lab.core.types import Document
from rerank_lab.rerankers.base import ScoringReranker


class JointScoringReranker(ScoringReranker):
    """Scores documents that are read together; `score` is handed all of them at once.

    Scores are kept for exactly these documents in this order, never for a document alone. A text
    that several documents share is read once, and they share its score.
    """

    batch_size: ClassVar[int | None] = None

    @property
    def scores_jointly(self) -> bool:
        """Always: that is what this base is for."""
        return True

    def input_coverage(self, query: str, document: Document, ctx: Context) -> InputCoverage | None:
        """None: what fits of one document depends on the others."""
        return None
