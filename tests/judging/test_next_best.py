from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Ranking
from rerank_lab.evaluation.measures import measure
from rerank_lab.judging.next_best import Decision, DecisionSettings, decide
from rerank_lab.judging.records import JudgingOrder

Runs = dict[str, dict[str, tuple[str, ...]]]
Grades = dict[str, dict[str, int]]


def simulated(
    noise: tuple[float, ...] = (0.4, 1.5), queries: int = 20, documents: int = 30, seed: int = 0
) -> tuple[Runs, Grades]:
    """Pipelines that rank by the true grade plus noise: the less noise, the better."""
    generator = np.random.default_rng(seed)
    runs: Runs = {f"p{place}": {} for place in range(len(noise))}
    qrels: Grades = {}
    for q in range(queries):
        relevant = generator.random(documents) < 0.25
        grades = relevant * generator.integers(1, 4, documents)
        qrels[f"q{q}"] = {f"d{n}": int(grade) for n, grade in enumerate(grades)}
        for place, spread in enumerate(noise):
            order = np.argsort(-(grades + generator.normal(0, spread, documents)))
            runs[f"p{place}"][f"q{q}"] = tuple(f"d{n}" for n in order)
    return runs, qrels


def pairs_of(decision: Decision) -> list[tuple[str, str]]:
    return [(pair.query_id, pair.doc_id) for pair in decision.candidates]


@pytest.mark.parametrize(
    "name",
    ["nDCG@10", "nDCG@3", "nDCG", "AP@10", "AP(rel=2)", "RR@5", "P(rel=2)@5", "R@10", "Success@1"],
)
def test_with_every_document_judged_the_means_are_those_of_evaluate(name: str) -> None:
    runs, qrels = simulated()
    runs["p1"]["q3"] = runs["p1"]["q3"][:4]  # a ranking shorter than the cutoff
    qrels["q4"] = dict.fromkeys(qrels["q4"], 0)  # a query without a relevant document
    decision = decide(runs, qrels, DecisionSettings(measure=name, samples=5))

    for spec, run in runs.items():
        rankings = {q: Ranking.from_order(q, doc_ids) for q, doc_ids in run.items()}
        assert decision.means[spec] == pytest.approx(
            measure(qrels, rankings, [name]).measures[name], abs=1e-6
        )
    assert decision.candidates == ()
    assert decision.settled == 1


def test_labels_make_the_better_pipeline_lead_with_confidence() -> None:
    runs, qrels = simulated()
    before, after = decide(runs, {}), decide(runs, qrels)

    assert before.confidence < 0.75
    assert (before.labels, after.labels > 200) == (0, True)
    assert (after.leader, after.settled) == ("p0", 1)
    assert after.confidence > 0.95
    assert sum(after.win_chances.values()) == pytest.approx(1)


def test_few_queries_leave_doubt_that_no_label_can_take_away() -> None:
    runs, qrels = simulated(noise=(1.0, 1.1), queries=4)
    decision = decide(runs, qrels)

    assert decision.settled == 1
    assert decision.confidence < 0.95


def test_a_document_that_all_rank_alike_is_worth_least() -> None:
    runs: Runs = {
        "one": {f"q{n}": ("same", "a", "b") for n in range(10)},
        "two": {f"q{n}": ("same", "c", "d") for n in range(10)},
    }
    decision = decide(runs, {}, DecisionSettings(measure="P@3", samples=2000))
    worth = {
        doc_id: np.mean([p.expected_change for p in decision.candidates if p.doc_id == doc_id])
        for doc_id in ("same", "a", "b", "c", "d")
    }

    assert worth["same"] < 0.2 * min(worth[doc_id] for doc_id in "abcd")
    assert pairs_of(decision)[0][1] in ("a", "c")  # the likelier to be relevant
    # P@3 moves by a third in one of ten queries when a document is relevant; a part of that is
    # expected back, because a query with one relevant document is likelier to have others.
    for pair in decision.candidates:
        if pair.doc_id != "same":
            chance = 1 - pair.grade_chances[0]
            alone = (chance * (1 - chance)) ** 0.5 / 30
            assert 0.5 * alone < pair.expected_change < alone


