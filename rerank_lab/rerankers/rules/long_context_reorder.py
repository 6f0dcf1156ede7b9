"""Order for a reader that overlooks the middle: the best documents at both ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rerank_lab.components.base import Info
from rerank_lab.core.types import Document, Query, Ranking, Status
from rerank_lab.core.work import Work
from rerank_lab.rerankers.base import TOP, Reranker


class LongContextReorder(Reranker):
    """1, 3, 5, ... 6, 4, 2, for language models that overlook the middle of their context.

    Liu et al. 2023, "Lost in the Middle", arXiv:2307.03172. Meant as the last stage before a
    generator. As a ranking for people it is worse by design, and rank measures will say so.
    """

    info: ClassVar[Info] = Info(
        name="long-context-reorder",
        kind="reranker",
        family="order",
        has_model=False,
        summary="Puts the best documents first and last, for a generator that skips the middle.",
        scale="order",
        params=(TOP,),
    )

    def _rank(self, query: Query, docs: Sequence[Document], work: Work) -> tuple[Ranking, Status]:
        ids = [doc.id for doc in docs]
        return Ranking.from_order(query.id, ids[::2] + ids[1::2][::-1]), Status.OK
