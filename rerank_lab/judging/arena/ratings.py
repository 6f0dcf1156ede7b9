"""Strengths of pipelines from votes, each with an interval that was computed from the votes.

An interval is the wider of two. One comes from drawing the queries again, all votes of a query
together, with the quantiles widened for few queries (Hesterberg, The American Statistician 69,
2015). The other takes all votes as independent and follows from the model's curvature: it keeps ten
wins out of ten, which resampling cannot vary, from looking certain.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from rerank_lab.judging.arena.davidson import OUTCOMES, DavidsonDesign, covariance, fit
from rerank_lab.judging.arena.tallies import (
    PairTally,
    grouped,
    pair_of,
    pair_tallies,
    winner_of,
)
from rerank_lab.judging.records import ArenaVote

MIN_QUERIES = 5
"""Queries with votes below which there is no interval: so few can be drawn again in few ways."""
_NORMAL = NormalDist()
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RatingSettings:
    """level: of the intervals. resamples: draws of the queries. seed: of the draws."""

    level: float = 0.95
    resamples: int = 1000
    seed: int = 0


DEFAULT_RATING = RatingSettings()


@dataclass(frozen=True, slots=True)
class Rating:
    """One pipeline.

    Attributes:
        strength: log-odds against the mean of its group; a difference d between two means that the
            better one wins exp(d) times as often as the other.
        low, high: the interval of `strength`; None with votes on fewer than MIN_QUERIES queries.
        group: from 0; only pipelines of one group met, directly or through others, and only their
            strengths can be compared.
    """

    pipeline: str
    strength: float
    low: float | None
    high: float | None
    votes: int
    wins: int
    losses: int
    ties: int
    both_bad: int
    group: int


@dataclass(frozen=True, slots=True)
class ArenaRatings:
    """Ratings by group, the strongest of each first, and what they rest on.

    Attributes:
        pairs: how often each pair met, and how it went.
        ties: the parameter of ties of each group, as `davidson` defines it.
        left_share: of the votes with a winner, the share that went to the left side; None without
            any. Far from one half it tells of a habit of the judges.
    """

    ratings: tuple[Rating, ...]
    pairs: tuple[PairTally, ...]
    ties: tuple[float, ...]
    votes: int
    queries: int
    both_bad: int
    left_share: float | None
    level: float

    @property
    def groups(self) -> int:
        """How many groups of pipelines never met one another."""
        return len(self.ties)


def ratings(votes: Iterable[ArenaVote], settings: RatingSettings = DEFAULT_RATING) -> ArenaRatings:
    """Rate the pipelines of standing votes of one kind of judge.

    The result does not depend on the order of the votes.
    """
    votes = tuple(votes)
    pairs = pair_tallies(votes)
    groups = _groups(pairs)
    rated: list[Rating] = []
    ties = []
    for number, names in enumerate(groups):
        members = tuple(vote for vote in votes if vote.left in names)
        strengths, group_ties = _group_strengths(names, members, settings)
        rated += _rated(number, strengths, [pair for pair in pairs if pair.first in names])
        ties.append(group_ties)
    winners = [vote for vote in votes if winner_of(vote) is not None]
    left = sum(winner_of(vote) == vote.left for vote in winners)
    return ArenaRatings(
        ratings=tuple(rated),
        pairs=pairs,
        ties=tuple(ties),
        votes=len(votes),
        queries=len({(vote.corpus, vote.query_id) for vote in votes}),
        both_bad=sum(pair.both_bad for pair in pairs),
        left_share=left / len(winners) if winners else None,
        level=settings.level,
    )


def ratings_by(
    votes: Iterable[ArenaVote],
    keys: Callable[[ArenaVote], Sequence[str]],
    settings: RatingSettings = DEFAULT_RATING,
) -> Mapping[str, ArenaRatings]:
    """The ratings of each judge, or of each query tag, by its own votes alone."""
    return {key: ratings(members, settings) for key, members in grouped(votes, keys).items()}


Strength = tuple[str, float, float | None, float | None]
"""Pipeline, strength, and the interval of it."""


def _group_strengths(
    names: Sequence[str], votes: Sequence[ArenaVote], settings: RatingSettings
) -> tuple[list[Strength], float]:
    """The strengths of pipelines that met, and their parameter of ties."""
    pairs = sorted({pair_of(vote) for vote in votes})
    places = {name: place for place, name in enumerate(names)}
    design = DavidsonDesign(
        len(names), np.array([[places[a], places[b]] for a, b in pairs], dtype=np.intp)
    )
    counts = _query_counts(pairs, votes)
    totals = counts.sum(axis=0)
    parameters = fit(design, totals[None])[0]
    strengths = _rounded(_centred(parameters[None])[0])
    if len(counts) < MIN_QUERIES:
        unknown = [(name, float(strengths[place]), None, None) for place, name in enumerate(names)]
        return list(unknown), float(parameters[-1])
    low, high = _interval(design, counts, parameters, settings)
    return [
        (name, float(strengths[place]), float(low[place]), float(high[place]))
        for place, name in enumerate(names)
    ], float(parameters[-1])


def _interval(
    design: DavidsonDesign, counts: Floats, parameters: Floats, settings: RatingSettings
) -> tuple[Floats, Floats]:
    """Lower and upper ends for each pipeline, both [size]."""
    strengths = _centred(parameters[None])[0]
    z = _NORMAL.inv_cdf((1 + settings.level) / 2)
    centring = np.eye(design.size) - 1 / design.size
    spread = covariance(design, counts.sum(axis=0), parameters)[:-1, :-1]
    margin = z * np.sqrt(np.diag(centring @ spread @ centring))
    queries = len(counts)
    generator = np.random.default_rng(settings.seed)
    draws = generator.multinomial(queries, np.full(queries, 1 / queries), settings.resamples)
    resampled = np.tensordot(draws.astype(np.float64), counts, axes=1)
    tail = _widened_tail(queries, settings.level)
    low, high = np.quantile(_centred(fit(design, resampled)), (tail, 1 - tail), axis=0)
    return np.minimum(low, strengths - margin), np.maximum(high, strengths + margin)


def _widened_tail(clusters: int, level: float) -> float:
    """The quantile that makes a percentile interval as wide as Student's t asks for."""
    from scipy.special import stdtrit

    t = stdtrit(clusters - 1, (1 + level) / 2)
    return _NORMAL.cdf(-math.sqrt(clusters / (clusters - 1)) * float(t))


