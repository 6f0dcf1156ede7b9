from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from rerank_lab.core.errors import InvalidInput
from rerank_lab.judging.pools import PoolPlan, estimated_minutes, missed_relevant, pool_pairs
from rerank_lab.judging.records import JudgingPair, PairOrigin

RUNS = {
    "bm25": {"q1": ("a", "b", "c", "d", "e"), "q2": ("x", "y", "z")},
    "rm3": {"q1": ("b", "f", "a", "g", "h"), "q3": ("only",)},
}


def long_runs(seed: int) -> tuple[dict[str, dict[str, tuple[str, ...]]], dict[str, dict[str, int]]]:
    """Two pipelines over 20 queries of 60 documents; a tenth of all documents is relevant."""
    generator = np.random.default_rng(seed)
    doc_ids = [f"d{number}" for number in range(60)]
    runs = {
        spec: {f"q{q}": tuple(generator.permutation(doc_ids)) for q in range(20)}
        for spec in ("one", "two")
    }
    grades = generator.random((20, 60)) < 0.1
    qrels = {
        f"q{q}": dict(zip(doc_ids, map(int, row), strict=True)) for q, row in enumerate(grades)
    }
    return runs, qrels


def test_a_pool_holds_the_first_documents_of_every_pipeline_once() -> None:
    pairs = pool_pairs(RUNS, PoolPlan(depth=2))

    assert {(p.query_id, p.doc_id) for p in pairs} == {
        ("q1", "a"), ("q1", "b"), ("q1", "f"), ("q2", "x"), ("q2", "y"), ("q3", "only")
    }  # fmt: skip
    assert len(pairs) == 6
    assert all(p.origin is PairOrigin.POOL and p.probability == 1 for p in pairs)


def test_queries_come_one_after_another_in_an_order_that_the_seed_decides() -> None:
    pairs = pool_pairs(RUNS, PoolPlan(depth=5, seed=1))
    query_ids = [pair.query_id for pair in pairs]

    assert sum(a != b for a, b in pairwise(query_ids)) == 2
    assert pairs == pool_pairs(dict(reversed(RUNS.items())), PoolPlan(depth=5, seed=1))
    assert len({pool_pairs(RUNS, PoolPlan(depth=5, seed=seed)) for seed in range(5)}) > 1


def test_documents_from_below_the_pool_know_their_chance() -> None:
    pairs = pool_pairs(RUNS, PoolPlan(depth=2, below=0.5))
    below = [pair for pair in pairs if pair.origin is PairOrigin.BELOW_POOL]

    by_query = {q: [p for p in below if p.query_id == q] for q in ("q1", "q2", "q3")}
    assert [p.probability for p in by_query["q1"]] == [2 / 5] * 2
    assert {p.doc_id for p in by_query["q1"]} <= {"c", "d", "e", "g", "h"}
    assert [(p.doc_id, p.probability) for p in by_query["q2"]] == [("z", 1.0)]
    assert by_query["q3"] == []


def test_what_the_pool_misses_is_covered_by_the_interval() -> None:
    covered, estimates = 0, []
    for seed in range(40):
        runs, qrels = long_runs(seed)
        pairs = pool_pairs(runs, PoolPlan(depth=10, below=0.25, seed=seed))
        pooled = {(p.query_id, p.doc_id) for p in pairs if p.origin is PairOrigin.POOL}
        truth = sum(
            grade for q, row in qrels.items() for d, grade in row.items() if (q, d) not in pooled
        )
        missed = missed_relevant(pairs, qrels)
        assert missed is not None
        assert missed.recall == pytest.approx(missed.pooled / (missed.pooled + missed.estimate))
        covered += missed.low <= truth <= missed.high
        estimates.append(missed.estimate / truth)

    assert covered >= 36
    assert np.mean(estimates) == pytest.approx(1, abs=0.05)


def test_nothing_relevant_below_the_pool_is_no_proof_that_there_is_nothing() -> None:
    pairs = [JudgingPair("q", f"d{n}", PairOrigin.BELOW_POOL, 0.1) for n in range(30)]
    missed = missed_relevant(pairs, {"q": {f"d{n}": 0 for n in range(30)}})

    assert missed is not None
    assert (missed.estimate, missed.low) == (0, 0)
    assert missed.population == pytest.approx(300)
    assert missed.high == pytest.approx(300 * (1 - 0.025 ** (1 / 30)))  # exact, for no successes
    assert missed.recall is None


def test_without_a_grade_below_the_pool_nothing_is_estimated() -> None:
    pairs = pool_pairs(RUNS, PoolPlan(depth=2, below=0.5))
    only_pool = [pair for pair in pairs if pair.origin is PairOrigin.POOL]
    qrels = {pair.query_id: {pair.doc_id: 1} for pair in only_pool}

    assert missed_relevant(pairs, {}) is None
    assert missed_relevant(only_pool, qrels) is None
    control = [replace(pair, origin=PairOrigin.CONTROL) for pair in only_pool]
    assert missed_relevant(control, qrels) is None


def test_minutes_count_what_is_graded_twice() -> None:
    assert estimated_minutes(120, 0.5, 10) == 30
    assert estimated_minutes(0) == 0


@pytest.mark.parametrize("plan", [{"depth": 0}, {"below": -0.1}, {"below": 1.5}])
def test_a_plan_that_makes_no_sense_is_refused(plan: dict[str, float]) -> None:
    with pytest.raises(InvalidInput):
        PoolPlan(**plan)  # type: ignore[arg-type]
