"""A winner is named only where it was shown, however often one looks."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad

from rerank_lab.judging.arena.verdict import ERROR_RATE, ArenaVerdict, verdict
from rerank_lab.judging.records import ArenaSide, ArenaVote
from tests.judging.arena.votes import decided, drawn_votes, vote


def test_a_few_wins_in_a_row_are_not_yet_a_winner() -> None:
    assert not verdict(decided("a", "b", 6)).distinguishable
    assert verdict(decided("a", "b", 12)).winner == "a"


def test_the_evidence_is_the_mixture_that_it_claims_to_be() -> None:
    evidence = verdict([*decided("a", "b", 7), *decided("b", "a", 2, 7)]).pairs[0]
    likelihood, _ = quad(lambda p: 6 * p * (1 - p) * p**7 * (1 - p) ** 2, 0, 1)
    assert evidence.e_value == pytest.approx(likelihood * 2**9)
    assert (evidence.first_queries, evidence.second_queries) == (7, 2)


def test_looking_after_every_vote_does_not_make_a_winner_of_chance() -> None:
    """At the end of 80 queries without a difference, how often was a winner ever named?"""
    wrong = 0
    generator = np.random.default_rng(0)
    for _ in range(300):
        wins = losses = 0
        for won in generator.random(80) < 0.5:
            wins, losses = wins + won, losses + (not won)
            if _e_value(int(wins), int(losses)) >= 1 / ERROR_RATE:
                wrong += 1
                break
    assert wrong / 300 <= ERROR_RATE


_KNOWN: dict[tuple[int, int], float] = {}


def _e_value(wins: int, losses: int) -> float:
    if (wins, losses) not in _KNOWN:
        votes = [*decided("a", "b", wins), *decided("b", "a", losses, wins)]
        pairs = verdict(votes, ["a", "b"]).pairs
        _KNOWN[wins, losses] = pairs[0].e_value
    return _KNOWN[wins, losses]


def test_six_equal_pipelines_have_no_winner_and_hardly_ever_a_better_one() -> None:
    wrong = sum(_any_claim(drawn_votes([0.0] * 6, queries=120, seed=n)) for n in range(40))
    assert wrong <= 40 * ERROR_RATE


def _any_claim(votes: list[ArenaVote]) -> bool:
    return any(
        pair.better
        for look in range(10, len(votes) + 1, 20)
        for pair in verdict(votes[:look]).pairs
    )


def test_a_clear_difference_is_shown() -> None:
    shown: ArenaVerdict = verdict(drawn_votes([1.5, -0.5, -1.0], queries=300, seed=2))
    assert shown.winner == "p0"
    assert shown.error_rate == ERROR_RATE


def test_more_pairs_need_more_evidence() -> None:
    votes = decided("a", "b", 9)
    assert verdict(votes).pairs[0].better == "a"
    crowded = verdict(votes, [f"p{n}" for n in range(6)])
    assert next(pair for pair in crowded.pairs if pair.first == "a").better is None


def test_a_winner_must_have_met_every_other() -> None:
    alone = verdict(decided("a", "b", 40), ["c"])
    assert alone.winner is None
    assert [pair.better for pair in alone.pairs if pair.first == "a"] == ["a", None]


def test_a_query_counts_once_however_many_judges_vote_on_it() -> None:
    votes = [vote("a", "b", ArenaSide.LEFT, "q1", n, judge=f"j{n}") for n in range(50)]
    assert verdict(votes).pairs[0].first_queries == 1
    assert not verdict(votes).distinguishable


def test_the_first_vote_on_a_query_counts_in_whatever_order_the_rows_come() -> None:
    first = vote("a", "b", ArenaSide.LEFT, "q1", 1)
    later = vote("b", "a", ArenaSide.LEFT, "q1", 2, judge="bob")
    for rows in ([first, later], [later, first]):
        assert verdict(rows).pairs[0].first_queries == 1
    votes = drawn_votes([0.5, 0, -0.5], queries=80, seed=9)
    assert verdict(random.Random(1).sample(votes, len(votes))) == verdict(votes)


def test_ties_and_both_bad_tell_no_direction() -> None:
    votes = decided("a", "b", 12)
    ties = [replace(v, outcome=ArenaSide.TIE, query_id=f"t{n}") for n, v in enumerate(votes)]
    both_bad = [replace(v, outcome=ArenaSide.BOTH_BAD) for v in ties]
    assert verdict([*votes, *ties]).pairs[0].e_value == verdict(votes).pairs[0].e_value
    assert verdict(both_bad).pairs[0].tied_queries == 12
    assert not verdict(both_bad).distinguishable


def test_nothing_voted_names_nobody() -> None:
    assert verdict([]) == ArenaVerdict((), None, ERROR_RATE)
