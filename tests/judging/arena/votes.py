"""Votes for tests: written out, or drawn from known strengths."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from rerank_lab.judging.arena.davidson import outcome_probabilities
from rerank_lab.judging.records import ArenaSide, ArenaVote, JudgeKind

START = datetime(2026, 11, 1, tzinfo=UTC)
OUTCOMES = (ArenaSide.LEFT, ArenaSide.TIE, ArenaSide.RIGHT)


def vote(
    left: str,
    right: str,
    outcome: ArenaSide,
    query_id: str,
    number: int,
    judge: str = "ada",
    kind: JudgeKind = JudgeKind.HUMAN,
) -> ArenaVote:
    at = START + timedelta(seconds=number)
    return ArenaVote("helpdesk", query_id, left, right, outcome, judge, kind, at, row_id=number + 1)


def decided(winner: str, loser: str, count: int, start: int = 0) -> list[ArenaVote]:
    """`winner` beats `loser` on so many queries, on both sides of the screen."""
    return [
        vote(winner, loser, ArenaSide.LEFT, f"q{n}", n)
        if n % 2
        else vote(loser, winner, ArenaSide.RIGHT, f"q{n}", n)
        for n in range(start, start + count)
    ]


def drawn_votes(
    strengths: Sequence[float],
    queries: int,
    seed: int,
    ties: float = 0.0,
    per_query: int = 1,
) -> list[ArenaVote]:
    """Votes on random pairs of p0, p1, ... by Davidson's model."""
    generator = np.random.default_rng(seed)
    votes = []
    for number in range(queries * per_query):
        i, j = generator.choice(len(strengths), 2, replace=False)
        chances = outcome_probabilities(strengths[i], strengths[j], ties)
        outcome = OUTCOMES[generator.choice(3, p=chances)]
        votes.append(vote(f"p{i}", f"p{j}", outcome, f"q{number // per_query}", number))
    return votes
