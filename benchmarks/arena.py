"""Does the arena say what is true? Simulated votes from known strengths, many times over.

    python benchmarks/arena.py            # a few minutes
    python benchmarks/arena.py --runs 20  # a quick look

Prints how well strengths are recovered, with and without ties, beside half a win for each tie as
choix would be fed; how often intervals hold the truth, also with few queries, several votes on each
and queries that favour a pipeline; how often a winner, or any better pipeline, is named where there
is no difference, with a look after every few votes; and how many votes it takes to name a winner
when pairs are chosen by worth or at random.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from _report import report

from rerank_lab.judging.arena.davidson import outcome_probabilities
from rerank_lab.judging.arena.next_pair import next_battles
from rerank_lab.judging.arena.ratings import RatingSettings, ratings
from rerank_lab.judging.arena.verdict import ERROR_RATE, verdict
from rerank_lab.judging.records import ArenaSide, ArenaVote, JudgeKind

START = datetime(2026, 1, 1, tzinfo=UTC)
OUTCOMES = (ArenaSide.LEFT, ArenaSide.TIE, ArenaSide.RIGHT)
SETTINGS = RatingSettings(resamples=500)


class Voters:
    """Votes by Davidson's model; each query may favour pipelines by `effect` (its deviation)."""

    def __init__(self, strengths: Sequence[float], ties: float, effect: float, seed: int) -> None:
        self.strengths, self.ties, self.effect = np.asarray(strengths), ties, effect
        self.generator = np.random.default_rng(seed)
        self.favours: dict[str, Any] = {}
        self.count = 0

    def vote(self, i: int, j: int, query_id: str) -> ArenaVote:
        favour = self.favours.setdefault(
            query_id, self.generator.normal(0, self.effect, len(self.strengths))
        )
        first, second = self.strengths[i] + favour[i], self.strengths[j] + favour[j]
        chances = outcome_probabilities(first, second, self.ties)
        outcome = OUTCOMES[self.generator.choice(3, p=chances)]
        self.count += 1
        at = START + timedelta(seconds=self.count)
        return ArenaVote("c", query_id, f"p{i}", f"p{j}", outcome, "judge", JudgeKind.SIMULATED, at,
                         row_id=self.count)  # fmt: skip

    def random_votes(self, queries: int, per_query: int) -> list[ArenaVote]:
        votes = []
        for number in range(queries * per_query):
            i, j = self.generator.choice(len(self.strengths), 2, replace=False)
            votes.append(self.vote(int(i), int(j), f"q{number // per_query}"))
        return votes


def recovery() -> dict[str, Any]:
    """Largest error of a strength from 6,000 votes, by Davidson's model and by half wins."""
    import choix

    known = np.array([1.0, 0.4, 0.0, -1.4])
    errors: dict[str, Any] = {}
    for ties in (-9.0, -0.5, 0.7, 1.5):
        votes = Voters(known, ties, 0.0, seed=1).random_votes(6000, 1)
        rated = {one.pipeline: one.strength for one in ratings(votes, SETTINGS).ratings}
        own = np.array([rated[f"p{n}"] for n in range(len(known))])
        wins = np.zeros((len(known), len(known)))
        for vote in votes:
            i, j = int(vote.left[1:]), int(vote.right[1:])
            share = {ArenaSide.LEFT: 1.0, ArenaSide.RIGHT: 0.0}.get(vote.outcome, 0.5)
            wins[i, j] += share
            wins[j, i] += 1 - share
        halves = choix.ilsr_pairwise_dense(wins)
        truth = known - known.mean()
        tied = sum(vote.outcome is ArenaSide.TIE for vote in votes) / len(votes)
        errors[f"{tied:.0%} tied"] = {
            "davidson": round(float(np.abs(own - truth).max()), 3),
            "half a win each": round(float(np.abs(halves - halves.mean() - truth).max()), 3),
        }
    return errors


