"""Pools: which documents of some pipelines are judged, and what such a pool misses.

A depth-k pool holds the first k documents of each pipeline (Sparck Jones and van Rijsbergen, 1975;
TREC ever since). Documents that no pipeline ranks so high are never judged, so a pool alone cannot
say what it misses. A random sample from below it can: each pair knows the chance with which it was
drawn, and relevant documents count 1 / chance (Horvitz and Thompson, JASA 47, 1952).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Qrels
from rerank_lab.judging.records import JudgingPair, PairOrigin

PipelineRuns = Mapping[str, Mapping[str, Sequence[str]]]
"""Rankings: spec -> query id -> document ids, best first."""
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

SECONDS_PER_PAIR = 15.0
"""What a pair takes until a judge's own pace is known."""


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """How a pool is drawn.

    Attributes:
        depth: how many documents of each ranking are in the pool.
        below: how many random documents from below the pool go with it, as a share of the pool's
            size for each query, rounded up: 0.1 adds one document to a pool of ten. 0 adds none.
        seed: of the order and the sample: same runs and plan, same pairs.

    Raises:
        InvalidInput: the depth is below 1, or the share is not within 0 to 1.
    """

    depth: int = 10
    below: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.depth < 1:
            raise InvalidInput(
                f"A pool of depth {self.depth} holds nothing.", hint="Pool to depth 1 or more."
            )
        if not 0 <= self.below <= 1:
            raise InvalidInput(
                f"The share of documents from below the pool is {self.below}.",
                hint="Choose a share from 0 to 1.",
            )


@dataclass(frozen=True, slots=True)
class MissedRelevant:
    """How many relevant documents a pool misses among those that its pipelines rank below it.

    Attributes:
        estimate: relevant documents below the pool, estimated from the sample.
        low, high: the interval at `level`. With nothing relevant in the sample `low` is 0 and
            `high` says how many there could still be.
        sampled, judged: pairs drawn from below the pool, and how many of them have a grade.
        population: documents below the pool that the sample stands for.
        pooled: relevant documents that were judged in the pool itself.
    """

    estimate: float
    low: float
    high: float
    level: float
    sampled: int
    judged: int
    population: float
    pooled: int

    @property
    def recall(self) -> float | None:
        """The share of relevant documents that the pool holds; None when there are none at all."""
        total = self.pooled + self.estimate
        return self.pooled / total if total else None


def pool_pairs(runs: PipelineRuns, plan: PoolPlan = PoolPlan()) -> tuple[JudgingPair, ...]:
    """The pairs of a depth-k pool, one query after another, all in seeded random order.

    Documents from below the pool stand among those of the pool, so that no judge can tell them
    apart. Each is drawn without replacement with one chance for all of its query, which is noted
    in its `probability`.
    """
    generator = np.random.default_rng(plan.seed)
    query_ids = sorted({query_id for run in runs.values() for query_id in run})
    pairs: list[JudgingPair] = []
    for place in generator.permutation(len(query_ids)):
        query_id = query_ids[place]
        rankings = [run[query_id] for run in runs.values() if query_id in run]
        pooled = {doc_id for ranking in rankings for doc_id in ranking[: plan.depth]}
        rest = sorted({doc_id for ranking in rankings for doc_id in ranking} - pooled)
        of_query = [JudgingPair(query_id, doc_id) for doc_id in sorted(pooled)]
        of_query += _below(query_id, rest, math.ceil(plan.below * len(pooled)), generator)
        pairs += [of_query[index] for index in generator.permutation(len(of_query))]
    return tuple(pairs)


def _below(
    query_id: str, doc_ids: Sequence[str], count: int, generator: np.random.Generator
) -> list[JudgingPair]:
    count = min(count, len(doc_ids))
    places = generator.choice(len(doc_ids), count, replace=False) if count else ()
    chance = count / max(1, len(doc_ids))
    return [
        JudgingPair(query_id, doc_ids[place], PairOrigin.BELOW_POOL, chance) for place in places
    ]


def estimated_minutes(
    pairs: int, overlap: float = 0.0, seconds_per_pair: float = SECONDS_PER_PAIR
) -> float:
    """Minutes of judging, all judges together: the share `overlap` of pairs is graded twice."""
    return pairs * seconds_per_pair * (1 + overlap) / 60


def missed_relevant(
    pairs: Iterable[JudgingPair], qrels: Qrels, relevant_from: int = 1, level: float = 0.95
) -> MissedRelevant | None:
    """What the pool of a session misses, from the graded pairs of its sample below the pool.

    The interval is that of Korn and Graubard (Survey Methodology 24, 1998): Clopper and Pearson's
    exact interval of a share, at the sample size that the unequal chances and the clustering of
    relevant documents by query leave over.

    Args:
        pairs: the pairs of the session.
        qrels: the grades given so far.
        relevant_from: the lowest grade that counts as relevant.
        level: of the interval, between 0 and 1.

    Returns:
        The estimate; None where no pair from below the pool has a grade.
    """
    pairs = list(pairs)
    sample = [pair for pair in pairs if pair.origin is PairOrigin.BELOW_POOL]
    graded = [pair for pair in sample if pair.doc_id in qrels.get(pair.query_id, {})]
    if not graded:
        return None
    weights = np.array([1 / pair.probability for pair in graded])
    relevant = np.array([qrels[p.query_id][p.doc_id] >= relevant_from for p in graded], dtype=float)
    share = float(weights @ relevant / weights.sum())
    queries = np.unique([pair.query_id for pair in graded], return_inverse=True)[1]
    low, high = _share_interval(share, _effective_size(weights, relevant, queries), level)
    population = sum(1 / pair.probability for pair in sample)
    pooled = sum(
        qrels.get(pair.query_id, {}).get(pair.doc_id, -1) >= relevant_from
        for pair in pairs
        if pair.origin is PairOrigin.POOL
    )
    estimate, low, high = share * population, low * population, high * population
    return MissedRelevant(estimate, low, high, level, len(sample), len(graded), population, pooled)


def _effective_size(weights: Floats, relevant: Floats, queries: Integers) -> float:
    """How many pairs drawn with equal chances and independently would say as much as these."""
    kish = float(weights.sum() ** 2 / (weights**2).sum())
    share = float(weights @ relevant / weights.sum())
    residuals = np.bincount(queries, weights * (relevant - share)) / weights.sum()
    clusters = len(residuals)
    variance = float((residuals**2).sum()) * clusters / max(1, clusters - 1)
    spread = share * (1 - share)
    return min(kish, spread / variance) if spread > 0 and variance > 0 else kish


def _share_interval(share: float, size: float, level: float) -> tuple[float, float]:
    """Clopper and Pearson's interval of a share of `size` trials, which may be a fraction."""
    from scipy.special import betaincinv

    hits, tail = share * size, (1 - level) / 2
    low = float(betaincinv(hits, size - hits + 1, tail)) if hits > 0 else 0.0
    high = float(betaincinv(hits + 1, size - hits, 1 - tail)) if hits < size else 1.0
    return low, high
