"""Ratings follow from the votes alone: no order, no invented interval, no hidden gap."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from rerank_lab.judging.arena.davidson import DavidsonDesign, fit
from rerank_lab.judging.arena.ratings import (
    MIN_QUERIES,
    ArenaRatings,
    RatingSettings,
    ratings,
    ratings_by,
)
from rerank_lab.judging.arena.tallies import by_kind, standing
from rerank_lab.judging.records import ArenaSide, JudgeKind
from tests.judging.arena.votes import decided, drawn_votes, vote

FEW = RatingSettings(resamples=200)


def strengths(rated: ArenaRatings) -> dict[str, float]:
    return {rating.pipeline: rating.strength for rating in rated.ratings}


def test_any_order_of_the_votes_gives_the_same_ratings() -> None:
    votes = drawn_votes([1, 0, -1, 0.3], queries=60, seed=3)
    expected = ratings(votes, FEW)
    for seed in range(3):
        shuffled = random.Random(seed).sample(votes, len(votes))
        assert ratings(shuffled, FEW) == expected


def test_which_side_a_pipeline_stood_on_changes_nothing() -> None:
    votes = drawn_votes([1, 0, -1], queries=40, seed=4)
    turned = {ArenaSide.LEFT: ArenaSide.RIGHT, ArenaSide.RIGHT: ArenaSide.LEFT}
    mirrored = [
        replace(v, left=v.right, right=v.left, outcome=turned.get(v.outcome, v.outcome))
        for v in votes
    ]
    assert ratings(mirrored, FEW).ratings == ratings(votes, FEW).ratings


def test_who_the_opponents_were_counts() -> None:
    """A win rate alone rates two pipelines alike that won half against strong and weak ones."""
    votes = [
        *decided("strong", "middle", 8),
        *decided("middle", "strong", 2, 8),
        *decided("middle", "weak", 8, 10),
        *decided("weak", "middle", 2, 18),
        *decided("a", "strong", 5, 20),
        *decided("strong", "a", 5, 25),
        *decided("b", "weak", 5, 30),
        *decided("weak", "b", 5, 35),
    ]
    rated = strengths(ratings(votes, FEW))
    assert rated["a"] > rated["middle"] > rated["b"]


def test_without_ties_the_fit_is_that_of_choix() -> None:
    choix = pytest.importorskip("choix")
    wins = np.array([[0, 700, 810], [300, 0, 640], [190, 360, 0]], dtype=float)
    pairs = np.array([[0, 1], [0, 2], [1, 2]])
    counts = np.array([[[wins[i, j], 0, wins[j, i]] for i, j in pairs]])
    own = fit(DavidsonDesign(3, pairs), counts)[0, :-1]
    reference = choix.ilsr_pairwise_dense(wins)
    assert own - own.mean() == pytest.approx(reference - reference.mean(), abs=5e-3)


def test_with_ties_the_fit_is_that_of_a_log_linear_model() -> None:
    """Davidson's model is a Poisson regression (Fienberg and Larntz, Biometrika 63, 1976)."""
    sm = pytest.importorskip("statsmodels.api")
    pairs = np.array([[0, 1], [0, 2], [1, 2], [2, 3]])
    counts = np.array([[500, 300, 200], [600, 250, 150], [450, 300, 250], [300, 200, 500]], float)
    design = DavidsonDesign(4, pairs)
    rows = design.cells[:4].reshape(12, 5)
    battles = np.repeat(np.eye(4), 3, axis=0)
    reference = sm.GLM(
        counts.ravel(), np.hstack([rows[:, 1:], battles]), family=sm.families.Poisson()
    ).fit()
    own = fit(design, counts[None])[0]
    assert own[1:-1] - own[0] == pytest.approx(reference.params[:3], abs=5e-3)
    assert own[-1] == pytest.approx(reference.params[3], abs=5e-3)


def test_known_strengths_are_recovered_from_votes_with_many_ties() -> None:
    known = np.array([1.0, 0.4, 0.0, -1.4])
    rated = strengths(ratings(drawn_votes(known, 3000, seed=1, ties=0.7), FEW))
    assert [rated[f"p{n}"] for n in range(4)] == pytest.approx(known - known.mean(), abs=0.15)


