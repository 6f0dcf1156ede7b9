"""What changed between two runs of the same experiment file."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rerank_lab.core.types import Hit, Ranking, Trace
from rerank_lab.decision.drift import Drift, PipelineDrift, RunSnapshot, drift, snapshot
from rerank_lab.evaluation.experiments import Cell, Evaluation, score
from rerank_lab.views.gates import drift_lines
from tests.views.evaluations import evaluation

PLAIN = evaluation({"a": [1, 2, 3], "b": [1, 1, 1]})


def taken(one: Evaluation, version: str = "1") -> RunSnapshot:
    return snapshot(one, {"a": "old", "b": "new"}, {"torch": version}, "2026-01-02T03:04:05")


def changed(**cells: Cell) -> Evaluation:
    by_key = dict(PLAIN.cells)
    for query_id, cell in cells.items():
        by_key[query_id, cell.pipeline] = cell
    return score(PLAIN.design, by_key.values())


def between(now: Evaluation) -> tuple[Drift, PipelineDrift]:
    change = drift(taken(PLAIN), taken(now))
    return change, change.pipelines[0]


def scored(query_id: str, *scores: float) -> Cell:
    hits = tuple(Hit(f"d{n}", n, value) for n, value in enumerate(scores, 1))
    return Cell(query_id, "a", PLAIN.cells["q0", "a"].status, Ranking(query_id, hits, "logit"))


def test_a_snapshot_is_kept_as_bytes() -> None:
    before = taken(PLAIN)
    assert RunSnapshot.from_bytes(before.to_bytes()) == before
    with pytest.raises(ValueError):
        RunSnapshot.from_bytes(b"[]")


def test_nothing_moved() -> None:
    change, _ = between(PLAIN)
    assert not change.any
    assert drift_lines(change) == ("Nothing moved since the run of 2026-01-02T03:04:05.",)


def test_another_order_and_another_mean_are_told() -> None:
    cell = PLAIN.cells["q0", "a"]
    assert cell.ranking is not None
    turned = Ranking.from_order("q0", cell.ranking.doc_ids[::-1])
    change, moved = between(changed(q0=replace(cell, ranking=turned)))

    assert moved.reordered == ("q0",)
    assert set(moved.measures) == {"RR@10", "nDCG@10"}
    lines = drift_lines(change)
    assert "old: another order for 1 of 3 queries: q0." in lines
    assert any(line.startswith("old: RR@10 0.6111 → 0.3") for line in lines)


def test_scores_that_move_are_told_and_noise_is_not() -> None:
    before = taken(changed(q0=scored("q0", 3.0, 1.0)))
    same = drift(before, taken(changed(q0=scored("q0", 3.0 + 1e-9, 1.0))))
    assert not same.any

    change = drift(before, taken(changed(q0=scored("q0", 3.0, 1.25))))
    assert change.pipelines[0].rescored == ("q0",)
    assert change.pipelines[0].largest == 0.25
    assert "old: a score changed by up to 0.25." in drift_lines(change)


def test_a_model_that_the_provider_changed_is_told() -> None:
    cell = PLAIN.cells["q0", "a"]
    change, moved = between(changed(q0=replace(cell, trace=Trace(model_served="m-2"))))
    assert (moved.models_before, moved.models_now) == ((), ("m-2",))
    assert "old: the provider now serves m-2 (before: none named)." in drift_lines(change)


def test_what_the_answers_stand_on() -> None:
    design = replace(
        PLAIN.design,
        corpus_hash="other",
        qrels={"q0": {"right": 2}, "q1": {"right": 1}, "q2": {"right": 1}},
        queries=(replace(PLAIN.design.queries[0], text="other words"), *PLAIN.design.queries[1:]),
    )
    change = drift(taken(PLAIN), taken(score(design, PLAIN.cells.values()), version="2"))
    assert change.corpus
    assert (change.queries_added, change.queries_removed) == (("q0",), ("q0",))
    assert change.judgments == 2
    assert "Packages changed: torch 1 → 2." in drift_lines(change)


def test_pipelines_that_came_went_and_failed() -> None:
    now = evaluation({"a": [1, 2, None], "c": [1, 1, 1]})
    change, moved = between(now)
    assert (change.added, change.removed) == (("c",), ("new",))
    assert moved.lost == ("q2",)
