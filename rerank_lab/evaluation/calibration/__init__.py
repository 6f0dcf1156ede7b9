"""What a score is worth: curves from scores to probabilities, fitted and tested on judgments.

    judged = judged_scores(corpus, "bm25 >> ms-marco-minilm-l12")
    calibration = calibrate(judged)
    calibration.chosen.stage, threshold_for(calibration.chosen, 0.8)

Every figure is of probabilities that were given to a query by a curve fitted without that query
(query-grouped cross-validation). Documents without a judgment take no part, and are counted.
"""

from __future__ import annotations

from rerank_lab.evaluation.calibration.curves import METHODS, Method
from rerank_lab.evaluation.calibration.figures import MIN_KEPT, Bin, Cut, Fitted, threshold_for
from rerank_lab.evaluation.calibration.fitting import Calibration, calibrate
from rerank_lab.evaluation.calibration.judged_scores import JudgedScores, judged_scores
from rerank_lab.evaluation.calibration.requirements import (
    MIN_EACH,
    MIN_QUERIES,
    require_judgments,
)

__all__ = [
    "METHODS",
    "MIN_EACH",
    "MIN_KEPT",
    "MIN_QUERIES",
    "Bin",
    "Calibration",
    "Cut",
    "Fitted",
    "JudgedScores",
    "Method",
    "calibrate",
    "judged_scores",
    "require_judgments",
    "threshold_for",
]