def _query_counts(pairs: Sequence[tuple[str, str]], votes: Sequence[ArenaVote]) -> Floats:
    """Votes by query, pair and outcome: [n_queries, n_pairs, OUTCOMES], queries in order of id."""
    rows = {pair: row for row, pair in enumerate(pairs)}
    queries = sorted({(vote.corpus, vote.query_id) for vote in votes})
    places = {query: place for place, query in enumerate(queries)}
    counts = np.zeros((len(queries), len(pairs), OUTCOMES))
    for vote in votes:
        pair = pair_of(vote)
        winner = winner_of(vote)
        outcome = 1 if winner is None else 2 * pair.index(winner)
        counts[places[vote.corpus, vote.query_id], rows[pair], outcome] += 1
    return counts


def _centred(parameters: Floats) -> Floats:
    strengths = parameters[:, :-1]
    centred: Floats = strengths - strengths.mean(axis=1, keepdims=True)
    return centred


def _groups(pairs: Iterable[PairTally]) -> list[tuple[str, ...]]:
    """The pipelines that met, directly or through others, the largest group first."""
    group_of: dict[str, set[str]] = {}
    for pair in pairs:
        merged = group_of.get(pair.first, {pair.first}) | group_of.get(pair.second, {pair.second})
        for name in merged:
            group_of[name] = merged
    groups = {tuple(sorted(group)) for group in group_of.values()}
    return sorted(groups, key=lambda group: (-len(group), group))


def _rounded(strengths: Floats) -> Floats:
    """To what the fit is good for, so that pipelines that are equal have equal strengths."""
    rounded: Floats = np.round(strengths, 9) + 0.0
    return rounded


def _rated(group: int, strengths: Sequence[Strength], pairs: Sequence[PairTally]) -> list[Rating]:
    rated = []
    for name, strength, low, high in strengths:
        own = [pair for pair in pairs if name in (pair.first, pair.second)]
        wins = sum(p.first_wins if p.first == name else p.second_wins for p in own)
        losses = sum(p.second_wins if p.first == name else p.first_wins for p in own)
        ties, both_bad = sum(p.ties for p in own), sum(p.both_bad for p in own)
        count = wins + losses + ties
        rated.append(Rating(name, strength, low, high, count, wins, losses, ties, both_bad, group))
    return sorted(rated, key=lambda rating: (-rating.strength, rating.pipeline))
