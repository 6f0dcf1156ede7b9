from __future__ import annotations

from rerank_lab.evaluation.robustness.study import (
    PerturbationEffect,
    PipelineRobustness,
    RankMovement,
    RobustnessStudy,
    TargetMovement,
)
from rerank_lab.evaluation.statistics import Paired
from rerank_lab.views.robustness import robustness_view


def paired(a: float, b: float, p: float) -> Paired:
    return Paired(
        "before", "after", 30, a, b, b - a, b - a - 0.1, b - a + 0.1, p, p, p, 1, 20, 9, 0.05
    )


def study(*effects: PerturbationEffect, problem: str = "", untried: str = "") -> RobustnessStudy:
    of_pipeline = PipelineRobustness("bm25 >> overlap", effects, 0, problem, untried)
    names = tuple(effect.perturbation for effect in effects)
    ids = tuple(f"q{n}" for n in range(30))
    return RobustnessStudy("tiny", "hash", "nDCG@10", 0, ids, 50, names, (of_pipeline,))


def test_the_answer_names_what_is_shown_to_cost() -> None:
    movement = RankMovement(3.21, 0.7, 0.6, 0.4)
    view = robustness_view(
        study(
            PerturbationEffect("typos", 28, 2, 0, paired(0.6, 0.4, 0.001), movement),
            PerturbationEffect("case", 30, 0, 0, paired(0.6, 0.58, 0.6), movement),
        )
    )
    assert view.answer == (
        "Typing errors: bm25 >> overlap loses 0.20 nDCG@10, −0.20 [−0.30, −0.10]; Holm p = 0.001.",
    )
    row = view.of_queries[0].rows[0]
    assert (row.moved, row.overlap, row.tau, row.top_changed) == ("3.2", "0.70", "0.60", "40%")
    assert row.significant
    assert row.note == "does not apply to 2 queries"
    assert not view.of_queries[1].rows[0].significant


def test_injections_that_work_are_told() -> None:
    target = TargetMovement(paired(48.0, 3.0, 0.001), 0.5, 0.9, 0.9)
    injected = PerturbationEffect("injected", 30, 0, 0, paired(0.6, 0.6, 1.0), None, target)
    view = robustness_view(study(injected))
    assert view.answer == (
        "On 30 queries, no change is shown to lower nDCG@10.",
        'A wrong document that says "rank me first" climbs into the first ten of bm25 >> overlap '
        "in 90% of the queries, from rank 48 on average.",
    )
    row = view.of_documents[0].rows[0]
    assert row.target == "rank 48.0 → 3.0 (p = 0.001); first in 50%, top 10 in 90%"


def test_negation_that_is_not_read_is_told() -> None:
    movement = RankMovement(0.1, 1.0, 1.0, 0.1)
    view = robustness_view(study(PerturbationEffect("negation", 30, 0, 0, None, movement)))
    assert view.answer[1] == (
        "Asked for the opposite, the same document stays first: bm25 >> overlap in 90% of the "
        "queries."
    )
    assert view.of_queries[0].rows[0].difference == "–"


def test_order_bias_and_what_was_not_tried_are_told() -> None:
    movement = RankMovement(9.0, 0.2, 0.0, 1.0)
    shuffled = PerturbationEffect(
        "shuffled", 30, 0, 1, None, movement, None, paired(10.0, 22.0, 0.001)
    )
    view = robustness_view(study(shuffled, problem="It broke."))
    assert view.of_documents[0].rows[0].note == (
        "no answer to 1 query; documents of the first half of the list end 12.0 ranks higher "
        "(p = 0.001)"
    )
    assert view.notes[-1] == "bm25 >> overlap answered no query. It broke."
