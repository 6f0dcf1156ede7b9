from __future__ import annotations

from collections.abc import Sequence

from rerank_lab.core.types import Query, Ranking, Status
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.evaluation.experiments.cells import Cell, Design
from rerank_lab.evaluation.experiments.evaluation import score
from rerank_lab.rerankers.health import Health, HealthFinding
from rerank_lab.views.health import Badge, badge, doubted, kept_order, kept_orders, orders, worst
from tests.views.made import failed, ids, result

SPEC = "bm25 >> ms-marco-minilm-l12"
SAME, MOVED = [ids(1, 2, 3), ids(1, 2, 3)], [ids(1, 2, 3), ids(3, 1, 2)]


def test_an_order_that_never_changes_is_suspect_from_the_second_query_on() -> None:
    same, moved = orders(result(SPEC, SAME)), orders(result(SPEC, MOVED))
    assert kept_order([same]) is None
    assert kept_order([same, moved]) is None
    found = kept_order([same, same])
    assert found is not None
    assert found.state == "suspect"
    assert "all 2 queries" in found.reasons[0]


def test_each_reranker_of_a_cascade_is_looked_at() -> None:
    cascade = "bm25 >> ms-marco-minilm-l12 >> bge-small-en"
    second_idle = orders(result(cascade, [ids(1, 2, 3), ids(3, 1, 2), ids(3, 1, 2)]))
    assert kept_order([second_idle, second_idle]) is not None


def test_a_baseline_is_there_to_leave_the_order_alone_and_a_failure_says_nothing() -> None:
    assert orders(result("bm25 >> identity", SAME)) == ()
    assert orders(failed(SPEC, ids(1, 2, 3))) == ()
    assert kept_order([(), ()]) is None
    assert kept_order([]) is None


def test_the_gravest_badge_counts_with_all_its_reasons() -> None:
    one, other = Badge("suspect", ("a",)), Badge("suspect", ("b",))
    assert worst([Badge("healthy"), None, one, other]) == Badge("suspect", ("a", "b"))
    assert worst([None]) is None


def test_reasons_are_read_beside_doubtful_numbers_only() -> None:
    assert doubted(Badge("broken", ("why",))) == doubted(Badge("suspect", ("why",))) == ("why",)
    assert doubted(Badge("unchecked", ("it is hosted",))) == ()


def evaluation(specs: Sequence[str], orders: Sequence[Sequence[str]]) -> Evaluation:
    """Two queries; the pipelines' orders of three documents are the same for both."""
    queries = (Query("q0", "one"), Query("q1", "two"))
    cells = [
        Cell(query.id, spec, Status.OK, _ranking(query.id, order))
        for spec, order in zip(specs, orders, strict=True)
        for query in queries
    ]
    qrels = {query.id: {"d01": 1} for query in queries}
    design = Design("0" * 16, "made", "hash", tuple(specs), queries, qrels, ("nDCG@10",))
    return score(design, cells)


def _ranking(query_id: str, order: Sequence[str]) -> Ranking:
    return Ranking.from_scores(query_id, {d: float(-n) for n, d in enumerate(order)}, "logit")


def test_an_evaluation_names_the_reranker_that_changed_nothing() -> None:
    (said,) = kept_orders(evaluation(["bm25", SPEC], SAME))
    assert said.startswith("bm25 >> ms-marco-minilm-l12: It left the order")
    assert kept_orders(evaluation(["bm25", SPEC], MOVED)) == ()


def test_without_the_stages_before_it_nothing_can_be_said() -> None:
    assert kept_orders(evaluation(["dense", SPEC], SAME)) == ()
    assert kept_orders(evaluation(["bm25", "bm25 >> identity"], SAME)) == ()


def test_a_remark_leads_to_its_explanation_and_a_sentence_to_the_next() -> None:
    found = (
        HealthFinding("standing", "no projection", "Not the published model.", "suspect"),
        HealthFinding("order", "The order is wrong.", "Check the model.", "broken"),
    )
    assert badge(Health("broken", found)).reasons == (
        "no projection: Not the published model.",
        "The order is wrong. Check the model.",
    )
