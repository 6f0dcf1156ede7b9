"""Which pipeline is better, said only where it was shown, whenever one looks.

For each pair the evidence is an e-value: the likelihood of its decided queries when the share won
is drawn from Beta(2, 2), over that of a fair coin (Robbins, Annals of Mathematical Statistics 41,
1970). Without a true difference its expectation never exceeds 1 however long one goes on, so that
stopping as soon as it looks good does no harm (Ramdas, Gruenwald, Vovk and Shafer, Statistical
Science 38, 2023). Their inverses are p-values that hold at all times; Holm's method corrects them
for the number of pairs. All that is claimed together is wrong at no more than the stated rate.

A query counts once for a pair, by the first vote on it: several votes on one query say more of that
query, not of others. Ties say nothing of the direction and do not count.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from rerank_lab.judging.arena.tallies import pair_of, pipelines_of, winner_of
from rerank_lab.judging.records import ArenaVote

ERROR_RATE = 0.05
"""The chance, at most, that anything claimed is wrong, over all pairs and all looks."""
_PRIOR = 2.0


@dataclass(frozen=True, slots=True)
class PairEvidence:
    """What the queries say of two pipelines, `first` the alphabetically smaller one.

    Attributes:
        first_queries, second_queries: queries whose first vote went to each.
        tied_queries: queries whose first vote was a tie or "both bad".
        e_value: of the evidence against a fair coin; below 1 it speaks for one.
        p: 1 / e_value corrected for the number of pairs by Holm's method, at most 1.
        better: the one shown to be better; None while the two are not yet distinguishable.
    """

    first: str
    second: str
    first_queries: int
    second_queries: int
    tied_queries: int
    e_value: float
    p: float
    better: str | None


@dataclass(frozen=True, slots=True)
class ArenaVerdict:
    """Every pair that could have met, and the pipeline that is better than each other one."""

    pairs: tuple[PairEvidence, ...]
    winner: str | None
    error_rate: float

    @property
    def distinguishable(self) -> bool:
        """Whether there is a winner."""
        return self.winner is not None


def verdict(
    votes: Iterable[ArenaVote],
    pipelines: Iterable[str] = (),
    error_rate: float = ERROR_RATE,
) -> ArenaVerdict:
    """What standing votes of one kind of judge show.

    Args:
        pipelines: those that take part beside the ones voted on; a winner must beat them too.
        error_rate: between 0 and 1.
    """
    votes = tuple(votes)
    names = sorted({*pipelines_of(votes), *pipelines})
    decided = _first_votes(votes)
    pairs = [(first, second) for n, first in enumerate(names) for second in names[n + 1 :]]
    counts = [_counts(pair, decided.get(pair, ())) for pair in pairs]
    e_values = [_e_value(first, second) for first, second, _ in counts]
    adjusted = _holm([min(1.0, 1 / e_value) for e_value in e_values])
    evidence = tuple(
        PairEvidence(
            *pair,
            *count,
            e_value=e_value,
            p=p,
            better=_better(pair, count) if p <= error_rate else None,
        )
        for pair, count, e_value, p in zip(pairs, counts, e_values, adjusted, strict=True)
    )
    return ArenaVerdict(evidence, _winner(names, evidence), error_rate)


def _first_votes(votes: Iterable[ArenaVote]) -> dict[tuple[str, str], tuple[str | None, ...]]:
    """By pair, the winner (None for a tie) of the first vote on each query."""
    first: dict[tuple[tuple[str, str], str, str], ArenaVote] = {}
    for vote in sorted(votes, key=lambda vote: (vote.at, vote.row_id, vote.judge, vote.outcome)):
        first.setdefault((pair_of(vote), vote.corpus, vote.query_id), vote)
    winners: dict[tuple[str, str], list[str | None]] = defaultdict(list)
    for (pair, _, _), vote in first.items():
        winners[pair].append(winner_of(vote))
    return {pair: tuple(names) for pair, names in winners.items()}


def _counts(pair: tuple[str, str], winners: Iterable[str | None]) -> tuple[int, int, int]:
    winners = list(winners)
    return winners.count(pair[0]), winners.count(pair[1]), winners.count(None)


def _e_value(wins: int, losses: int) -> float:
    """Evidence against P(win) = 1/2: the Beta-binomial mixture over the fair coin."""

    def log_beta(a: float, b: float) -> float:
        return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)

    mixture = log_beta(_PRIOR + wins, _PRIOR + losses) - log_beta(_PRIOR, _PRIOR)
    return math.exp(min(700.0, mixture + (wins + losses) * math.log(2)))


def _better(pair: tuple[str, str], count: tuple[int, int, int]) -> str:
    return pair[0] if count[0] > count[1] else pair[1]


def _winner(names: list[str], pairs: Iterable[PairEvidence]) -> str | None:
    beaten: dict[str, int] = defaultdict(int)
    for pair in pairs:
        if pair.better is not None:
            beaten[pair.better] += 1
    return next((name for name in names if beaten[name] == len(names) - 1 > 0), None)


def _holm(p_values: list[float]) -> list[float]:
    """Holm's step-down adjusted p-values, in the order of the input."""
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    for place, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = highest
    return adjusted
