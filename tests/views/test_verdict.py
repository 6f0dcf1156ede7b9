"""The verdict when a first stage finds nothing."""

from __future__ import annotations

from rerank_lab.views.compare import PipelineOutcome
from tests.views.made import corpus, ids, result, view

TWO = "bm25 >> identity"


def test_a_first_stage_that_found_nothing_is_told_in_plain_words() -> None:
    nothing = [
        PipelineOutcome("bm25", result("bm25", [[]])),
        PipelineOutcome(TWO, result(TWO, [[], []])),
    ]
    for grades in (None, {"d01": 3}):
        assert view(nothing, corpus(grades=grades)).verdict == (
            "The first stage found no document, so there is nothing for identity to rerank."
        )
    assert view(nothing[:1], corpus()).verdict == "bm25 found no document."


def test_a_threshold_that_nothing_reached_is_not_taken_for_a_search_without_result() -> None:
    spec = "bm25 >> threshold(min=9.0)"
    shown = view([PipelineOutcome(spec, result(spec, [ids(1, 2), []]))], corpus())
    assert shown.verdict == (
        "threshold left nothing: no document scored high enough for this query."
    )
    assert shown.columns[0].warnings == ("no document scored high enough",)


def test_a_pipeline_that_found_documents_is_told_of_before_one_that_found_none() -> None:
    other = "dense >> identity"
    outcomes = [
        PipelineOutcome(TWO, result(TWO, [[], []])),
        PipelineOutcome(other, result(other, [ids(1, 2), ids(2, 1)])),
    ]
    assert "moves 2 of the top 2" in view(outcomes, corpus()).verdict


def test_both_ranks_of_the_best_answer_are_those_of_one_document() -> None:
    """d02 stood at 2 and fell to 3; d04 rose from 4 to 1: never "2 → 1"."""
    outcome = PipelineOutcome(TWO, result(TWO, [ids(1, 2, 3, 4), ids(4, 1, 2, 3)]))
    verdict = view([outcome], corpus(grades={"d02": 3, "d04": 3})).verdict
    assert "the best judged answer rises 4 → 1" in verdict
