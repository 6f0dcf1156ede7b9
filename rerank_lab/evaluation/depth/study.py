"""What depth does to pipelines, as values that are kept and shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec

from rerank_lab.components.registry import current_spec
from rerank_lab.evaluation.statistics import Paired

DEPTH_KIND = "depth"
"""Under which it is kept among the studies of an experiment."""
KNEE_SHARE = 0.99
"""The knee is the smallest depth that reaches this share of the best mean of the curve."""
_ALPHA = 0.05

Timing = Literal["measured", "estimated", ""]
"""Where times come from: a run at each depth, the time a candidate took, or unknown."""


@dataclass(frozen=True, slots=True)
class DepthPoint:
    """One pipeline at one depth, as means over the common queries.

    Attributes:
        depth: how many candidates the first stage is asked for, all of them reranked.
        candidates: how many documents it really handed over.
        value: of the measure; `low` and `high` are its 95 % interval, None for one query.
        recall: share of the relevant documents among the candidates.
        oracle: what the best order of these candidates would reach.
        p50, p95: seconds a query takes; None where nobody knows.
        usd: what providers bill for 1,000 queries; 0 where none is asked, None where unknown.
        against_deepest: the deepest point (a) and this one (b), Holm-corrected over the study; None
            for the deepest itself.
    """

    depth: int
    candidates: float
    value: float
    low: float | None
    high: float | None
    recall: float
    oracle: float
    p50: float | None = None
    p95: float | None = None
    usd: float | None = None
    against_deepest: Paired | None = None


@dataclass(frozen=True, slots=True)
class DepthCurve:
    """One pipeline at every depth, by growing depth.

    Attributes:
        reranks: whether it has a reranker at all.
        replayed: whether every model scores documents alone, so that smaller depths follow exactly
            from the scores of the greatest one; else models were asked at every depth.
        problem: why there are no points, "" when there are.
        failed: queries that it did not answer at every depth.
    """

    pipeline: str
    reranks: bool
    replayed: bool
    timing: Timing
    points: tuple[DepthPoint, ...]
    failed: int = 0
    problem: str = ""

    @property
    def best(self) -> DepthPoint | None:
        """The point with the best mean, the smaller depth of equal ones; None without points."""
        return max(self.points, key=lambda point: (point.value, -point.depth), default=None)

    @property
    def knee(self) -> DepthPoint | None:
        """The smallest depth that reaches `KNEE_SHARE` of the best mean; None without points."""
        best = self.best
        if best is None:
            return None
        return next(point for point in self.points if point.value >= KNEE_SHARE * best.value)

    @property
    def drowning(self) -> DepthPoint | None:
        """The best depth that is shown to be better than the deepest; None where none is.

        Jacob et al. (2024, "Drowning in Documents: Consequences of Scaling Reranker Inference")
        saw rerankers lose quality with more candidates.
        """
        better = [
            point
            for point in self.points
            if (paired := point.against_deepest) is not None
            and paired.difference > 0
            and paired.p_holm is not None
            and paired.p_holm < _ALPHA
        ]
        return max(better, key=lambda point: (point.value, -point.depth), default=None)


@dataclass(frozen=True, slots=True)
class DepthStudy:
    """Pipelines at several depths on the same queries.

    Attributes:
        queries: how many judged queries every pipeline answered at every depth.
        depths: those tried, growing.
    """

    corpus: str
    corpus_hash: str
    measure: str
    queries: int
    depths: tuple[int, ...]
    curves: tuple[DepthCurve, ...]

    def with_prices(self, pipeline: str, usd: Sequence[float | None]) -> DepthStudy:
        """The study with what providers bill for a pipeline at each of its points."""
        curves = tuple(
            replace(
                curve,
                points=tuple(
                    replace(point, usd=price)
                    for point, price in zip(curve.points, usd, strict=True)
                ),
            )
            if curve.pipeline == pipeline and curve.points
            else curve
            for curve in self.curves
        )
        return replace(self, curves=curves)

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values, with knee, best and drowning depth; `from_json` reads it."""
        written: dict[str, Any] = msgspec.to_builtins(self)
        for curve, of_curve in zip(self.curves, written["curves"], strict=True):
            for name in ("best", "knee", "drowning"):
                point: DepthPoint | None = getattr(curve, name)
                of_curve[name] = None if point is None else point.depth
        return written

    @classmethod
    def from_json(cls, written: object) -> DepthStudy:
        """The study that `to_json` wrote. Raises ValueError for anything else."""
        study = msgspec.convert(written, cls)
        curves = (replace(one, pipeline=current_spec(one.pipeline)) for one in study.curves)
        return replace(study, curves=tuple(curves))
