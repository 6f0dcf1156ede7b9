from __future__ import annotations

import pytest

from rerank_lab.core.errors import InvalidInput
from rerank_lab.evaluation.first_stage import first_stage_headroom
from rerank_lab.evaluation.measures import ceiling
from rerank_lab.evaluation.sensitivity import sensitivity
from rerank_lab.evaluation.statistics import best_group
from tests.evaluation.ranked import ranked

QUERIES = [f"q{n}" for n in range(20)]
QRELS = {q: {"a": 1, "b": 1, "c": 1, "x": 0} for q in QUERIES}
DEEP = ranked(
    {
        # First at the top, and nothing more; or everything, from the second place on.
        "early": dict.fromkeys(QUERIES, "a x y z w v u t s r"),
        "full": dict.fromkeys(QUERIES, "x a b c y z w v u t"),
    },
    QRELS,
    ("RR@10", "R@5"),
)


def test_measures_that_name_another_winner_are_named_and_those_that_contradict() -> None:
    result = sensitivity(DEEP, "RR@10", ("R@5", "P@1", "nDCG@10", "Judged@10"))
    assert result is not None

    assert [one.measure for one in result.winners] == ["RR@10", "R@5", "P@1", "nDCG@10"]
    assert (result.primary.winner, result.primary.lead) == ("early", 0.5)
    assert [one.measure for one in result.others] == ["R@5", "nDCG@10"]
    assert result.contradicting == result.others
    assert result.to_json()["contradicting"] == ["R@5", "nDCG@10"]
    assert result.winners[1].means == {"early": pytest.approx(1 / 3), "full": 1.0}
    assert result.winners[1].judged == pytest.approx(0.4)


def test_a_measure_by_which_pipelines_tie_names_no_other_winner() -> None:
    runs = {
        "below": dict.fromkeys(QUERIES, "x a b c y"),
        "above": dict.fromkeys(QUERIES, "a b c x y"),
    }
    result = sensitivity(ranked(runs, QRELS, ("RR@10",)), "RR@10", ("R@5",))
    assert result is not None
    assert [one.winner for one in result.winners] == ["above", "below"]
    assert (result.winners[1].lead, result.others) == (0.0, ())


def test_groups_are_those_of_the_table_of_results() -> None:
    result = sensitivity(DEEP, "RR@10")
    assert result is not None
    for one in result.winners[:2]:
        values = {spec: DEEP.values(spec, one.measure) for spec in DEEP.design.pipelines}
        assert list(one.group) == best_group(values)


def test_a_measure_deeper_than_the_candidates_names_who_has_too_few() -> None:
    result = sensitivity(DEEP, "RR@10", ("R@50",))
    assert result is not None
    assert result.winners[1].beyond == ("early", "full")
    with pytest.raises(InvalidInput, match="no measure"):
        sensitivity(DEEP, "RR@10", ("Great@5",))
    assert sensitivity(ranked({"one": {"q1": "a"}}, {"q1": {"a": 1}})) is None


def test_headroom_is_the_best_order_of_the_same_candidates() -> None:
    done = ranked(
        {"bm25": {"q1": "x y a", "q2": "x y z"}, "full": {"q1": "a b c", "q2": "y a b"}},
        {"q1": {"a": 2, "b": 1, "c": 1}, "q2": {"a": 2, "b": 1}},
        ("nDCG@10", "RR@10"),
    )
    bm25, full = first_stage_headroom(done)

    assert (bm25.candidates, bm25.recall, bm25.empty) == (3.0, pytest.approx(1 / 6), 1)
    of_q1 = ceiling({"a": 2, "b": 1, "c": 1}, ["x", "y", "a"]) or 0.0
    assert bm25.oracle == pytest.approx(of_q1 / 2)
    assert bm25.gap == pytest.approx(bm25.oracle - bm25.reached)
    assert bm25.gap > 0
    assert (full.oracle, full.recall, full.empty) == (1.0, 1.0, 0)
    assert first_stage_headroom(done, "RR@10")[0].oracle == 0.5
