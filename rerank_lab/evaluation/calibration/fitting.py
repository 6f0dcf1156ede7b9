"""Fit both curves, and test each on queries that it was not fitted on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rerank_lab.evaluation.calibration.curves import FITS, METHODS, Method
from rerank_lab.evaluation.calibration.figures import Fitted, measured
from rerank_lab.evaluation.calibration.judged_scores import JudgedScores
from rerank_lab.evaluation.calibration.requirements import FOLDS, require_enough
from rerank_lab.evaluation.folds import query_folds


@dataclass(frozen=True, slots=True)
class Calibration:
    """Both curves, and what always saying the base rate would cost (`base_brier`)."""

    judged: JudgedScores
    base_rate: float
    base_brier: float
    folds: int
    seed: int
    fitted: tuple[Fitted, ...]

    @property
    def chosen(self) -> Fitted:
        """The curve with the smaller Brier score; the simpler one when they are equal."""
        return min(self.fitted, key=lambda one: one.brier)

    def of(self, method: Method) -> Fitted:
        """The curve that was fitted by this method."""
        return next(one for one in self.fitted if one.method == method)

    def to_json(self) -> dict[str, Any]:
        """Everything but the single scores."""
        judged = self.judged
        return {
            "pipeline": judged.pipeline,
            "scale": judged.scale,
            "grade": judged.grade,
            "queries": judged.query_count,
            "candidates": len(judged.scores),
            "unjudged": judged.unjudged,
            "failed": judged.failed,
            "base_rate": self.base_rate,
            "base_brier": self.base_brier,
            "folds": self.folds,
            "seed": self.seed,
            "chosen": self.chosen.method,
            "methods": [one.to_json() for one in self.fitted],
        }


def calibrate(judged: JudgedScores, *, folds: int = FOLDS, seed: int = 0) -> Calibration:
    """Fit both curves and test them out of fold. Raises InvalidInput when there is too little."""
    require_enough(judged, folds)
    scores = np.asarray(judged.scores, np.float64)
    truth = np.asarray(judged.relevant, np.float64)
    parts = query_folds(sorted(set(judged.queries)), folds, seed)
    part_of = {query: part for part, queries in enumerate(parts) for query in queries}
    fold_of = np.asarray([part_of[query] for query in judged.queries])
    fitted = []
    for method in METHODS:
        probabilities = np.empty_like(scores)
        for fold in range(folds):
            held = fold_of == fold
            probabilities[held] = FITS[method](scores[~held], truth[~held]).apply(scores[held])
        stage = FITS[method](scores, truth).stage
        fitted.append(measured(method, stage, probabilities, truth, judged.queries))
    base = float(truth.mean())
    return Calibration(judged, base, base * (1 - base), folds, seed, tuple(fitted))
