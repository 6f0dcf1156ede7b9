from __future__ import annotations

from dataclasses import replace

from rerank_lab.core.types import Query
from rerank_lab.views.compare import CompareOptions, compare
from rerank_lab.views.present import (
    ALL,
    focus_of,
    next_focus,
    presented,
    query_place,
    stepped_queries,
)
from rerank_lab.views.topic import Topic
from tests.views.made import QUERY, corpus, ids, outcome_of, result

TWO = "bm25 >> identity"
FIRST = ids(*range(1, 13))
SECOND = ids(12, *range(1, 12))


def _view(grades: dict[str, int] | None = None, pipelines: int = 2):
    specs = [TWO, *(f"bm25 >> identity(top={n})" for n in range(5, 5 + pipelines - 2))]
    outcomes = [outcome_of("bm25", result("bm25", [FIRST]))]
    outcomes += [outcome_of(spec, result(spec, [FIRST, SECOND])) for spec in specs]
    return compare(Topic(QUERY, corpus(grades=grades)), outcomes, CompareOptions(show=3))


def test_the_chart_holds_the_answers_shown_and_the_best_judged_one() -> None:
    chart = presented(_view({"d09": 3, "d11": 1})).chart
    assert chart is not None
    assert {line.doc_id for line in chart.lines} == set(ids(1, 2, 3, 12, 9))
    assert [axis.label for axis in chart.axes] == ["bm25", TWO]


def test_many_uprights_are_called_by_the_numbers_on_the_keys() -> None:
    chart = presented(_view(pipelines=4)).chart
    assert chart is not None
    assert [axis.label for axis in chart.axes] == ["1", "2", "3", "4"]


def test_a_focus_shows_one_pipeline_and_its_own_way() -> None:
    data = presented(_view(pipelines=4), 3)
    assert [str(column.spec) for column in data.columns] == ["bm25 >> identity(top=5)"]
    assert len(data.view.columns) == 4
    assert data.chart is not None
    assert [str(axis.spec) for axis in data.chart.axes] == ["None", "bm25 >> identity(top=5)"]


def test_a_first_stage_in_focus_keeps_the_chart_of_all() -> None:
    data = presented(_view(), 1)
    assert [str(column.spec) for column in data.columns] == ["bm25"]
    assert data.chart is not None
    assert [str(axis.spec) for axis in data.chart.axes] == ["bm25", TWO]


def test_a_focus_on_nothing_shows_all() -> None:
    assert presented(_view(), 7).focus == ALL
    assert [focus_of(text, 2) for text in ("", "x", "-1", "3", "²", "2")] == [
        ALL, ALL, ALL, ALL, ALL, 2,
    ]  # fmt: skip


def test_up_and_down_go_round_by_all() -> None:
    assert [next_focus(focus, 2, 1) for focus in (ALL, 1, 2)] == [1, 2, ALL]
    assert [next_focus(focus, 2, -1) for focus in (ALL, 2, 1)] == [2, 1, ALL]


def test_judged_queries_are_stepped_through_in_their_order() -> None:
    queries = tuple(Query(f"q{i}", f"question  {i}") for i in range(1, 5))
    some = replace(corpus(), queries=queries, qrels={"q2": {"d01": 1}, "q4": {"d01": 0}})
    assert [query.id for query in stepped_queries(some)] == ["q2", "q4"]
    first = query_place(some, "question 2")
    assert (first.words, first.before, first.after) == ("1 of 2", "", "question 4")
    last = query_place(some, "question 4")
    assert (last.number, last.before, last.after) == (2, "question 2", "")
    own = query_place(some, "something else")
    assert (own.words, own.before, own.after) == ("2 to come", "", "question 2")


def test_without_judgments_all_queries_are_stepped_through() -> None:
    assert [query.id for query in stepped_queries(corpus())] == ["q1"]


def test_answers_are_larger_while_query_and_verdict_take_a_line_each() -> None:
    view = _view()
    assert presented(view).roomy
    long = replace(view.topic, query=Query("q1", "ツ" * 40))
    assert not presented(replace(view, topic=long)).roomy
    assert not presented(replace(view, verdict="word " * 30)).roomy