def coverage(runs: int) -> list[dict[str, Any]]:
    """Share of intervals (95 %) that hold the strength which endless votes would give."""
    rows = []
    designs = (
        ([0.5, -0.5], 8, 1, 0.0), ([0.5, -0.5], 20, 1, 0.0), ([1.0, 0.0, -1.0], 30, 3, 0.0),
        ([0.0] * 6, 100, 2, 0.0), ([1, 0.5, 0, -0.5, -1], 100, 1, 0.0),
        ([0.5, -0.5], 20, 4, 1.0), ([1.0, 0.0, -1.0], 40, 5, 1.0),
    )  # fmt: skip
    for strengths, queries, per_query, effect in designs:
        endless = Voters(strengths, 0.0, effect, seed=10**6).random_votes(20000, 1)
        truth = {
            one.pipeline: one.strength
            for one in ratings(endless, RatingSettings(resamples=2)).ratings
        }
        inside, widths = [], []
        for seed in range(runs):
            votes = Voters(strengths, 0.0, effect, seed).random_votes(queries, per_query)
            for one in ratings(votes, SETTINGS).ratings:
                if one.low is not None and one.high is not None:
                    inside.append(one.low <= truth[one.pipeline] <= one.high)
                    widths.append(one.high - one.low)
        rows.append({
            "pipelines": len(strengths), "queries": queries, "votes a query": per_query,
            "query effect": effect, "coverage": round(float(np.mean(inside)), 3),
            "intervals": len(inside), "mean width": round(float(np.mean(widths)), 2),
        })  # fmt: skip
    return rows


def false_winners(runs: int) -> list[dict[str, Any]]:
    """Share of arenas without a difference in which something was ever claimed."""
    rows = []
    for count, per_query, effect in ((2, 1, 0.0), (2, 4, 1.5), (4, 1, 0.0), (6, 2, 1.0)):
        winners = claims = 0
        for seed in range(runs):
            votes = Voters([0.0] * count, -1.0, effect, seed).random_votes(200, per_query)
            looks = [verdict(votes[:n]) for n in range(10, len(votes) + 1, 5)]
            winners += any(look.distinguishable for look in looks)
            claims += any(pair.better for look in looks for pair in look.pairs)
        rows.append({
            "pipelines": count, "votes a query": per_query, "query effect": effect,
            "a winner": winners / runs, "any claim": claims / runs,
            "stated": ERROR_RATE, "arenas": runs,
        })  # fmt: skip
    return rows


def votes_needed(runs: int, limit: int = 600) -> dict[str, Any]:
    """Votes until the best of four pipelines is named, by the choice of the next pair."""
    strengths = [1.2, 0.2, 0.0, -0.6]
    names = [f"p{n}" for n in range(4)]
    needed: dict[str, list[int]] = {"by worth": [], "at random": []}
    wrong = 0
    for seed in range(runs):
        for choice, counts in needed.items():
            voters = Voters(strengths, -1.0, 0.0, seed)
            votes: list[ArenaVote] = []
            while len(votes) < limit:
                query_id = f"q{len(votes)}"
                if choice == "by worth":
                    battle = next_battles(names, [query_id], votes, "judge", seed)[0]
                    i, j = int(battle.left[1:]), int(battle.right[1:])
                else:
                    i, j = map(int, voters.generator.choice(4, 2, replace=False))
                votes.append(voters.vote(i, j, query_id))
                if len(votes) % 5 == 0 and (winner := verdict(votes, names).winner):
                    wrong += winner != "p0"
                    break
            counts.append(len(votes))
    medians = {choice: float(np.median(counts)) for choice, counts in needed.items()}
    return {"median votes": medians, "limit": limit, "wrong winners": wrong, "arenas": 2 * runs}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=200)
    runs = parser.parse_args().runs
    figures = {
        "largest error of a strength": recovery(),
        "interval coverage (95 % stated)": coverage(runs),
        "named although there is no difference": false_winners(runs),
        "votes until the best is named": votes_needed(max(5, runs // 10)),
    }
    report("arena", figures)


if __name__ == "__main__":
    main()
