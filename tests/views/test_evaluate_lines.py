"""The lines around the table of an evaluation, on rankings made by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rerank_lab.core.types import Status
from rerank_lab.evaluation.experiments import Latency, Outcome
from rerank_lab.evaluation.experiments.columns import ResultRow
from rerank_lab.views import evaluate_lines as lines
from rerank_lab.views.evaluate import QueryLine, evaluate_view, query_lines
from tests.views.evaluations import evaluation

BM25, OTHER = "bm25", "bm25 >> identity"


def row(**fields: object) -> ResultRow:
    outcome = Outcome("s", 2, 2, {}, {Status.OK: 2}, Latency(None, None, 0), ())
    made = ResultRow(outcome, "s", False, False, None, None, 10, 100, ())
    return replace(made, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("judged", "begins"),
    [
        (0, "Nothing is judged here: answers and times are kept, but cannot be scored. "),
        (1, "1 judged query is asked of each pipeline. "),
        (1200, "1,200 judged queries are asked of each pipeline. "),
    ],
)
def test_what_is_ahead_counts_the_judged_queries(judged: int, begins: str) -> None:
    assert lines.ahead_line(judged).startswith(begins + "Results are kept")


def test_all_queries_or_the_first_ones() -> None:
    assert lines.amount_words(1300, 1300) == "all 1,300"
    assert lines.amount_words(1000, 1300) == "first 1,000"


def test_what_was_asked_and_when() -> None:
    found = evaluation({BM25: [1, 2]})
    told = "hand made · 2 queries · 100 candidates each · 2026-11-21 00:00 UTC"
    assert lines.design_line(found.design, 100) == told
    told = "hand made · 2 queries · 2026-11-21 00:00 UTC"
    assert lines.design_line(found.design, None) == told


def test_how_much_of_an_unfinished_evaluation_is_in() -> None:
    view = evaluate_view(evaluation({BM25: [1, 2, 3], OTHER: [1]}))
    assert lines.open_line(view) == "4 of 6 answers are in. Everything below is over these."


def test_one_is_the_best_several_are_the_best_group_and_one_alone_has_no_baseline() -> None:
    first, second, third = row(baseline=True, best=True), row(best=True), row()
    assert lines.tags(first, [first, second, third]) == ("baseline", "best group")
    assert lines.tags(second, [first, second, third]) == ("best group",)
    assert lines.tags(third, [first, second, third]) == ()
    assert lines.tags(second, [third, second]) == ("best",)
    assert lines.tags(first, [first]) == ("best",)


def test_the_ledger_adds_how_much_of_the_top_nobody_judged() -> None:
    assert lines.ledger_line(row()) == "2 answered"
    assert lines.ledger_line(row(unjudged=0.456)) == ("2 answered · 46% of the top 10 unjudged")


def test_a_query_names_only_those_that_gave_no_answer() -> None:
    found = evaluation({BM25: [1, 0, 3], OTHER: [None, 2]})
    view = evaluate_view(found, "RR@10", BM25)
    labels = [one.label for one in view.rows]
    told = {line.id: lines.unanswered(line, view.rows) for line in query_lines(found, "RR@10")}
    assert told == {"q0": f"{labels[1]}: failed", "q1": "", "q2": f"{labels[1]}: not asked yet"}


def test_a_fallback_that_has_a_value_is_no_missing_answer() -> None:
    line = QueryLine("q0", "question 0", (0.5, None), ("fallback", "fallback"), None)
    assert lines.unanswered(line, [row(label="one"), row(label="two")]) == "two: fallback"
