"""Team-draft interleaving is fair, and credit goes to whoever picked."""

from __future__ import annotations

from rerank_lab.judging.arena.interleaving import InterleavedList, team_draft
from rerank_lab.judging.records import ArenaSide

LEFT, RIGHT = ArenaSide.LEFT, ArenaSide.RIGHT


def test_each_round_takes_the_best_document_left_of_each_side() -> None:
    for seed in range(20):
        mixed = team_draft("abcd", "bxya", 4, seed)
        assert set(mixed.doc_ids[:2]) in ({"a", "b"}, {"b", "a"}, {"b", "x"})
        assert len(set(mixed.doc_ids)) == 4
        assert mixed.teams.count(LEFT) == mixed.teams.count(RIGHT) == 2
        assert mixed == team_draft("abcd", "bxya", 4, seed)


def test_the_coin_and_not_the_ranking_says_who_is_first() -> None:
    firsts = [team_draft("abc", "xyz", 6, seed).teams[0] for seed in range(400)]
    assert 160 <= firsts.count(LEFT) <= 240
    clicks_on_top = [team_draft("abc", "abc", 3, seed) for seed in range(400)]
    assert 160 <= sum(mixed.credit({"a"})[0] for mixed in clicks_on_top) <= 240


def test_a_ranking_that_ends_early_does_not_end_the_list() -> None:
    mixed = team_draft("a", "xyz", 10, 0)
    assert sorted(mixed.doc_ids) == ["a", "x", "y", "z"]
    assert team_draft("", "", 5, 0).doc_ids == ()


def test_what_was_chosen_becomes_a_vote() -> None:
    mixed = InterleavedList(("a", "x", "b", "y"), (LEFT, RIGHT, LEFT, RIGHT))
    assert mixed.outcome({"a", "b", "x"}) is LEFT
    assert mixed.outcome({"y"}) is RIGHT
    assert mixed.outcome({"a", "x"}) is ArenaSide.TIE
    assert mixed.outcome(()) is ArenaSide.BOTH_BAD
    assert mixed.credit({"a", "stranger"}) == (1, 0)
