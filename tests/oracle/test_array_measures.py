"""Measures that are computed as arrays equal those of ir_measures."""

from __future__ import annotations

import ir_measures
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank_lab.core.types import Ranking
from rerank_lab.evaluation import array_measures
from rerank_lab.evaluation.array_measures import computable
from rerank_lab.evaluation.measures import Averaging, measure

COMPUTED = [
    *("nDCG", "nDCG@1", "nDCG@3", "nDCG@10", "nDCG@1000", "AP", "AP@2", "AP(rel=2)", "AP(rel=3)@4"),
    *("RR", "RR@1", "RR@10", "RR(rel=2)", "RR(rel=3)@3", "P@1", "P@5", "P(rel=2)@10", "P@1000"),
    *("R@1", "R@3", "R@100", "Success@1", "Success(rel=2)@5", "Judged@1", "Judged@10", "Judged"),
]
LEFT = ["nDCG(gains={1:3})@10", "AP(judged_only=True)", "nDCG(dcg='exp-log2')@10", "Rprec", "Bpref"]
DOCUMENTS = [f"d{number}" for number in range(14)]


@st.composite
def judged_runs(
    draw: st.DrawFn,
) -> tuple[dict[str, dict[str, int]], dict[str, list[tuple[str, float]]]]:
    """Judgments, and by query documents with scores that are often tied."""
    grades = st.dictionaries(st.sampled_from(DOCUMENTS), st.integers(-2, 4), min_size=1)
    qrels = draw(st.dictionaries(st.sampled_from(["q1", "q2", "q3"]), grades, min_size=1))
    scores = st.sampled_from([0.0, 1.0, 1.0, 1.0 + 1e-12, 2.0, -3.0])
    runs = {
        query_id: [
            (doc_id, draw(scores))
            for doc_id in draw(st.lists(st.sampled_from(DOCUMENTS), unique=True))
        ]
        for query_id in draw(st.lists(st.sampled_from(["q1", "q2", "q3", "q4"]), unique=True))
    }
    if not qrels.keys() & runs.keys():
        runs[next(iter(qrels))] = [("d1", 1.0), ("d0", 1.0)]
    return qrels, runs


def _reference(
    qrels: dict[str, dict[str, int]], run: dict[str, dict[str, float]]
) -> dict[str, dict[str, float]]:
    """What ir_measures says; 0 for a query for which nothing was retrieved."""
    # trec_eval reads outside its memory for a query whose grades are all below 0.
    graded = {
        query_id: {
            doc_id: max(grade, 0) if max(grades.values()) < 0 else grade
            for doc_id, grade in grades.items()
        }
        for query_id, grades in qrels.items()
    }
    parsed = {ir_measures.parse_measure(name): name for name in COMPUTED}
    values = {query_id: dict.fromkeys(COMPUTED, 0.0) for query_id in qrels}
    retrieved = {query_id: scores for query_id, scores in run.items() if scores}
    if retrieved.keys() & qrels.keys():
        for metric in ir_measures.iter_calc(list(parsed), graded, retrieved):
            values[metric.query_id][parsed[metric.measure]] = metric.value
    return values


@settings(max_examples=300)
@given(judged_runs())
def test_values_are_those_of_ir_measures(
    judged_run: tuple[dict[str, dict[str, int]], dict[str, list[tuple[str, float]]]],
) -> None:
    qrels, runs = judged_run
    rankings = {q: Ranking.from_scores(q, dict(rows), "run") for q, rows in runs.items()}
    by_rank = {
        q: {d: float(len(ranking) - place) for place, d in enumerate(ranking.doc_ids)}
        for q, ranking in rankings.items()
    }
    ours = measure(qrels, rankings, COMPUTED)
    assert ours.per_query.keys() == qrels.keys()
    for query_id, values in _reference(qrels, by_rank).items():
        assert ours.per_query[query_id] == pytest.approx(values, rel=0, abs=1e-12)


@given(judged_runs())
def test_ties_are_broken_as_trec_eval_breaks_them_where_that_is_asked_for(
    judged_run: tuple[dict[str, dict[str, int]], dict[str, list[tuple[str, float]]]],
) -> None:
    qrels, runs = judged_run
    rankings = {q: Ranking.from_scores(q, dict(rows), "run") for q, rows in runs.items()}
    ours = measure(qrels, rankings, COMPUTED, Averaging(trec_order=True))
    reference = _reference(qrels, {q: dict(rows) for q, rows in runs.items()})
    for query_id, values in reference.items():
        for name in ("nDCG@3", "AP", "RR", "P@5", "R@3", "Success@1"):  # of trec_eval itself
            assert ours.per_query[query_id][name] == pytest.approx(values[name], rel=0, abs=1e-12)


def test_parts_of_a_long_run_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    qrels = {f"q{n}": {f"d{n + k}": k % 4 for k in range(9)} for n in range(50)}
    rankings = {
        q: Ranking.from_order(q, [f"d{int(q[1:]) + k}" for k in (3, 12, 1, 7)]) for q in qrels
    }
    whole = measure(qrels, rankings, COMPUTED)
    monkeypatch.setattr(array_measures, "_PLACES", 16)
    assert measure(qrels, rankings, COMPUTED) == whole


def test_what_is_computed_here_and_what_is_left_to_ir_measures() -> None:
    assert all(computable(ir_measures.parse_measure(name)) for name in COMPUTED)
    assert not any(computable(ir_measures.parse_measure(name)) for name in LEFT)
