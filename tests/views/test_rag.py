from __future__ import annotations

from dataclasses import replace

from rerank_lab.evaluation.rag.study import (
    AnswerFigures,
    ContextFigures,
    GradeFigures,
    PipelineContexts,
    RagStudy,
    TemptingExample,
)
from rerank_lab.evaluation.statistics import Paired
from rerank_lab.views.rag import rag_view

FIRST = ContextFigures(30, 0.2, 0.4, 0.7, 0.5, 30, 0.0, 512.4, 700.0, 0.25, (9, 5, 3), 0.2, 0.1)
RERANKED = ContextFigures(
    30, 0.3, 0.6, 0.8, None, 0, 0.1, 498.0, 640.0, 0.35, (20, 5, 3), None, 0.0
)


def paired(a: float, b: float, p: float) -> Paired:
    return Paired(
        "first stage",
        "reranked",
        30,
        a,
        b,
        b - a,
        b - a - 0.1,
        b - a + 0.1,
        p,
        p,
        p,
        20,
        1,
        9,
        0.05,
    )


def study(*pipelines: PipelineContexts, model: str = "") -> RagStudy:
    return RagStudy("tiny", "hash", 5, 0, "words", 30, 30, pipelines, model, 12 if model else 0)


def test_the_answer_says_whether_reranking_helps_the_context() -> None:
    differences = {"recall": paired(0.4, 0.6, 0.001), "precision": paired(0.2, 0.3, 0.2)}
    helped = PipelineContexts("bm25 >> overlap", RERANKED, FIRST, differences)
    view = rag_view(study(helped))
    assert view.answer == (
        "bm25 >> overlap: with reranking, the first 5 documents hold more of the right documents "
        "than without (60% against 40%; +0.20 [+0.10, +0.30]; Holm p = 0.001).",
    )
    reranked, first = view.contexts
    assert first.first_stage
    assert reranked.cells == (
        "bm25 >> overlap", "30%", "60%", "80%", "–", "498 (640)", "35%", "–", "0%",
    )  # fmt: skip
    assert first.cells[0] == "bm25"
    assert [row.significant for row in view.differences] == [True, False]
    assert "10% of the documents in these contexts are not judged" in view.notes[1]
    assert "the 0 queries with something judged right" in view.notes[2]


def test_chance_is_not_sold_as_help_and_answers_are_compared() -> None:
    figures = AnswerFigures(12, 0.75, 0.1, 0.15, 2, 0.6)
    one = PipelineContexts(
        "bm25 >> overlap",
        FIRST,
        FIRST,
        {"recall": paired(0.4, 0.41, 0.7)},
        answers=figures,
        first_stage_answers=figures,
        answers_difference=paired(0.7, 0.75, 0.4),
    )
    view = rag_view(study(one, model="gpt-x"))
    assert "is not shown to change how many of the right documents" in view.answer[0]
    assert view.answer[1] == (
        "bm25 >> overlap: reranking is not shown to change the answers of gpt-x: 75% right with "
        "it, 70% without (Holm p = 0.40, 30 queries)."
    )
    assert view.answers[0].cells[-1] == "12, 2 unusable"
    assert len(view.answer_headings) == len(view.answers[0].cells) == 6


def test_grades_stand_beside_the_comparison_word_for_word_and_own_answers_are_pointed_out() -> None:
    one = PipelineContexts(
        "bm25 >> overlap",
        FIRST,
        FIRST,
        {},
        answers=AnswerFigures(12, 0.75, 0.1, 0.15, 0, 0.6),
        grades=GradeFigures(11, 0.8, 1, 0.9),
        grades_difference=paired(0.5, 0.8, 0.01),
    )
    view = rag_view(replace(study(one, model="gpt-x"), grader="gpt-x"))
    assert view.answer == (
        "bm25 >> overlap: reranking changes the answers of gpt-x: 80% right by the grades of gpt-x "
        "with it, 50% without (Holm p = 0.010, 30 queries).",
    )
    assert view.answer_headings[-3:] == ("Graded right", "Graded alike", "Graded")
    assert view.answers[0].cells[-3:] == ("80%", "90%", "11, 1 without a grade")
    assert "It graded its own answers" in view.notes[-1]


def test_a_reordering_of_more_than_the_context_is_pointed_out() -> None:
    example = TemptingExample("q", "why?", "d1", "a text", 1, "d9", 12)
    one = PipelineContexts("bm25 >> long-context-reorder", FIRST, FIRST, {}, (example,))
    view = rag_view(study(one))
    assert "long-context-reorder(top=5)" in view.notes[-1]
    assert view.examples == (("bm25 >> long-context-reorder", example),)
    five = PipelineContexts("bm25 >> long-context-reorder(top=5)", FIRST, FIRST, {})
    assert "write long" not in rag_view(study(five)).notes[-1]
