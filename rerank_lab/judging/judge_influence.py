"""Does it matter for the ranking of pipelines who judged?

Judges who disagree may still agree on which pipeline is best: Voorhees found so at TREC
("Variations in relevance judgments and the measurement of retrieval effectiveness", Information
Processing & Management 36, 2000). Here each judge's own labels rank the pipelines, and judges and
queries are drawn anew many times to see how often the order stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Qrels
from rerank_lab.judging.graded_pool import GradedPool
from rerank_lab.judging.pools import PipelineRuns

_SAME = 1e-6


@dataclass(frozen=True, slots=True)
class InfluenceSettings:
    """How the influence is reckoned: by which measure and scale, from how many seeded draws."""

    measure: str = "nDCG@10"
    grades: tuple[int, ...] = (0, 1, 2, 3)
    draws: int = 500
    seed: int = 0


@dataclass(frozen=True, slots=True)
class JudgeWinner:
    """The best pipeline by the labels of one judge alone, on the queries that the judge graded.

    `winners` are several where they are equal. `means` are by spec.
    """

    judge: str
    queries: int
    winners: tuple[str, ...]
    means: Mapping[str, float]


@dataclass(frozen=True)
class JudgeInfluence:
    """What depends on who judged and on which queries.

    Attributes:
        order: the specs, best first, by their mean over all draws.
        winner_holds: share of draws of judges and queries in which the first of `order` is best.
        order_holds: share of draws in which the whole order is the same.
        judges_alone: the share in which the first is best when only the judges are drawn anew.
        by_judge: what each judge alone would have said.
    """

    order: tuple[str, ...]
    winner_holds: float
    order_holds: float
    judges_alone: float
    by_judge: tuple[JudgeWinner, ...]


def judge_influence(
    runs: PipelineRuns,
    by_judge: Mapping[str, Qrels],
    settings: InfluenceSettings = InfluenceSettings(),
) -> JudgeInfluence:
    """Rank pipelines by each judge, and by judges and queries drawn anew.

    In each draw, judges are drawn with replacement and a pair takes the grade of the first of them
    who graded it; where none of them did, of the first other judge who did.

    Args:
        runs: rankings of two pipelines or more.
        by_judge: each judge's grades; unjudged documents count as not relevant, as elsewhere.
        settings: the measure, the scale, and the number of draws.

    Raises:
        InvalidInput: nothing is graded, or as `GradedPool.of`.
    """
    merged: dict[str, dict[str, int]] = {}
    for qrels in by_judge.values():
        for query_id, grades in qrels.items():
            merged.setdefault(query_id, {}).update(grades)
    pool = GradedPool.of(runs, merged, settings.measure, settings.grades)
    levels = np.stack([pool.levels_of(q) for q in by_judge.values()]) if by_judge else None
    if levels is None or not (levels >= 0).any():
        raise InvalidInput(
            "Nobody has graded a document for a query that these pipelines answered.",
            hint="Judge some documents first.",
        )
    specs = tuple(runs)
    generator = np.random.default_rng(settings.seed)
    values = pool.values(_drawn_levels(levels, settings.draws, generator))
    values = values[:, (levels >= 0).any(axis=(0, 2))].astype(np.float64)
    weights = generator.standard_exponential(values.shape[:2])
    means = np.einsum("sqp,sq->sp", values, weights / weights.sum(axis=1, keepdims=True))
    by_judges_alone = values.mean(axis=1)
    order = np.argsort(-by_judges_alone.mean(axis=0), kind="stable")
    steps = np.diff(means[:, order], axis=1)
    return JudgeInfluence(
        order=tuple(specs[place] for place in order),
        winner_holds=_share_first(means, order[0]),
        order_holds=float((steps <= _SAME).all(axis=1).mean()),
        judges_alone=_share_first(by_judges_alone, order[0]),
        by_judge=tuple(
            _winner(judge, levels[place], pool, specs) for place, judge in enumerate(by_judge)
        ),
    )


def _drawn_levels(
    levels: NDArray[np.int8], draws: int, generator: np.random.Generator
) -> NDArray[np.int8]:
    """One set of levels a draw, 0 for what nobody graded: [draws, queries, documents].

    `levels` are those of each judge, -1 for unjudged: [judges, queries, documents].
    """
    judges = len(levels)
    drawn = np.empty((draws, *levels.shape[1:]), np.int8)
    for draw in range(draws):
        first = generator.integers(0, judges, judges)
        priority = list(dict.fromkeys((*first.tolist(), *generator.permutation(judges).tolist())))
        ranked = levels[priority]
        chosen = (ranked >= 0).argmax(axis=0)[None]
        drawn[draw] = np.take_along_axis(ranked, chosen, axis=0)[0]
    return np.maximum(drawn, 0)


def _share_first(means: NDArray[np.float64], place: int) -> float:
    return float((means[:, place] >= means.max(axis=1) - _SAME).mean())


def _winner(
    judge: str, levels: NDArray[np.int8], pool: GradedPool, specs: tuple[str, ...]
) -> JudgeWinner:
    graded = (levels >= 0).any(axis=1)
    if not graded.any():
        return JudgeWinner(judge, 0, (), {})
    means = pool.values(np.maximum(levels, 0)[None])[0, graded].mean(axis=0, dtype=np.float64)
    best = means >= means.max() - _SAME
    winners = tuple(spec for spec, first in zip(specs, best, strict=True) if first)
    return JudgeWinner(
        judge, int(graded.sum()), winners, dict(zip(specs, map(float, means), strict=True))
    )
