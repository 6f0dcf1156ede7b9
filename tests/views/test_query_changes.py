"""Which queries got worse against the baseline."""

from __future__ import annotations

from rerank_lab.views.evaluate import query_lines
from rerank_lab.views.query_changes import by_change, change_name
from tests.views.evaluations import evaluation

PLACES = {"bm25": [1, 2, 1, 2, 1], "dense": [2, 1, 4, 2, None]}


def test_each_query_has_its_signed_difference_against_the_baseline() -> None:
    lines = {line.id: line for line in query_lines(evaluation(PLACES), "RR@10")}
    assert [lines[f"q{n}"].differences[1] for n in range(5)] == [-0.5, 0.5, -0.75, 0.0, None]
    other_way = query_lines(evaluation(PLACES), "RR@10", "dense")
    assert {line.id: line.differences for line in other_way}["q2"] == (0.75, None)


def test_what_got_worse_comes_with_the_largest_loss_first() -> None:
    lines = query_lines(evaluation(PLACES), "RR@10")
    assert [line.id for line in by_change(lines, "worse", 1)] == ["q2", "q0"]
    assert [line.id for line in by_change(lines, "better", 1)] == ["q1"]
    assert [line.id for line in by_change(lines, "same", 1)] == ["q3"]
    assert [line.id for line in by_change(lines, "unanswered", 1)] == ["q4"]
    assert by_change(lines, "all", 1) == lines
    assert change_name(lines, "worse", 1) == "Got worse (2)"
