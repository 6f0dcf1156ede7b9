"""Cross-validation grouped by query, and what every feature is worth alone.

Rows of one query never stand on both sides: a model that saw a query's other documents has seen
the query. Folds are drawn by a seeded shuffle of the queries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from rerank_lab.core.context import Context
from rerank_lab.core.types import Qrels, Ranking
from rerank_lab.evaluation.folds import query_folds
from rerank_lab.evaluation.measures import measure
from rerank_lab.fusion.learned.features import BEFORE, direction
from rerank_lab.fusion.learned.learners import fit
from rerank_lab.fusion.learned.model import FIRST, MODEL, SIGNAL, Fold, Validation
from rerank_lab.fusion.learned.settings import LearnerSettings
from rerank_lab.learning.gather import Example, stacked

MEASURE = "nDCG@10"
Values = dict[str, float]


def cross_validate(
    examples: Sequence[Example],
    names: Sequence[str],
    qrels: Qrels,
    settings: LearnerSettings,
    folds: int,
    parents: Mapping[str, str],
    ctx: Context,
    progress: tuple[int, int] = (0, 0),
) -> Validation:
    """The model's nDCG@10 on queries that it did not see, the order before, each feature alone.

    A feature without a direction of its own (a length, a column) is given, fold by fold, the one
    that does better on the queries trained on. `parents` maps passages to documents. `progress` is
    how many steps are done and how many there are.
    """
    done, total = progress
    by_id = {example.query.id: example for example in examples}
    by_fold = query_folds(list(by_id), folds, settings.seed)
    scores: dict[str, NDArray[np.float64]] = {}
    for part in by_fold:
        ctx.checkpoint()
        rest = [example for query_id, example in by_id.items() if query_id not in set(part)]
        trees = fit(*stacked(rest), settings)
        for query_id in part:
            matrix = by_id[query_id].matrix
            scores[query_id] = trees.predict(matrix) if len(matrix) else np.empty(0)
        ctx.report("validating", (done := done + 1), total)
    model = _measured(examples, [scores[query_id] for query_id in by_id], qrels, parents)
    before = _measured(examples, [None] * len(examples), qrels, parents)
    alone: dict[str, Values] = {}
    for column, name in enumerate(names):
        if name.startswith(f"{BEFORE} ") or name.endswith(" share"):
            continue  # the order before is measured, and a share orders as its score does
        ctx.checkpoint()
        alone[name] = _alone(examples, column, name, qrels, parents, by_fold)
    best = max(alone, key=lambda name: (_mean(alone[name]), name))
    values = {MODEL: model, FIRST: before, SIGNAL: alone[best]}
    return Validation(
        MEASURE,
        tuple(
            Fold(len(part), *(_mean({q: values[one][q] for q in part})
                              for one in (MODEL, FIRST, SIGNAL)))
            for part in by_fold
        ),
        values,
        best,
        {name: _mean(by_query) for name, by_query in alone.items()},
    )  # fmt: skip


def _alone(
    examples: Sequence[Example],
    column: int,
    name: str,
    qrels: Qrels,
    parents: Mapping[str, str],
    by_fold: Sequence[Sequence[str]],
) -> Values:
    signs = [direction(name)] if direction(name) else [1, -1]
    ways = [
        _measured(examples, [sign * e.matrix[:, column] for e in examples], qrels, parents)
        for sign in signs
    ]
    if len(ways) == 1:
        return ways[0]
    chosen: Values = {}
    for part in by_fold:
        held = set(part)
        seen = [_mean({q: v for q, v in way.items() if q not in held}) for way in ways]
        way = ways[0] if seen[0] >= seen[1] else ways[1]
        chosen |= {query_id: way[query_id] for query_id in part}
    return chosen


def _measured(
    examples: Sequence[Example],
    scores: Sequence[NDArray[np.float64] | None],
    qrels: Qrels,
    parents: Mapping[str, str],
) -> Values:
    """The measure by query of the candidates sorted by scores; None keeps the order before."""
    rankings: dict[str, Ranking] = {}
    for example, row_scores in zip(examples, scores, strict=True):
        ranking = example.before
        if row_scores is not None:
            # What a feature does not know goes below what it knows, in the order before.
            known = np.where(np.isnan(row_scores), -np.finfo(np.float64).max, row_scores)
            by_id = dict(zip(ranking.doc_ids, known.tolist(), strict=True))
            ranking = Ranking.from_scores(ranking.query_id, by_id, "", ranking.doc_ids)
        rankings[example.query.id] = ranking.folded(parents)[0] if parents else ranking
    done = measure(qrels, rankings, [MEASURE])
    return {query_id: values[MEASURE] for query_id, values in done.per_query.items()}


def _mean(values: Mapping[str, float]) -> float:
    return sum(values.values()) / len(values) if values else 0.0