def test_intervals_hold_the_truth_at_their_stated_rate() -> None:
    known = np.array([0.5, 0.0, -0.5])
    inside = []
    for seed in range(60):
        votes = drawn_votes(known, queries=25, seed=seed, per_query=2)
        for rating in ratings(votes, FEW).ratings:
            assert rating.low is not None
            assert rating.high is not None
            inside.append(rating.low <= known[int(rating.pipeline[1:])] <= rating.high)
    assert 0.92 <= np.mean(inside) <= 0.99


def test_ten_wins_out_of_ten_are_no_certainty() -> None:
    best = ratings(decided("a", "b", 10), FEW).ratings[0]
    assert best.pipeline == "a"
    assert best.low is not None
    assert best.high is not None
    assert best.low < best.strength - 0.5
    assert best.high > best.strength + 0.5


def test_ten_votes_on_one_query_are_not_ten_queries() -> None:
    same_query = [vote("a", "b", ArenaSide.LEFT, "q1", n, judge=f"j{n}") for n in range(10)]
    rated = ratings(same_query, FEW)
    assert rated.queries == 1 < MIN_QUERIES
    assert all(rating.low is None and rating.high is None for rating in rated.ratings)


def test_judges_who_repeat_each_other_do_not_narrow_the_interval() -> None:
    once = drawn_votes([0.5, -0.5], queries=20, seed=5)
    fivefold = [replace(v, judge=f"j{n}") for v in once for n in range(5)]
    alone, repeated = ratings(once).ratings[0], ratings(fivefold).ratings[0]
    assert alone.high is not None
    assert alone.low is not None
    assert repeated.high is not None
    assert repeated.low is not None
    assert repeated.high - repeated.low > 0.8 * (alone.high - alone.low)


def test_pipelines_that_never_met_stand_in_groups_of_their_own() -> None:
    rated = ratings([*decided("a", "b", 6), *decided("c", "d", 6, 6)], FEW)
    assert rated.groups == 2
    assert {rating.pipeline: rating.group for rating in rated.ratings} == {
        "a": 0, "b": 0, "c": 1, "d": 1,
    }  # fmt: skip
    assert ratings([*decided("a", "b", 6), *decided("c", "b", 6)], FEW).groups == 1


def test_both_bad_is_a_tie_that_is_counted_apart() -> None:
    ties = [vote("a", "b", ArenaSide.TIE, f"t{n}", n) for n in range(3)]
    bad = [vote("a", "b", ArenaSide.BOTH_BAD, f"b{n}", 3 + n) for n in range(4)]
    rated = ratings([*decided("a", "b", 5, 7), *ties, *bad], FEW)
    assert rated.both_bad == 4
    assert (rated.pairs[0].first_wins, rated.pairs[0].ties, rated.pairs[0].both_bad) == (5, 7, 4)
    only_ties = [replace(v, outcome=ArenaSide.TIE) for v in bad]
    same = ratings([*decided("a", "b", 5, 7), *ties, *only_ties], FEW)
    assert strengths(same) == strengths(rated)


def test_people_and_models_are_rated_apart() -> None:
    people = decided("a", "b", 6)
    models = [replace(v, judge="gpt", kind=JudgeKind.LLM) for v in decided("b", "a", 30)]
    kinds = by_kind([*people, *models])
    assert strengths(ratings(kinds[JudgeKind.HUMAN], FEW))["a"] > 0
    assert strengths(ratings(kinds[JudgeKind.LLM], FEW))["a"] < 0
    assert ratings(kinds[JudgeKind.HUMAN], FEW).votes == 6


def test_each_judge_is_rated_by_own_votes_alone() -> None:
    votes = [*decided("a", "b", 6), *(replace(v, judge="bob") for v in decided("b", "a", 6))]
    rated = ratings_by(votes, lambda v: (v.judge,), FEW)
    assert list(rated) == ["ada", "bob"]
    assert strengths(rated["ada"])["a"] > 0 > strengths(rated["bob"])["a"]


def test_a_vote_that_was_taken_back_does_not_count() -> None:
    votes = decided("a", "b", 3)
    undo = replace(votes[1], row_id=9, undoes=votes[1].row_id)
    assert standing([undo, *votes]) == (votes[0], votes[2])
    foreign = replace(undo, judge="bob")
    assert standing([*votes, foreign]) == tuple(votes)


def test_a_habit_of_one_side_is_seen() -> None:
    votes = [vote("a", "b", ArenaSide.LEFT, f"q{n}", n) for n in range(9)]
    assert ratings(votes, FEW).left_share == 1.0
    assert ratings([], FEW).ratings == ()
