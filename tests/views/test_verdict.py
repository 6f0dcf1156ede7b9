"""The verdict when a first stage finds nothing."""

from __future__ import annotations

from rerank_lab.views.marks import quality_mark
from tests.views.made import corpus, ids, outcome_of, result, view

TWO = "bm25 >> identity"


def test_a_first_stage_that_found_nothing_is_told_in_plain_words() -> None:
    nothing = [
        outcome_of("bm25", result("bm25", [[]])),
        outcome_of(TWO, result(TWO, [[], []])),
    ]
    for grades in (None, {"d01": 3}):
        assert view(nothing, corpus(grades=grades)).verdict == (
            "The first stage found no document, so there is nothing for identity to rerank."
        )
    assert view(nothing[:1], corpus()).verdict == "bm25 found no document."


def test_a_threshold_that_nothing_reached_is_not_taken_for_a_search_without_result() -> None:
    spec = "bm25 >> threshold(min=9.0)"
    shown = view([outcome_of(spec, result(spec, [ids(1, 2), []]))], corpus())
    assert shown.verdict == (
        "threshold left nothing: no document scored high enough for this query."
    )
    assert shown.columns[0].warnings == ("no document scored high enough",)


def test_a_pipeline_that_found_documents_is_told_of_before_one_that_found_none() -> None:
    other = "dense >> identity"
    outcomes = [
        outcome_of(TWO, result(TWO, [[], []])),
        outcome_of(other, result(other, [ids(1, 2), ids(2, 1)])),
    ]
    assert "moves 2 of the top 2" in view(outcomes, corpus()).verdict


def test_both_ranks_of_the_best_answer_are_those_of_one_document() -> None:
    """d02 stood at 2 and fell to 3; d04 rose from 4 to 1: never "2 → 1"."""
    outcome = outcome_of(TWO, result(TWO, [ids(1, 2, 3, 4), ids(4, 1, 2, 3)]))
    verdict = view([outcome], corpus(grades={"d02": 3, "d04": 3})).verdict
    assert "the best judged answer rises 4 → 1" in verdict


def test_a_measure_that_goes_the_other_way_than_the_best_answer_is_said_so() -> None:
    """The best answer falls a rank, and two good ones come into the top."""
    before = ids(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
    after = ids(11, 12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
    outcomes = [
        outcome_of("bm25", result("bm25", [before])),
        outcome_of(TWO, result(TWO, [before, after])),
    ]
    mixed = view(outcomes, corpus(grades={"d05": 3, "d11": 2, "d12": 2})).verdict
    assert "the best judged answer falls 5 → 7; yet nDCG@10 " in mixed
    worse = view(outcomes, corpus(grades={"d05": 3})).verdict
    assert "falls 5 → 7; nDCG@10 0.39 → 0.33" in worse


def test_a_rise_over_an_order_of_unjudged_documents_carries_both_shares() -> None:
    """Of the first stage's top 10 nobody judged 9, of the reranker's nobody judged 0."""
    judged = {f"d{n:02}": int(n == 30) for n in range(10, 31)}
    before = ids(*range(1, 11), *range(11, 31))
    after = ids(30, *range(11, 20), *range(1, 11), *range(20, 30))
    outcomes = [
        outcome_of("bm25", result("bm25", [before])),
        outcome_of(TWO, result(TWO, [before, after])),
    ]
    assert (
        "nDCG@10 0.00 → 1.00. But of the top 10 of bm25 90% is unjudged, of identity 0%, and "
        "unjudged documents count as not relevant, so the difference may be one of judging."
    ) in view(outcomes, corpus(grades=judged)).verdict
    even = {f"d{n:02}": int(n == 30) for n in range(1, 31)}
    assert "unjudged" not in view(outcomes, corpus(grades=even)).verdict


def test_a_measure_over_fewer_documents_than_it_looks_at_says_so() -> None:
    outcome = outcome_of("bm25(k=5)", result("bm25(k=5)", [ids(1, 2, 3, 4, 5)]))
    mark = quality_mark(view([outcome], corpus(grades={"d01": 1})).columns[0].quality)
    assert mark is not None
    assert mark.note.endswith("· from 5 documents")
