"""Puts texts that name a recent year first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from rerank_lab import TOP, Info, Param, PointwiseReranker, Work


class Freshness(PointwiseReranker):
    """The latest year that a text names, up to `now`; texts without a year come last."""

    info: ClassVar[Info] = Info(
        name="freshness",
        kind="reranker",
        family="rules",
        summary="Documents that name a recent year come first.",
        scale="year",
        params=(
            TOP,
            Param("now", 2026, "The latest year that counts.", low=1900, high=2100, unit="year"),
        ),
    )

    def score(self, query: str, texts: Sequence[str], work: Work) -> list[float]:
        return [self._year(text) for text in texts]

    def _year(self, text: str) -> float:
        years = [int(year) for year in re.findall(r"\b(?:19|20)\d\d\b", text)]
        return float(max((y for y in years if y <= int(self.options["now"])), default=0))
