"""Which two pipelines to show next, for which query, and which of them on the left."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from rerank_lab.judging.arena.davidson import (
    OUTCOMES,
    DavidsonDesign,
    covariance,
    fit,
    outcome_probabilities,
)
from rerank_lab.judging.arena.tallies import PairTally, pair_of, pair_tallies
from rerank_lab.judging.arena.verdict import verdict
from rerank_lab.judging.records import ArenaVote

_NORMAL = NormalDist()
_OTHER_SIDE = 2 / 3
"""Efron's biased coin (Biometrika 58, 1971): the chance of the side that a pipeline had less often.
It keeps sides balanced without making them predictable."""
Pair = tuple[str, str]
Differences = Mapping[Pair, Mapping[str, float]]
"""Alphabetical pair -> query id -> how much the two lists differ there, 0 (alike) to 1."""


@dataclass(frozen=True, slots=True)
class ArenaBattle:
    """What is put before a voter next. The names are for the lab, never for the voter."""

    left: str
    right: str
    query_id: str


def next_battles(
    pipelines: Sequence[str],
    query_ids: Sequence[str],
    votes: Sequence[ArenaVote],
    judge: str,
    seed: int = 0,
    differences: Differences | None = None,
) -> tuple[ArenaBattle, ...]:
    """The battle that tells most, and behind it others on the same pair, in case its lists agree.

    The pair is the one that `worth` names first and that has queries left for this judge. Among its
    queries, those nobody voted on come first, in a random order in which a query comes the earlier
    the more the lists are known to differ on it; queries on which they are alike are left out.

    Args:
        votes: standing votes of the judge's kind.
        seed: with the number of the judge's votes it fixes the random choices, so that the same
            battle comes again until it is voted on.

    Returns:
        Battles on distinct queries, the best first; empty when the judge has voted on everything.
    """
    own = [vote for vote in votes if vote.judge == judge]
    generator = _generator(seed, judge, len(own))
    voted = {(pair_of(vote), vote.query_id) for vote in own}
    for pair in worth(pipelines, votes, generator):
        open_ids = [query_id for query_id in query_ids if (pair, query_id) not in voted]
        known = (differences or {}).get(pair, {})
        ordered = _ordered(open_ids, pair, votes, known, generator)
        if ordered:
            return tuple(_battle(pair, query_id, votes, generator) for query_id in ordered)
    return ()


def worth(
    pipelines: Sequence[str], votes: Sequence[ArenaVote], generator: np.random.Generator
) -> list[Pair]:
    """All pairs of the pipelines, the one whose next vote tells most first.

    Pairs that never met come first, pairs whose order is shown already last. Between them, a winner
    has to be shown better than each other pipeline, so pairs of a likely winner come before others:
    strengths are drawn as uncertain as they are, and the strongest drawn is taken for it (Thompson
    sampling; Russo, Operations Research 68, 2020). Among them counts the chance that the order is
    stated the wrong way round, times the share of uncertainty that one more vote takes away.
    """
    names = sorted(set(pipelines))
    within = [vote for vote in votes if vote.left in names and vote.right in names]
    pairs = [(first, second) for n, first in enumerate(names) for second in names[n + 1 :]]
    tallies = {(pair.first, pair.second): pair for pair in pair_tallies(within)}
    gains, likely_winner = _gains(names, pairs, tallies, generator)
    shown = {
        (pair.first, pair.second)
        for pair in verdict(within, names).pairs
        if pair.better is not None
    }
    chance = generator.random(len(pairs))

    def place(number: int) -> tuple[bool, bool, bool, float, float]:
        pair = pairs[number]
        return (
            pair in shown,
            pair in tallies,
            likely_winner not in pair,
            -round(gains[number], 9),
            float(chance[number]),
        )

    return [pairs[number] for number in sorted(range(len(pairs)), key=place)]


def _gains(
    names: Sequence[str],
    pairs: Sequence[Pair],
    tallies: Mapping[Pair, PairTally],
    generator: np.random.Generator,
) -> tuple[list[float], str]:
    """What a vote on each pair would settle, and the strongest in a draw of the strengths."""
    index = {name: place for place, name in enumerate(names)}
    design = DavidsonDesign(
        len(names), np.array([[index[a], index[b]] for a, b in pairs], dtype=np.intp).reshape(-1, 2)
    )
    counts = np.zeros((len(pairs), OUTCOMES))
    for row, pair in enumerate(pairs):
        if (tally := tallies.get(pair)) is not None:
            counts[row] = tally.first_wins, tally.ties, tally.second_wins
    parameters = fit(design, counts[None])[0]
    spread = covariance(design, counts, parameters)
    gains = []
    for first, second in design.pairs:
        contrast = np.zeros(len(parameters))
        contrast[first], contrast[second] = 1, -1
        variance = float(contrast @ spread @ contrast)
        difference = float(parameters[first] - parameters[second])
        win, _, loss = outcome_probabilities(
            float(parameters[first]), float(parameters[second]), float(parameters[-1])
        )
        information = (win + loss - (win - loss) ** 2) / 4
        wrong = _NORMAL.cdf(-abs(difference) / math.sqrt(variance))
        gains.append(wrong * math.log1p(information * variance))
    drawn = generator.multivariate_normal(parameters, spread)[:-1]
    return gains, names[int(drawn.argmax())]


def _ordered(
    query_ids: Sequence[str],
    pair: Pair,
    votes: Sequence[ArenaVote],
    known: Mapping[str, float],
    generator: np.random.Generator,
) -> list[str]:
    """Queries by how seldom the pair met on them, then at random, weighted by difference."""
    met = Counter(vote.query_id for vote in votes if pair_of(vote) == pair)
    typical = sum(known.values()) / len(known) if known else 1.0
    weights = {query_id: known.get(query_id, typical or 1.0) for query_id in query_ids}
    # Efraimidis and Spirakis (2006): a random order in which weights are chances to come first.
    keys = {
        query_id: math.log(max(generator.random(), 1e-300)) / weight
        for query_id, weight in weights.items()
        if weight > 0
    }
    return sorted(keys, key=lambda query_id: (met[query_id], -keys[query_id]))


def _battle(
    pair: Pair, query_id: str, votes: Sequence[ArenaVote], generator: np.random.Generator
) -> ArenaBattle:
    lefts = Counter(vote.left for vote in votes if pair_of(vote) == pair)
    surplus = lefts[pair[0]] - lefts[pair[1]]
    chance = 0.5 if surplus == 0 else (1 - _OTHER_SIDE if surplus > 0 else _OTHER_SIDE)
    left, right = pair if generator.random() < chance else (pair[1], pair[0])
    return ArenaBattle(left, right, query_id)


def _generator(seed: int, judge: str, number: int) -> np.random.Generator:
    digest = hashlib.sha256(f"{seed}\n{judge}\n{number}".encode("utf-8", "surrogatepass")).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))
