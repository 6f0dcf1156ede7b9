from __future__ import annotations

import pytest

from rerank_lab.core.types import Document, Ranking
from rerank_lab.corpora import load_corpus
from rerank_lab.evaluation.measures import measure
from rerank_lab.evaluation.rag.contexts import QueryContext, context_of, in_the_middle, middle
from rerank_lab.evaluation.rag.study import RagStudy
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.services import rag
from rerank_lab.services.rag import RagRequest

TEXTS = {f"d{n}": Document(f"d{n}", "word " * n) for n in range(1, 7)}


def context(
    order: str, grades: dict[str, int], documents: int = 5, budget: int = 0
) -> QueryContext:
    return context_of(Ranking.from_order("q", order.split()), TEXTS, grades, documents, budget)


def test_shares_of_right_documents_and_tokens() -> None:
    one = context("d1 d2 d3 d4 d5 d6", {"d2": 1, "d4": 2, "d6": 1, "d1": 0})
    assert one.right_places == (2, 4)
    assert (one.precision, one.recall) == (0.4, pytest.approx(2 / 3))
    assert (one.tokens, one.right_tokens, one.right_token_share) == (15, 6, 0.4)
    assert one.unjudged == 2


@pytest.mark.parametrize(
    ("order", "grades", "tempting"),
    [
        ("d1 d2", {"d1": 0, "d2": 1}, "d1"),
        ("d2 d1", {"d1": 0, "d2": 1}, None),
        ("d3 d1 d2", {"d1": 0, "d2": 1}, "d1"),  # nobody judged d3: it tempts nobody
        ("d1 d3", {"d1": 0, "d2": 1}, "d1"),  # the right one is not in the context at all
        ("d3 d4", {"d1": 0, "d2": 1}, None),
    ],
)
def test_a_wrong_document_tempts_above_every_right_one(
    order: str, grades: dict[str, int], tempting: str | None
) -> None:
    document = context(order, grades).tempting
    assert (document.id if document else None) == tempting


def test_only_queries_with_right_and_wrong_documents_can_tempt() -> None:
    assert context("d1", {"d1": 0, "d2": 1}).can_tempt
    assert not context("d1", {"d1": 1}).can_tempt
    assert not context("d1", {"d1": 0}).can_tempt


def test_a_budget_ends_the_context_and_leaves_the_first_document() -> None:
    assert [one.id for one in context("d2 d3 d4", {}, budget=5).documents] == ["d2", "d3"]
    assert [one.id for one in context("d6 d1", {}, budget=5).documents] == ["d6"]
    assert [one.id for one in context("d1 gone d2", {}).documents] == ["d1", "d2"]


def test_the_middle_is_what_is_far_from_both_ends() -> None:
    assert [list(middle(size)) for size in (1, 2, 3, 5, 10)] == [[], [], [2], [3], [5, 6]]
    contexts = [context("d1 d2 d3 d4 d5", {"d3": 1, "d1": 1})]
    assert in_the_middle(contexts) == 0.5
    assert in_the_middle([context("d1", {})]) is None


def test_precision_and_recall_are_those_of_evaluate_and_reordering_moves_to_the_ends() -> None:
    corpus, engine = load_corpus("helpdesk"), Engine()
    specs = ("bm25(k=20)", "bm25(k=20) >> overlap")
    study = rag.run(RagRequest(specs, limit=12), corpus, engine.context(), engine)
    queries = corpus.queries[:12]
    for spec, one in zip(specs, study.pipelines, strict=True):
        runs = {q.id: Pipeline(spec).run(q, corpus, engine=engine).ranking for q in queries}
        rankings = {query_id: run for query_id, run in runs.items() if run is not None}
        qrels = {query.id: corpus.qrels[query.id] for query in queries}
        values = measure(qrels, rankings, ["P@5", "R@5", "Success@5"]).measures
        assert one.reranked is not None
        assert one.reranked.precision == pytest.approx(values["P@5"])
        assert one.reranked.recall == pytest.approx(values["R@5"])
        assert one.reranked.holding == pytest.approx(values["Success@5"])
        assert sum(one.reranked.places) == round(values["P@5"] * 5 * 12)
    first, reranked = study.pipelines
    assert first.first_stage is None
    assert first.differences == {}
    assert reranked.first_stage == first.reranked
    assert set(reranked.differences) == {"precision", "recall", "right_tokens", "tempted"}
    # 1 3 5 4 2: what stood third goes to the second place, what stood last to the middle.
    assert first.reranked is not None
    assert first.reranked.middle == first.reranked.places[2] / sum(first.reranked.places)
    assert first.reranked.middle_reordered == first.reranked.places[4] / sum(first.reranked.places)
    assert RagStudy.from_json(study.to_json()) == study
