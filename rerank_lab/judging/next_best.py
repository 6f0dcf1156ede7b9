"""Which document to judge next, so that few labels show which pipeline is best.

Two pipelines differ only through documents that they rank differently, so most labels of a pool say
nothing about the winner. Here every grade that an unjudged document could have is weighed:

1. A model gives each unjudged document the probability of each grade (`grade_model`), also those
   below the cutoff: that there are relevant ones among them lowers what can be reached.
2. Many complete sets of grades are drawn from it, and each pipeline is measured under each set.
3. A pipeline's chance to be the winner is the share of sets in which its mean is highest. Queries
   are reweighed in each set (Rubin's Bayesian bootstrap, Annals of Statistics 9, 1981), so that the
   chance speaks of queries like these and not only of these.
4. A document's worth is how much its grade is expected to move the leader's lead, averaged over the
   rivals by how open the race with each of them is on these queries.

Judging first what can change the comparison is the idea of minimal test collections (Carterette,
Allan and Sitaraman, SIGIR 2006) and of active evaluation (Li and Kanoulas, CIKM 2017). The weight
of a rival is that of expected information about who is ahead: see `_rival_weights`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rerank_lab.core.types import Qrels
from rerank_lab.judging.grade_model import fit_grade_model, rank_features
from rerank_lab.judging.graded_pool import GradedPool
from rerank_lab.judging.pools import PipelineRuns
from rerank_lab.judging.records import JudgingOrder

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class DecisionSettings:
    """How the winner is reckoned.

    Attributes:
        measure: what decides: nDCG, AP, RR, P, R or Success, at any cutoff.
        grades: the values of the scale, ascending.
        samples: sets of grades that are drawn. A chance of 0.5 from 500 sets is good to 0.02.
        seed: same input and seed, same numbers.
    """

    measure: str = "nDCG@10"
    grades: tuple[int, ...] = (0, 1, 2, 3)
    samples: int = 500
    seed: int = 0


@dataclass(frozen=True, slots=True)
class CandidatePair:
    """An unjudged document among the first of some pipeline, and what its grade is worth.

    Attributes:
        expected_change: how far its grade is expected to move the leader's lead, in the measure.
        uncertainty: entropy of its grade in bits: how little is known of it.
        disagreement: how differently the pipelines rank it: the spread of 1 / log2(1 + rank).
        grade_chances: the chance of each grade of the scale.
    """

    query_id: str
    doc_id: str
    expected_change: float
    uncertainty: float
    disagreement: float
    grade_chances: tuple[float, ...]


@dataclass(frozen=True)
class Decision:
    """Which pipeline leads, how sure that is, and what to judge to be surer.

    Attributes:
        leader: the spec that is most likely the best.
        confidence: the chance that it is the best for queries like these.
        settled: the chance that it stays ahead on exactly these queries once every candidate is
            judged. Where this is near 1 and `confidence` is not, more labels do not help: more
            queries do.
        win_chances: by spec, the chance to be the best for queries like these; they sum to 1.
        means: by spec, the expected mean of the measure once every candidate is judged.
        labels: how many labels of candidates there were.
        candidates: unjudged pairs, those worth most first.
    """

    leader: str
    confidence: float
    settled: float
    win_chances: Mapping[str, float]
    means: Mapping[str, float]
    labels: int
    candidates: tuple[CandidatePair, ...]

    def ordered(self, order: JudgingOrder) -> tuple[CandidatePair, ...]:
        """The candidates, those first that `order` puts first.

        Query by query is the order of the queries' most valuable documents.
        """
        if order is JudgingOrder.NEXT_BEST:
            return self.candidates
        if order is JudgingOrder.UNCERTAINTY:
            return tuple(sorted(self.candidates, key=lambda pair: -pair.uncertainty))
        if order is JudgingOrder.DISAGREEMENT:
            return tuple(sorted(self.candidates, key=lambda pair: -pair.disagreement))
        queries = {
            query_id: n
            for n, query_id in enumerate(dict.fromkeys(p.query_id for p in self.candidates))
        }
        return tuple(sorted(self.candidates, key=lambda pair: queries[pair.query_id]))


def decide(
    runs: PipelineRuns,
    qrels: Qrels,
    settings: DecisionSettings = DecisionSettings(),
    among: Collection[tuple[str, str]] | None = None,
) -> Decision:
    """Who leads, how sure it is, and the worth of each unjudged document.

    Args:
        runs: rankings of two pipelines or more; queries that one of them lacks are left out.
        qrels: the labels so far; labels of documents that no pipeline ranks high count for the
            ideal ranking.
        settings: the measure, the scale, and the number of samples.
        among: the pairs that can be judged; None for all that the measure looks at.

    Raises:
        InvalidInput: fewer than two pipelines, no query that all of them ranked, or a measure that
            cannot be reckoned from grades alone.
    """
    pool = GradedPool.of(runs, qrels, settings.measure, settings.grades)
    generator = np.random.default_rng(settings.seed)
    features = rank_features(pool.discounts, pool.measure.depth)
    levels = pool.levels
    model = fit_grade_model(features, np.where(pool.ranked, levels, -1), len(settings.grades))
    sampled = model.sampled_levels(features, generator, settings.samples)
    sampled = np.where(levels >= 0, levels, sampled)
    values = pool.values(sampled)
    weights = generator.standard_exponential((settings.samples, values.shape[1]), np.float32)
    weights /= weights.sum(axis=1, keepdims=True)
    means = np.einsum("sqp,sq->sp", values, weights).astype(np.float64)
    chances = _win_chances(means)
    leader = int(np.lexsort((values.mean(axis=(0, 1)), chances))[-1])
    here = values.mean(axis=1, dtype=np.float64)
    judgeable = sampled[:, :, : int(pool.ranked.sum(axis=1).max())]
    worth = _expected_changes(judgeable, values, here, leader, len(settings.grades))
    specs = list(runs)
    return Decision(
        leader=specs[leader],
        confidence=float(chances[leader]),
        settled=float(_win_chances(here)[leader]),
        win_chances=dict(zip(specs, map(float, chances), strict=True)),
        means=dict(zip(specs, map(float, here.mean(axis=0)), strict=True)),
        labels=int((pool.ranked & (levels >= 0)).sum()),
        candidates=_candidates(pool, sampled, worth, among),
    )


def _win_chances(means: Floats) -> Floats:
    """The share of samples in which each pipeline has the highest mean; ties are shared out."""
    best = means >= means.max(axis=1, keepdims=True) - 1e-7
    shares: Floats = (best / best.sum(axis=1, keepdims=True)).mean(axis=0)
    return shares


def _expected_changes(
    sampled: NDArray[np.int8], values: Singles, means: Floats, leader: int, n_levels: int
) -> Floats:
    """How far the grade of each document moves the leader's lead: [queries, documents].

    For each rival: the standard deviation, over the grades of the document, of the lead that is
    expected given the grade. It is taken from the samples by grouping them by grade; what grouping
    by chance would give is subtracted, so that a document without effect has none.
    """
    samples, n_queries = values.shape[:2]
    leads = values[:, :, [leader]] - np.delete(values, leader, axis=2)
    leads = np.moveaxis(leads - leads.mean(axis=0), 1, 0)  # [queries, samples, rivals]
    between = np.zeros((n_queries, sampled.shape[2], leads.shape[2]))
    groups = np.zeros((n_queries, sampled.shape[2]))
    by_query = np.moveaxis(sampled, 0, 2)  # [queries, documents, samples]
    for level in range(n_levels):
        members = (by_query == level).astype(np.float32)
        counts = members.sum(axis=2)
        sums = members @ leads
        between += sums.astype(np.float64) ** 2 / np.maximum(counts, 1)[..., None]
        groups += counts > 0
    spread = leads.var(axis=1, dtype=np.float64)[:, None, :]
    explained = between / samples - spread * np.maximum(groups - 1, 0)[..., None] / samples
    changes: Floats = np.sqrt(np.maximum(explained, 0)) / n_queries
    return changes @ _rival_weights(means, leader)


def _rival_weights(means: Floats, leader: int) -> Floats:
    """How much a change of the lead over each rival matters; they sum to 1.

    With a normal lead of mean m and deviation s, learning a part t of s tells, to second order,
    phi(m/s)^2 / (P (1 - P)) * t^2 / (2 s^2) about the sign of the lead, where P = Phi(m/s). The
    weights are the square roots of that, without t: a rival far behind has next to none.
    """
    from scipy.special import ndtr

    leads = means[:, [leader]] - np.delete(means, leader, axis=1)
    spread = np.maximum(leads.std(axis=0), 1e-9)
    z = np.clip(leads.mean(axis=0) / spread, -6, 6)
    weights = np.exp(-(z**2) / 2) / np.sqrt(ndtr(z) * ndtr(-z)) / spread
    shares: Floats = weights / weights.sum()
    return shares


def _candidates(
    pool: GradedPool,
    sampled: NDArray[np.int8],
    worth: Floats,
    among: Collection[tuple[str, str]] | None,
) -> tuple[CandidatePair, ...]:
    """The unjudged pairs, those worth most first."""
    open_pairs = np.argwhere(pool.ranked & (pool.levels < 0))
    chances = np.stack([(sampled == n).mean(axis=0) for n in range(len(pool.grades))], axis=-1)
    entropy = -(chances * np.log2(np.maximum(chances, 1e-12))).sum(axis=-1)
    spread = pool.discounts.std(axis=-1)
    pairs = [
        CandidatePair(
            pool.query_ids[q],
            pool.doc_ids[q][d],
            float(worth[q, d]),
            max(0.0, float(entropy[q, d])),
            float(spread[q, d]),
            tuple(map(float, chances[q, d])),
        )
        for q, d in open_pairs
    ]
    allowed = None if among is None else set(among)
    kept = (p for p in pairs if allowed is None or (p.query_id, p.doc_id) in allowed)
    return tuple(sorted(kept, key=lambda p: (-p.expected_change, -p.disagreement)))
