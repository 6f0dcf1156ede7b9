"""Curves from scores to probabilities, each fitted by scikit-learn and written as a stage."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rerank_lab.core.errors import InvalidInput

Floats = NDArray[np.float64]
Method = Literal["platt", "isotonic"]
METHODS: tuple[Method, ...] = ("platt", "isotonic")

MAX_POINTS = 40
"""Corners of an isotonic curve that a pipeline's text has room for; more are thinned evenly."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A fitted curve: the spec of the stage that applies it, and the same as a function."""

    stage: str
    apply: Callable[[Floats], Floats]


def fit_platt(scores: Floats, truth: Floats) -> Curve:
    """A logistic curve towards Platt's targets (n+1)/(n+2) and 1/(n+2), which keep it from 0 and 1.

    Scores have shape (n,), `truth` is 0 or 1. Raises InvalidInput when higher is not better.
    """
    from sklearn.linear_model import LogisticRegression

    positive = float(truth.sum())
    high = (positive + 1) / (positive + 2)
    low = 1 / (len(truth) - positive + 2)
    target = np.where(truth > 0, high, low)
    centre, width = float(scores.mean()), float(scores.std()) or 1.0
    inputs = np.concatenate([(scores - centre) / width] * 2)[:, None]
    labels = np.concatenate([np.ones(len(truth)), np.zeros(len(truth))])
    weights = np.concatenate([target, 1 - target])
    model = LogisticRegression(C=math.inf, tol=1e-10, max_iter=1000).fit(inputs, labels, weights)
    slope = float(model.coef_[0, 0]) / width
    intercept = float(model.intercept_[0]) - slope * centre
    if slope <= 0:
        raise InvalidInput(
            "Higher scores do not go with relevance here, so that no curve can rise.",
            hint="This reranker does not work on these queries: evaluate it first.",
        )
    slope, intercept = float(f"{slope:.6g}"), float(f"{intercept:.6g}")

    def apply(values: Floats) -> Floats:
        return np.asarray(1 / (1 + np.exp(-np.clip(slope * values + intercept, -700, 700))))

    return Curve(f"platt(intercept={intercept!r},slope={slope!r})", apply)


def fit_isotonic(scores: Floats, truth: Floats) -> Curve:
    """The rising curve nearest to the truth, as the corners of its steps joined by lines."""
    from sklearn.isotonic import IsotonicRegression

    model = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(scores, truth)
    points: dict[float, float] = {}
    for score, value in zip(model.X_thresholds_, model.y_thresholds_, strict=True):
        rounded = float(f"{score:.6g}")
        points[rounded] = max(float(f"{value:.6g}"), points.get(rounded, 0.0))
    at, values = np.asarray(list(points)), np.maximum.accumulate(list(points.values()))
    if len(at) > MAX_POINTS:
        chosen_points = np.unique(np.linspace(0, len(at) - 1, MAX_POINTS).round().astype(int))
        at, values = at[chosen_points], values[chosen_points]
    points_text = " ".join(f"{x:g}:{y:g}" for x, y in zip(at, values, strict=True))
    return Curve(
        f'isotonic(points="{points_text}")',
        lambda inputs: np.asarray(np.interp(inputs, at, values)),
    )


FITS: Mapping[Method, Callable[[Floats, Floats], Curve]] = {
    "platt": fit_platt,
    "isotonic": fit_isotonic,
}
