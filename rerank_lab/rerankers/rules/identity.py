"""The baseline: the order of the stage before, untouched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rerank_lab.components.base import Info
from rerank_lab.core.types import Document, Query, Ranking, Status
from rerank_lab.core.work import Work
from rerank_lab.rerankers.base import TOP, Reranker


class Identity(Reranker):
    """Keeps the order. What a reranker has to beat."""

    info: ClassVar[Info] = Info(
        name="identity",
        kind="reranker",
        family="baseline",
        has_model=False,
        lane="light",
        summary="Keeps the order of the stage before: the baseline.",
        scale="order",
        params=(TOP,),
    )

    def _rank(self, query: Query, docs: Sequence[Document], work: Work) -> tuple[Ranking, Status]:
        return Ranking.from_order(query.id, [doc.id for doc in docs]), Status.OK