def test_a_rival_far_behind_is_not_worth_labels() -> None:
    runs, qrels = simulated(noise=(0.5, 0.55, 9.0), queries=30)
    some = {q: dict(list(grades.items())[:20]) for q, grades in qrels.items()}
    decision = decide(runs, some)
    first_of = {
        spec: {(q, d) for q, doc_ids in run.items() for d in doc_ids[:10]}
        for spec, run in runs.items()
    }

    only_bad = first_of["p2"] - first_of["p0"] - first_of["p1"]
    worth = {(p.query_id, p.doc_id): p.expected_change for p in decision.candidates}
    bad = [value for pair, value in worth.items() if pair in only_bad]
    others = [value for pair, value in worth.items() if pair not in only_bad]
    assert np.mean(bad) < 0.5 * np.mean(others)


def test_the_chances_of_grades_are_those_that_come_true() -> None:
    runs, qrels = simulated(noise=(0.5, 1.0, 2.0), queries=120, seed=3)
    generator = np.random.default_rng(1)
    some = {
        q: {d: grade for d, grade in grades.items() if generator.random() < 0.3}
        for q, grades in qrels.items()
    }
    decision = decide(runs, some)
    chances = np.array([1 - pair.grade_chances[0] for pair in decision.candidates])
    relevant = np.array([qrels[p.query_id][p.doc_id] > 0 for p in decision.candidates])

    assert len(chances) > 1000
    for low, high in ((0, 0.15), (0.15, 0.35), (0.35, 0.6), (0.6, 1)):
        inside = (chances >= low) & (chances < high)
        assert inside.sum() > 50
        # Relevance falls steeply between ranks 5 and 10 here, where discounts hardly do: low ones
        # are about 0.1 too high, high ones 0.1 too low (docs/decisions/0036).
        assert chances[inside].mean() == pytest.approx(relevant[inside].mean(), abs=0.13)


def test_orders_put_what_they_name_first() -> None:
    runs, qrels = simulated(queries=5)
    decision = decide(runs, {"q0": qrels["q0"]})

    uncertain = [pair.uncertainty for pair in decision.ordered(JudgingOrder.UNCERTAINTY)]
    differing = [pair.disagreement for pair in decision.ordered(JudgingOrder.DISAGREEMENT)]
    by_query = [pair.query_id for pair in decision.ordered(JudgingOrder.QUERY_BY_QUERY)]
    changes = [pair.expected_change for pair in decision.ordered(JudgingOrder.NEXT_BEST)]
    assert uncertain == sorted(uncertain, reverse=True)
    assert differing == sorted(differing, reverse=True)
    assert changes == sorted(changes, reverse=True)
    assert len(set(by_query)) == 1 + sum(a != b for a, b in pairwise(by_query))


def test_same_input_and_seed_give_the_same_numbers() -> None:
    runs, qrels = simulated(queries=5)
    some = {"q0": qrels["q0"]}

    assert decide(runs, some) == decide(runs, some)
    assert decide(runs, some, DecisionSettings(seed=1)) != decide(runs, some)


def test_only_pairs_of_the_session_are_offered() -> None:
    runs, _ = simulated(queries=5)
    session = [("q1", runs["p0"]["q1"][0]), ("q2", "not in any ranking")]

    assert pairs_of(decide(runs, {}, among=session)) == session[:1]


def test_what_cannot_be_decided_is_refused() -> None:
    runs, _ = simulated(queries=2)
    with pytest.raises(InvalidInput, match="fewer than two pipelines"):
        decide({"p0": runs["p0"]}, {})
    with pytest.raises(InvalidInput, match="no query that all"):
        decide({"p0": {"q0": ("d1",)}, "p1": {"q1": ("d1",)}}, {})
    with pytest.raises(InvalidInput, match="Bpref"):
        decide(runs, {}, DecisionSettings(measure="Bpref"))
