from __future__ import annotations

from dataclasses import replace

import pytest

import rerank_lab as rl
from rerank_lab.core.spec import parse
from rerank_lab.core.types import Query, Status, Trace
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.views import tour
from rerank_lab.views.compare import CompareOptions, PipelineOutcome, compare
from rerank_lab.views.topic import Topic
from rerank_lab.views.tour import COSTS, FINDS, MISSES, SURE, YOURS, compare_step, evaluate_step
from tests.views.made import corpus, failed, ids, outcome_of, result

TWO = "bm25 >> identity"
FIRST = ids(*range(1, 13))
SECOND = ids(12, *range(1, 12))
TRACES = (Trace(compute_s=0.004), Trace(compute_s=0.6, documents=12))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tour, "PIPELINES", (parse("bm25"), parse(TWO)))


def _view(best: str = "d12", reranked: PipelineOutcome | None = None, query_id: str = "hd-q43"):
    query = Query(query_id, "the money is less than the bill")
    some = replace(corpus(), queries=(query,), qrels={query_id: {best: 3, "d05": 0}})
    done = outcome_of(TWO, result(TWO, [FIRST, SECOND], TRACES))
    outcomes = [outcome_of("bm25", result("bm25", [FIRST], TRACES[:1])), reranked or done]
    return compare(Topic(query, some), outcomes, CompareOptions())


def step(number: int, **changes):
    return compare_step(number, _view(**changes), [0, 1])


def test_a_miss_is_told_with_the_rank_of_the_run() -> None:
    told = step(MISSES)
    assert told.title == "BM25 misses"
    assert "“Title 12”, stands at rank 12." in told.text
    assert told.place == "Step 1 of 5"


def test_where_bm25_finds_or_has_it_nowhere_it_is_said() -> None:
    assert step(MISSES, best="d04").title == "BM25 finds"
    assert "is not among its 12 candidates" in step(MISSES, best="d20").text
    assert "no rank, where BM25 had it at no rank" in step(FINDS, best="d20").text


def test_the_find_names_both_ranks_and_measures() -> None:
    text = step(FINDS).text
    assert "now stands at rank 1, where BM25 had it at rank 12" in text
    assert "nDCG@10: 0.000 before, 1.000 after" in text


def test_the_cost_is_the_time_of_this_run() -> None:
    told = step(COSTS)
    assert "BM25 took 4 ms. Reading 12 documents took the reranker 0.60 s" in told.text
    assert "50 ms each" in told.text
    assert told.marks == ("col_0", "col_1")


def test_scores_that_were_kept_are_not_taken_for_the_cost() -> None:
    kept = result(TWO, [FIRST, SECOND], TRACES)
    last = replace(kept.stages[-1], status=Status.CACHED)
    cached = outcome_of(TWO, replace(kept, stages=(kept.stages[0], last)))
    assert "kept from an earlier run" in step(COSTS, reranked=cached).text


def test_what_waits_or_fails_is_said_and_can_be_passed() -> None:
    waiting = step(FINDS, reranked=outcome_of(TWO))
    assert not waiting.ready
    assert "is at work" in waiting.text
    broken = step(COSTS, reranked=outcome_of(TWO, failed(TWO, FIRST)))
    assert not broken.ready
    assert "The model fell over. Choose another one." in broken.text
    assert step(MISSES, reranked=outcome_of(TWO)).ready


def test_another_question_is_astray() -> None:
    assert step(FINDS, query_id="q9").astray


def test_the_last_steps_speak_of_all_queries() -> None:
    assert "Press “Evaluate”" in evaluate_step(SURE, None, started=False).text
    assert "at work" in evaluate_step(SURE, None, started=True).text
    assert evaluate_step(YOURS, None, started=False).title == "Your turn"


def test_bm25_really_misses_and_the_carried_cross_encoder_really_finds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()
    helpdesk = rl.load_corpus(tour.CORPUS)
    assert tour.is_possible(helpdesk)
    query = next(query for query in helpdesk.queries if query.id == tour.QUERY_ID)
    outcomes = [
        PipelineOutcome(spec, Pipeline(spec).at_depth(tour.DEPTH).run(query, helpdesk))
        for spec in tour.PIPELINES
    ]
    view = compare(Topic(query, helpdesk), outcomes, CompareOptions())
    assert compare_step(MISSES, view, [0, 1]).title == "BM25 misses"
    assert "now stands at rank 1," in compare_step(FINDS, view, [0, 1]).text
