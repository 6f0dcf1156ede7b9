"""The probability of each grade for documents that nobody has judged yet.

A continuation-ratio logit: the chance that a document which reaches one grade also reaches the next
is logistic in where the pipelines rank it. Its parameters:

- one intercept for each grade above the lowest,
- the mean discount 1 / log2(1 + rank) over the pipelines (0 where one does not rank the document),
  in which pipelines that rank alike share one voice: three variants of BM25 are no majority,
- each pipeline's deviation from that mean, so that pipelines earn their own trust,
- the share of voices that rank the document at all, and of those that rank it among the first,
  which the measure looks at,
- one effect for each query, since some queries have many relevant documents and some none. Its
  variance is estimated with the rest (empirical Bayes).

Every parameter has a normal prior, so that the model is defined before the first label and moves
away from the prior only as labels come in. It is fitted by Newton's method to the posterior mode;
around that the posterior is taken as normal (Laplace's approximation) and sampled, so that what the
model does not know about itself is part of every probability. Estimating relevance from the ranks
of the systems under evaluation follows Carterette, "Robust test collections for retrieval
evaluation" (SIGIR 2007).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.int64]

_STEPS = 12
_FIRST_INTERCEPT, _NEXT_INTERCEPT = -2.2, -1.2
"""Prior means: with a slope of 3, the first of every pipeline is relevant at 0.7, and the tenth of
a single one of six at 0.1."""
_SLOPE = 3.0
_INTERCEPT_SD, _SLOPE_SD, _TRUST_SD, _SHARE_SD = 1.5, 1.5, 1.0, 1.0
_QUERY_VARIANCE, _PRIOR_QUERIES = 1.0, 8.0
"""The variance of the query effects before any label, and how many queries that counts for."""


@dataclass(frozen=True)
class GradeModel:
    """The posterior of the parameters, given the labels so far.

    Attributes:
        mode: [n_levels - 1 + n_features], intercepts first.
        factor: Cholesky factor of the covariance of those.
        query_mode: [n_queries], the effects of the queries at the mode.
        query_sd: [n_queries], their standard deviations given the other parameters.
        query_slope: [n_queries, n_parameters], how they move with the other parameters.
        levels: how many grades there are.
    """

    mode: Floats
    factor: Floats
    query_mode: Floats
    query_sd: Floats
    query_slope: Floats
    levels: int

    def sampled_levels(
        self, features: NDArray[np.float32], generator: np.random.Generator, samples: int
    ) -> NDArray[np.int8]:
        """Grades as they could be, as places in the scale from 0.

        Args:
            features: [n_queries, n_documents, n_features]
            generator: of the random numbers.
            samples: how many sets of grades.

        Returns:
            [samples, n_queries, n_documents]; documents of one sample share its parameters.
        """
        deviations = generator.standard_normal((samples, len(self.mode))) @ self.factor.T
        parameters = self.mode + deviations
        effects = self.query_mode - deviations @ self.query_slope.T
        effects += generator.standard_normal(effects.shape) * self.query_sd
        split = self.levels - 1
        slopes = parameters[:, split:].astype(np.float32)
        logits = np.moveaxis(features @ slopes.T, -1, 0)
        logits += effects.astype(np.float32)[:, :, None]
        intercepts = parameters[:, :split].astype(np.float32)
        draws = generator.random(logits.shape, dtype=np.float32)
        reached = np.ones_like(draws)
        levels = np.zeros(draws.shape, np.int8)
        for level in range(split):
            reached /= 1 + np.exp(-(logits + intercepts[:, level, None, None]))
            levels += draws < reached
        return levels


def rank_features(discounts: NDArray[np.float32], depth: int) -> NDArray[np.float32]:
    """What the model knows of a document: [n_queries, n_documents, 3 + n_pipelines].

    Args:
        discounts: 1 / log2(1 + rank) by query, document and pipeline, 0 for not ranked.
        depth: of the first documents, which the measure looks at.
    """
    voices = _voices(discounts)
    mean = (discounts @ voices)[..., None]
    share = ((discounts > 0) @ voices)[..., None]
    first = ((discounts >= 0.999 / np.log2(1 + depth)) @ voices)[..., None]
    return np.concatenate((mean, share, first, discounts - mean), axis=-1)


def _voices(discounts: NDArray[np.float32]) -> NDArray[np.float32]:
    """The weight of each pipeline in the mean; they sum to 1.

    One over how many pipelines rank as it does, each counted by its likeness: the fourth power of
    the cosine between the discounts that both give to all documents.
    """
    flat = discounts.reshape(-1, discounts.shape[-1]).astype(np.float64)
    lengths = np.maximum(np.sqrt((flat**2).sum(axis=0)), 1e-12)
    likeness = (flat.T @ flat / np.outer(lengths, lengths)) ** 4
    weights = 1 / np.maximum(likeness.sum(axis=1), 1e-12)
    shares: NDArray[np.float32] = (weights / weights.sum()).astype(np.float32)
    return shares


def fit_grade_model(
    features: NDArray[np.float32], levels: NDArray[np.int8], n_levels: int
) -> GradeModel:
    """Fit the model to the labels so far, of which there may be none.

    Args:
        features: of `rank_features`, [n_queries, n_documents, n_features].
        levels: [n_queries, n_documents], the place of the grade in the scale; -1 for unjudged.
        n_levels: how many grades the scale has.
    """
    rows, successes, queries = _binary_rows(features, levels, n_levels)
    mean, precision = _prior(features.shape[-1], n_levels)
    n_queries = len(features)
    parameters: Floats = mean.copy()
    effects: Floats = np.zeros(n_queries)
    variance = _QUERY_VARIANCE
    for _ in range(_STEPS):
        chances = 1 / (1 + np.exp(-(rows @ parameters + effects[queries])))
        weights = chances * (1 - chances)
        errors = successes - chances
        gradient = rows.T @ errors - precision * (parameters - mean)
        effect_gradient = np.bincount(queries, errors, n_queries) - effects / variance
        effect_precision: Floats = np.bincount(queries, weights, n_queries) + 1 / variance
        cross = _sums_by_query(rows * weights[:, None], queries, n_queries)
        slope: Floats = cross / effect_precision[:, None]
        schur = (rows * weights[:, None]).T @ rows + np.diag(precision) - cross.T @ slope
        step = np.linalg.solve(schur, gradient - slope.T @ effect_gradient)
        step *= min(1.0, 3.0 / max(1e-9, float(np.abs(step).max())))
        parameters += step
        effects += effect_gradient / effect_precision - slope @ step
        variance = _variance(effects, effect_precision, queries)
    covariance = np.linalg.inv(schur)
    factor: Floats = np.linalg.cholesky((covariance + covariance.T) / 2)
    return GradeModel(parameters, factor, effects, effect_precision**-0.5, slope, n_levels)


def _binary_rows(
    features: NDArray[np.float32], levels: NDArray[np.int8], n_levels: int
) -> tuple[Floats, Floats, Integers]:
    """One row for each label and each grade that it could reach: did it?"""
    query_places, doc_places = np.nonzero(levels >= 0)
    labels, described = levels[query_places, doc_places], features[query_places, doc_places]
    rows, successes, queries = [], [], []
    for level in range(n_levels - 1):
        at_risk = labels >= level
        intercepts = np.zeros((int(at_risk.sum()), n_levels - 1))
        intercepts[:, level] = 1
        rows.append(np.hstack((intercepts, described[at_risk])))
        successes.append((labels[at_risk] > level).astype(np.float64))
        queries.append(query_places[at_risk])
    return np.vstack(rows), np.concatenate(successes), np.concatenate(queries)


def _prior(n_features: int, n_levels: int) -> tuple[Floats, Floats]:
    """Prior means and precisions, in the order of the parameters."""
    trust = n_features - 3
    intercepts = [_FIRST_INTERCEPT] + [_NEXT_INTERCEPT] * (n_levels - 2)
    mean = np.array([*intercepts, _SLOPE, 0.0, 0.0] + [0.0] * trust)
    spread = (
        [_INTERCEPT_SD] * (n_levels - 1) + [_SLOPE_SD, _SHARE_SD, _SHARE_SD] + [_TRUST_SD] * trust
    )
    return mean, np.array(spread) ** -2.0


def _sums_by_query(values: Floats, queries: Integers, n_queries: int) -> Floats:
    sums = np.zeros((n_queries, values.shape[1]))
    np.add.at(sums, queries, values)
    return sums


def _variance(effects: Floats, precision: Floats, queries: Integers) -> float:
    """The expected square of a query's effect, among queries with labels (an EM step)."""
    labelled = np.unique(queries)
    squares = effects[labelled] ** 2 + 1 / precision[labelled]
    total = squares.sum() + _PRIOR_QUERIES * _QUERY_VARIANCE
    return float(total / (len(labelled) + _PRIOR_QUERIES))
