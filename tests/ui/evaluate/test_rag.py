"""The tables of the question about contexts."""

from __future__ import annotations

from rerank_lab.evaluation.rag.study import (
    ContextFigures,
    PipelineContexts,
    RagStudy,
    TemptingExample,
)
from rerank_lab.ui.evaluate.rag import context_table, example_table, place_table
from rerank_lab.views.rag import rag_view

HOSTILE = "<img src=x onerror=alert(1)>"


def test_tables_tell_the_figures_and_hostile_texts_stay_text() -> None:
    figures = ContextFigures(2, 0.2, 0.5, 0.7, 0.5, 2, 0.0, 512.0, 700.0, 0.25, (9, 5), 0.2, 0.1)
    example = TemptingExample("q", HOSTILE, HOSTILE, HOSTILE * 20, 1, HOSTILE, None)
    one = PipelineContexts("bm25", figures, None, {}, (example,))
    view = rag_view(RagStudy("tiny", "", 5, 0, "words", 2, 2, (one,)))
    assert '<td class="rl-n">512 (700)</td>' in context_table(view)
    assert '<td class="rl-n">9</td><td class="rl-n">5</td>' in place_table(view)
    table = example_table(view)
    assert "<img" not in table
    assert "not in the ranking" in table
    assert "…" in table
