from __future__ import annotations

import pytest

from rerank_lab.core.errors import InvalidInput
from rerank_lab.judging.judge_influence import InfluenceSettings, judge_influence
from tests.judging.test_next_best import simulated


def test_judges_who_agree_leave_the_order_alone() -> None:
    runs, qrels = simulated(noise=(0.3, 1.5, 6.0), queries=30)
    influence = judge_influence(runs, {"ann": qrels, "bob": qrels})

    assert influence.order == ("p0", "p1", "p2")
    assert [one.winners for one in influence.by_judge] == [("p0",), ("p0",)]
    assert influence.winner_holds > 0.99
    assert influence.judges_alone == 1
    assert influence.by_judge[0].means["p0"] == pytest.approx(influence.by_judge[1].means["p0"])


def test_a_judge_who_sees_it_the_other_way_round_takes_the_certainty_away() -> None:
    """Each of two pipelines puts its own document first, and each judge favours one of them."""
    runs = {
        "one": {f"q{n}": ("a", "b") for n in range(20)},
        "two": {f"q{n}": ("b", "a") for n in range(20)},
    }
    ann = {f"q{n}": {"a": 3, "b": 0} for n in range(20)}
    bob = {f"q{n}": {"a": 0, "b": 3} for n in range(20)}
    influence = judge_influence(runs, {"ann": ann, "bob": bob})

    assert [(one.judge, one.winners) for one in influence.by_judge] == [
        ("ann", ("one",)),
        ("bob", ("two",)),
    ]
    assert 0.4 < influence.winner_holds < 0.65
    assert influence.winner_holds == pytest.approx(influence.judges_alone, abs=0.1)


def test_few_queries_are_a_doubt_of_their_own() -> None:
    runs, qrels = simulated(noise=(1.0, 1.2), queries=5, seed=4)
    influence = judge_influence(runs, {"ann": qrels}, InfluenceSettings(draws=400))

    assert influence.judges_alone == 1
    assert influence.winner_holds < 1
    assert influence.order_holds <= influence.winner_holds


def test_a_judge_counts_on_the_queries_that_he_graded() -> None:
    runs, qrels = simulated(queries=6)
    half = {q: grades for q, grades in qrels.items() if q in ("q0", "q1")}
    influence = judge_influence(runs, {"ann": qrels, "bob": half, "eve": {}})

    assert [one.queries for one in influence.by_judge] == [6, 2, 0]
    assert influence.by_judge[2].winners == ()


def test_without_grades_nothing_is_said() -> None:
    runs, _ = simulated(queries=2)
    with pytest.raises(InvalidInput, match="Nobody has graded"):
        judge_influence(runs, {"ann": {}})
    with pytest.raises(InvalidInput, match="Nobody has graded"):
        judge_influence(runs, {})
