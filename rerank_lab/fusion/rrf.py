"""Reciprocal rank fusion: needs no scores, so any rankings go together."""

from __future__ import annotations

from collections.abc import Sequence

from rerank_lab.components.base import Info, Param
from rerank_lab.core.types import Ranking
from rerank_lab.fusion.base import TOP, Fusion, summed


def reciprocal_rank(
    rankings: Sequence[Ranking],
    k: int = 60,
    limit: int | None = None,
    previous: Sequence[str] = (),
) -> Ranking:
    """Sum of 1 / (k + rank) over the rankings that hold the document (Cormack et al. 2009)."""
    parts = [{hit.doc_id: 1 / (k + hit.rank) for hit in ranking} for ranking in rankings]
    return summed(rankings, parts, "rrf", limit, previous)


class ReciprocalRankFusion(Fusion):
    """Reciprocal rank fusion: needs no scores, so any first stages go together."""

    info = Info(
        name="rrf",
        kind="fusion",
        family="fusion",
        summary="Adds up 1 / (k + rank): documents that several lists rank high come first.",
        scale="rrf",
        params=(
            TOP,
            Param(
                "k",
                60,
                "Larger values make top ranks count less against agreement between lists.",
                low=0,
                high=100_000,
                label="Rank constant k",
            ),
        ),
    )

    def fuse(self, rankings: Sequence[Ranking], previous: Sequence[str] = ()) -> Ranking:
        """Sum of 1 / (k + rank) over the rankings; see `reciprocal_rank`."""
        k, top = int(self.options["k"]), int(self.options["top"])
        return reciprocal_rank(rankings, k, top, previous)
