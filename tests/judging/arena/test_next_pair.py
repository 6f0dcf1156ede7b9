"""The next battle asks what tells most, with balanced sides, and comes again until it is voted."""

from __future__ import annotations

import itertools
from collections import Counter

from rerank_lab.judging.arena.next_pair import ArenaBattle, next_battles
from rerank_lab.judging.records import ArenaSide, ArenaVote
from tests.judging.arena.votes import decided, vote

QUERIES = [f"q{n}" for n in range(200)]


def first_battle(pipelines: list[str], votes: list[ArenaVote], judge: str = "ada") -> ArenaBattle:
    return next_battles(pipelines, QUERIES, votes, judge)[0]


def names(battle: ArenaBattle) -> set[str]:
    return {battle.left, battle.right}


def test_a_pair_that_never_met_comes_before_pairs_that_did() -> None:
    votes = [*decided("a", "b", 8), *decided("b", "a", 8, 8), *decided("a", "c", 4, 16)]
    assert names(first_battle(["a", "b", "c"], [*votes, *decided("c", "a", 4, 20)])) == {"b", "c"}


def test_a_pair_that_is_decided_makes_place_for_one_that_is_not() -> None:
    open_pair = [*decided("b", "c", 9, 100), *decided("c", "b", 9, 120)]
    votes = [*decided("a", "b", 30), *decided("a", "c", 30, 40), *open_pair]
    assert names(first_battle(["a", "b", "c"], votes)) == {"b", "c"}


def test_the_same_battle_comes_again_until_there_is_a_vote() -> None:
    votes = decided("a", "b", 3)
    again = next_battles(["a", "b", "c"], QUERIES, votes, "ada")
    assert again == next_battles(["c", "a", "b"], QUERIES, votes, "ada")
    assert next_battles(["a", "b"], QUERIES, votes, "bob") != again


def test_nobody_is_asked_a_pair_and_query_twice_and_new_queries_come_first() -> None:
    votes = [vote("a", "b", ArenaSide.TIE, query_id, n) for n, query_id in enumerate(QUERIES[:150])]
    assert first_battle(["a", "b"], votes).query_id in QUERIES[150:]
    assert first_battle(["a", "b"], votes, judge="bob").query_id in QUERIES[150:]
    every = [vote("a", "b", ArenaSide.TIE, query_id, n) for n, query_id in enumerate(QUERIES)]
    assert next_battles(["a", "b"], QUERIES, every, "ada") == ()
    assert len(next_battles(["a", "b"], QUERIES, every, "bob")) == len(QUERIES)


def test_queries_on_which_the_lists_agree_are_left_out_and_others_come_sooner() -> None:
    differences = {("a", "b"): {"q1": 0.0, "q2": 1.0, "q3": 0.01}}
    first = Counter(
        next_battles(["a", "b"], ["q1", "q2", "q3"], [], "ada", seed, differences)[0].query_id
        for seed in range(50)
    )
    assert first["q1"] == 0
    assert first["q2"] > 40


def test_sides_are_balanced_and_cannot_be_foretold() -> None:
    votes: list[ArenaVote] = []
    for number in range(120):
        battle = first_battle(["a", "b"], votes)
        votes.append(vote(battle.left, battle.right, ArenaSide.TIE, battle.query_id, number))
    lefts = [v.left for v in votes]
    assert abs(lefts.count("a") - 60) <= 6
    repeats = sum(one == after for one, after in itertools.pairwise(lefts))
    assert 25 <= repeats <= 75
