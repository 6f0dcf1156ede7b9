"""Stages that read the scores of the stage before: as probabilities, or against a threshold."""

from __future__ import annotations

import bisect
import itertools
import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from rerank_lab.components.base import Info, Param
from rerank_lab.core.errors import InvalidInput, LabError
from rerank_lab.core.types import Document, Hit, Query, Ranking, Status
from rerank_lab.core.work import Work
from rerank_lab.rerankers.base import TOP, Reranker

ALL = replace(TOP, default=10_000, help="How many candidates are looked at.")
_SMALLEST = 1e-12


class ScoreStage(Reranker):
    """Does something with scores that are there already; no model, nothing to cache."""

    def _rank(self, query: Query, docs: Sequence[Document], work: Work) -> tuple[Ranking, Status]:
        ids = {doc.id for doc in docs}
        hits = [hit for hit in work.before or () if hit.doc_id in ids and hit.score is not None]
        if not hits or work.before is None:
            raise InvalidInput(
                f"{self.info.name} reads the scores of the stage before it, which gives none.",
                hint="Put it after a stage that scores, such as a cross-encoder; listwise models "
                "and others that give an order only have no scores to read.",
            )
        work.checkpoint()
        return self._scored(work.before, hits, [doc.id for doc in docs]), Status.OK

    @abstractmethod
    def _scored(self, before: Ranking, hits: Sequence[Hit], ids: Sequence[str]) -> Ranking:
        """The new ranking, from the candidates that have scores and the ids of all of them."""


class Calibrator(ScoreStage):
    """Scores as probabilities of being relevant, by a curve that never falls: the order stays."""

    @abstractmethod
    def probability(self, score: float) -> float:
        """Between 0 and 1; never smaller for a larger score."""

    def _scored(self, before: Ranking, hits: Sequence[Hit], ids: Sequence[str]) -> Ranking:
        scored = {hit.doc_id for hit in hits}
        calibrated = tuple(
            Hit(hit.doc_id, rank, self.probability(hit.score or 0.0))
            for rank, hit in enumerate(hits, 1)
        )
        ranking = Ranking(before.query_id, calibrated, "probability")
        return ranking.followed_by([doc_id for doc_id in ids if doc_id not in scored])


class Platt(Calibrator):
    """Platt 1999, "Probabilistic Outputs for Support Vector Machines": a logistic curve."""

    info: ClassVar[Info] = Info(
        name="platt",
        kind="reranker",
        family="scores",
        has_model=False,
        summary="Reads scores as probabilities by a logistic curve, fitted on the Calibrate page.",
        scale="probability",
        params=(
            ALL,
            Param("slope", 1.0, "How steep the curve is; above 0.", low=1e-9, label="Slope"),
            Param("intercept", 0.0, "The log-odds at a score of 0.", label="Intercept"),
        ),
    )

    def probability(self, score: float) -> float:
        """The logistic curve at `score`."""
        logit = float(self.options["slope"]) * score + float(self.options["intercept"])
        return 1 / (1 + math.exp(-logit)) if logit > -700 else 0.0


class Isotonic(Calibrator):
    """Isotonic regression (Zadrozny and Elkan 2002): straight lines between fitted points."""

    info: ClassVar[Info] = Info(
        name="isotonic",
        kind="reranker",
        family="scores",
        has_model=False,
        summary="Reads scores as probabilities by a rising curve of points, fitted on Calibrate.",
        scale="probability",
        params=(
            ALL,
            Param(
                "points",
                "0:0 1:1",
                "The curve as score:probability, scores rising: -4:0.02 1.5:0.4 6:0.9.",
                label="Points",
            ),
        ),
    )

    def problems(self) -> list[LabError]:
        """Points that are no rising curve."""
        try:
            curve_points(str(self.options["points"]))
        except InvalidInput as error:
            return [error]
        return []

    def probability(self, score: float) -> float:
        """On the line between the two points around `score`; flat beyond the last ones."""
        scores, values = curve_points(str(self.options["points"]))
        place = bisect.bisect_right(scores, score)
        if place in (0, len(scores)):
            return values[0] if place == 0 else values[-1]
        low, high = scores[place - 1], scores[place]
        share = (score - low) / (high - low)
        return values[place - 1] + share * (values[place] - values[place - 1])


def curve_points(text: str) -> tuple[list[float], list[float]]:
    """`"-4:0.02 6:0.9"` as scores and probabilities. Raises InvalidInput for a curve that is none.

    Scores rise strictly, probabilities never fall and lie in 0..1.
    """
    try:
        pairs = [tuple(map(float, cell.split(":"))) for cell in text.split()]
        scores, values = [p[0] for p in pairs], [p[1] for p in pairs]
        good = all(len(pair) == 2 and all(map(math.isfinite, pair)) for pair in pairs)
    except (ValueError, IndexError):
        good = False
    if (
        not good
        or not pairs
        or any(a >= b for a, b in itertools.pairwise(scores))
        or any(a > b for a, b in itertools.pairwise(values))
        or not 0 <= values[0] <= values[-1] <= 1
    ):
        raise InvalidInput(
            f"The points {text[:80]!r} are no rising curve.",
            hint='Write them like points="-4:0.02 1.5:0.4 6:0.9": scores rise, probabilities '
            "never fall and lie between 0 and 1.",
        )
    return scores, values


class Threshold(ScoreStage):
    """Leaves out what scores too low, so that a query may well have no answer."""

    may_drop: ClassVar[bool] = True
    info: ClassVar[Info] = Info(
        name="threshold",
        kind="reranker",
        family="scores",
        has_model=False,
        summary="Leaves out documents that score below a threshold, and those without a score.",
        scale="as before",
        params=(
            ALL,
            Param("min", 0.5, "The lowest score kept, on the scale of the stage before."),
            Param(
                "keep",
                0,
                "How many documents are kept whatever they score.",
                low=0,
                high=10_000,
                unit="documents",
                label="Keep at least",
            ),
        ),
    )

    def _scored(self, before: Ranking, hits: Sequence[Hit], ids: Sequence[str]) -> Ranking:
        least, sure = float(self.options["min"]), int(self.options["keep"])
        passing = [
            hit
            for place, hit in enumerate(hits)
            if place < sure or (hit.score is not None and hit.score >= least - _SMALLEST)
        ]
        renumbered = tuple(Hit(hit.doc_id, rank, hit.score) for rank, hit in enumerate(passing, 1))
        return Ranking(before.query_id, renumbered, before.scale)
