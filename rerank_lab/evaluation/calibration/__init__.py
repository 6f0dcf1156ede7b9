"""What a score is worth: curves from scores to probabilities, fitted and tested on judgments.

    judged = judged_scores(corpus, "bm25 >> ms-marco-minilm-l12")
    calibration = calibrate(judged)
    calibration.chosen.stage, threshold_for(calibration.chosen, 0.8)

Every figure is of probabilities that were given to a query by a curve fitted without that query
(query-grouped cross-validation). Documents without a judgment take no part, and are counted.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput, LabError
from rerank_lab.core.types import Query
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.evaluation.calibration.curves import FITS, METHODS, Method
from rerank_lab.evaluation.calibration.figures import (
    MIN_KEPT,
    Bin,
    Cut,
    Fitted,
    measured,
    threshold_for,
)
from rerank_lab.pipeline.engine import Engine, default_engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.pipeline.results import Result

__all__ = [
    "METHODS",
    "MIN_KEPT",
    "Bin",
    "Calibration",
    "Cut",
    "Fitted",
    "JudgedScores",
    "Method",
    "calibrate",
    "judged_scores",
    "threshold_for",
]

MIN_QUERIES, MIN_EACH = 10, 20
"""Fewer judged queries, or relevant or other documents, are refused: no curve is that sure."""
_ONLY_RELEVANT = (
    "hardly any candidate is judged as not relevant, and one without a judgment is not taken for "
    "that. Judge some with grade 0."
)
FOLDS = 5


@dataclass(frozen=True, slots=True)
class JudgedScores:
    """Scores of judged candidates, one entry a (query, document) in each of the sequences.

    `relevant` says whether the grade reaches `grade`. `unjudged` candidates were left out, `failed`
    queries gave no ranking. `scale` is that of the scores.
    """

    pipeline: str
    scale: str
    grade: int
    queries: tuple[str, ...]
    scores: tuple[float, ...]
    relevant: tuple[bool, ...]
    unjudged: int
    failed: int

    @property
    def query_count(self) -> int:
        """How many different queries the pairs come from."""
        return len(set(self.queries))


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
            "methods": [asdict(one) for one in self.fitted],
        }


def judged_scores(
    corpus: Corpus,
    spec: str | Pipeline,
    *,
    queries: Sequence[Query] | None = None,
    grade: int = 1,
    ctx: Context | None = None,
    engine: Engine | None = None,
) -> JudgedScores:
    """Run a pipeline on the judged queries and keep the scores of judged candidates.

    Raises InvalidInput when there are no judgments, or when the last stage gives no scores.
    """
    engine = engine or default_engine()
    ctx = engine.context(ctx)
    pipeline = spec if isinstance(spec, Pipeline) else Pipeline(spec)
    judged_queries = [
        q for q in (corpus.queries if queries is None else queries) if corpus.qrels.get(q.id)
    ]
    if not judged_queries:
        raise InvalidInput(
            f"{corpus.name} has no judged queries, so that there is nothing to calibrate on.",
            hint="Add queries and judgments to the corpus, or choose a sample.",
        )
    results = []
    for done, query in enumerate(judged_queries):
        ctx.checkpoint()
        ctx.report("running the pipeline", done, len(judged_queries))
        results.append(pipeline.run(query, corpus, ctx, engine))
    return _collected(str(pipeline), corpus.qrels, results, grade)


def _collected(
    spec: str, qrels: Mapping[str, Mapping[str, int]], results: Sequence[Result], grade: int
) -> JudgedScores:
    queries, scores, relevant = [], [], []
    unjudged = failed = 0
    scales: dict[str, None] = {}
    error: LabError | None = None
    for result in results:
        if result.ranking is None:
            failed, error = failed + 1, error or result.error
            continue
        scales[result.ranking.scale] = None
        judged = qrels[result.query.id]
        for hit in result.ranking:
            if hit.score is None:
                continue
            if hit.doc_id not in judged:
                unjudged += 1
                continue
            queries.append(result.query.id)
            scores.append(hit.score)
            relevant.append(judged[hit.doc_id] >= grade)
    if failed == len(results) and error is not None:
        raise error
    if not scores:
        raise InvalidInput(
            f"{spec} gives no scores for judged documents.",
            hint="Choose a pipeline whose last stage scores, such as a cross-encoder; orders of "
            "listwise models have no scores to calibrate.",
        )
    scale = ", ".join(scales)
    return JudgedScores(
        spec, scale, grade, tuple(queries), tuple(scores), tuple(relevant), unjudged, failed
    )


def calibrate(judged: JudgedScores, *, folds: int = FOLDS, seed: int = 0) -> Calibration:
    """Fit both curves and test them out of fold. Raises InvalidInput when there is too little."""
    _require_enough(judged, folds)
    scores = np.asarray(judged.scores, np.float64)
    truth = np.asarray(judged.relevant, np.float64)
    fold_of = _folds(judged.queries, folds, seed)
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


def _require_enough(judged: JudgedScores, folds: int) -> None:
    positive = sum(judged.relevant)
    other = len(judged.relevant) - positive
    if judged.query_count >= max(MIN_QUERIES, folds) and min(positive, other) >= MIN_EACH:
        return
    raise InvalidInput(
        f"There is too little to fit a curve on: {judged.query_count} judged queries with "
        f"{positive} relevant and {other} other candidates.",
        hint=f"At least {MIN_QUERIES} queries and {MIN_EACH} candidates of each kind are needed: "
        + (_ONLY_RELEVANT if other < MIN_EACH <= positive else "judge more, or look deeper."),
    )


def _folds(queries: Sequence[str], folds: int, seed: int) -> NDArray[np.int64]:
    """The fold of each entry; all of a query's are in one."""
    names = sorted(set(queries))
    random.Random(seed).shuffle(names)
    fold = {name: place % folds for place, name in enumerate(names)}
    return np.asarray([fold[query] for query in queries])
