from __future__ import annotations

import random

import ir_measures
import pytest

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Ranking
from rerank_lab.evaluation.first_stage import common_rankings
from rerank_lab.evaluation.measures import measure
from rerank_lab.evaluation.unjudged import flip_risk, judged_at, unjudged_bounds
from tests.evaluation.ranked import ranked

QRELS = {"q1": {"a": 1, "x": 0}, "q2": {"a": 1, "x": 0}, "q3": {"a": 1, "x": 0}}
TWO = {
    "pooled": {"q1": "a x", "q2": "a x", "q3": "x a"},
    "new": {"q1": "n1 a", "q2": "n2 a", "q3": "a n3"},
}


def test_the_winner_can_change_with_what_nobody_judged() -> None:
    bounds = unjudged_bounds(ranked(TWO, QRELS, ("RR@10",)))
    assert bounds is not None
    irrelevant, relevant, condensed = bounds.scenarios

    assert irrelevant.means == pytest.approx({"pooled": 5 / 6, "new": 4 / 6})
    assert relevant.means == pytest.approx({"pooled": 5 / 6, "new": 1.0})
    assert condensed.means == pytest.approx({"pooled": 5 / 6, "new": 1.0})
    assert (bounds.winner, bounds.winner_changes, bounds.threats) == ("pooled", True, ("new",))
    assert bounds.unjudged == 3
    new = bounds.pipelines[1]
    assert (new.judged, new.low, new.high) == pytest.approx((0.5, 4 / 6, 1.0))
    assert (new.lowest, new.highest, new.condensed) == pytest.approx((4 / 6, 1.0, 1.0))
    assert bounds.to_json()["scenarios"][1]["winner"] == "new"


def test_a_tie_is_no_change_of_the_winner() -> None:
    # If all unjudged documents were relevant, both would have the same: nobody is ahead of "a".
    runs = {"tied": {"q1": "n1 x", "q2": "n2 x"}, "a": {"q1": "a x", "q2": "a x"}}
    bounds = unjudged_bounds(ranked(runs, QRELS, ("RR@10",)))
    assert bounds is not None
    relevant = bounds.scenarios[1]
    assert (relevant.winner, relevant.means["tied"]) == ("tied", relevant.means["a"])
    assert bounds.winner == "a"
    assert bounds.scenarios[2].means["a"] > bounds.scenarios[2].means["tied"]
    assert not bounds.winner_changes


def test_the_documents_that_decide_come_first_and_as_many_as_it_takes_are_counted() -> None:
    risk = flip_risk(ranked(TWO, QRELS, ("RR@10",)), "pooled", "new")

    # n3 stands below the relevant document already, and would change nothing.
    assert [(one.query_id, one.doc_id) for one in risk.documents] == [("q1", "n1"), ("q2", "n2")]
    first = risk.documents[0]
    assert (first.leader_rank, first.challenger_rank) == (None, 1)
    assert first.effect == pytest.approx(0.5 / 3)
    assert (risk.lead, risk.worst, risk.needed) == (pytest.approx(1 / 6), pytest.approx(-1 / 6), 1)


def test_a_lead_that_no_judgment_ends_is_said_to_be_safe() -> None:
    safe = ranked(
        {"good": {"q1": "a x", "q2": "a x"}, "bad": {"q1": "x n1", "q2": "x n2"}}, QRELS, ("RR@10",)
    )
    bounds = unjudged_bounds(safe)
    assert bounds is not None
    assert (bounds.winner_changes, bounds.threats) == (False, ())
    risk = flip_risk(safe, "good", "bad")
    assert (risk.needed, risk.worst) == (None, pytest.approx(0.5))
    with pytest.raises(InvalidInput, match="answered no judged query"):
        flip_risk(safe, "good", "other")


def random_evaluation():
    generator = random.Random(4)
    ids = [f"d{n}" for n in range(30)]
    qrels = {f"q{n}": {d: generator.choice([0, 0, 1, 2]) for d in ids[:12]} for n in range(8)}
    rankings = {name: {q: " ".join(generator.sample(ids, 20)) for q in qrels} for name in "abc"}
    return ranked(rankings, qrels, ("nDCG@5", "P@5")), qrels


def test_condensed_lists_are_those_of_ir_measures() -> None:
    done, qrels = random_evaluation()
    for name, judged_only in (
        ("nDCG@5", "nDCG(judged_only=True)@5"),
        ("P@5", "P(judged_only=True)@5"),
    ):
        bounds = unjudged_bounds(done, name)
        assert bounds is not None
        for one in bounds.pipelines:
            run = {q: {h.doc_id: 100.0 - h.rank for h in r} for q, r in
                   common_rankings(done, one.pipeline).items()}  # fmt: skip
            theirs = ir_measures.calc_aggregate(
                [ir_measures.parse_measure(judged_only)], qrels, run
            )
            assert one.lowest <= one.low <= one.highest
            condensed = bounds.scenarios[2].means[one.pipeline]
            assert condensed == pytest.approx(next(iter(theirs.values())))


def test_effects_are_those_of_measuring_with_the_document_judged_relevant() -> None:
    done, qrels = random_evaluation()
    risk = flip_risk(done, "a", "b", "nDCG@5")
    assert risk.documents
    assert all(one.effect > 0 for one in risk.documents)
    for one in risk.documents[:5]:
        judged = {**qrels, one.query_id: {**qrels[one.query_id], one.doc_id: 2}}
        means = [measure(judged, common_rankings(done, spec), ["nDCG@5"]).measures["nDCG@5"]
                 for spec in "ab"]  # fmt: skip
        assert means[0] - means[1] == pytest.approx(risk.lead - one.effect)


def test_judged_at_k_is_that_of_ir_measures_where_something_was_retrieved() -> None:
    done, qrels = random_evaluation()
    rankings = common_rankings(done, "a")
    theirs = measure(qrels, rankings, ["Judged@5"]).measures["Judged@5"]
    assert judged_at(qrels, rankings, 5) == pytest.approx(theirs)
    rankings["q0"] = Ranking.from_order("q0", [])
    rest = {query_id: one for query_id, one in rankings.items() if query_id != "q0"}
    assert judged_at(qrels, rankings, 5) == judged_at(qrels, rest, 5)
