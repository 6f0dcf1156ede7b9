"""Kept experiments: found, named, tagged, archived, copied, compared with each other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Query, Ranking, Status
from rerank_lab.evaluation.experiments import Cell, Design, list_experiments, load_experiment
from rerank_lab.evaluation.experiments.store import ExperimentRecord
from rerank_lab.evaluation.statistics import paired
from rerank_lab.evaluation.studies import save_study, studies
from rerank_lab.services.experiments import (
    AcrossRequest,
    ExperimentFilter,
    clone,
    compare,
    describe,
    listed,
)

A, B = "a" * 20, "b" * 20
QUERIES = tuple(Query(f"q{number}", f"question {number}") for number in range(12))
QRELS = {query.id: {"right": 1} for query in QUERIES}


def keep(experiment_id: str, ranks: dict[str, int], **changes: object) -> Design:
    """An experiment whose pipelines have the right document at these ranks, one better for q0."""
    design = Design(
        experiment_id, "shop", "hash", tuple(ranks), QUERIES, QRELS, ("RR@10", "Success@1")
    )
    design = replace(design, **changes)  # type: ignore[arg-type]
    record = ExperimentRecord(experiment_id)
    writer = record.writer(record.open(design))
    for query in design.queries:
        for spec, rank in ranks.items():
            above = rank - 1 if query.id == "q0" else rank
            doc_ids = [*(f"wrong-{place}" for place in range(above - 1)), "right"]
            writer.add(Cell(query.id, spec, Status.OK, Ranking.from_order(query.id, doc_ids)))
    return design


def ids(**only: object) -> set[str]:
    return {entry.id for entry in listed(ExperimentFilter(**only))}  # type: ignore[arg-type]


@pytest.mark.usefixtures("lab_database")
def test_experiments_are_named_tagged_noted_and_put_away() -> None:
    keep(A, {"bm25": 2})
    keep(B, {"bm25 >> overlap": 3}, corpus="helpdesk")
    describe(A, name="  Before the\nupdate ", tags=["weekly", " weekly ", "", "shop 1"])
    describe(A, note="Looks odd.\x00")
    [entry] = listed(ExperimentFilter("before"))
    assert (entry.id, entry.name, entry.tags) == (A, "Before the update", ("weekly", "shop 1"))
    assert entry.note == "Looks odd."

    assert ids(words="OVERLAP help") == {B}
    assert ids(words="odd") == ids(tag="weekly") == {A}
    assert ids(words="no such thing") == set()
    describe(A, archived=True)
    assert ids() == {B}
    assert ids(archived=True) == {A, B}
    assert listed(ExperimentFilter("before", archived=True))[0].note == "Looks odd."
    describe(A, archived=False, name="")
    assert ids() == {A, B}


def test_a_name_that_is_too_long_and_an_unknown_experiment_are_refused() -> None:
    keep(A, {"bm25": 2})
    with pytest.raises(InvalidInput, match="name has 121 characters"):
        describe(A, name="x" * 121)
    with pytest.raises(InvalidInput, match="21 tags"):
        describe(A, tags=map(str, range(21)))
    with pytest.raises(InvalidInput, match="no experiment"):
        describe(B, name="x")
    with pytest.raises(InvalidInput, match="no experiment"):
        clone(B)


@pytest.mark.usefixtures("lab_database")
def test_a_copy_keeps_its_answers_when_the_original_gets_others() -> None:
    design = keep(A, {"bm25": 2})
    describe(A, name="weekly", tags=["x"])
    save_study(A, "depth", {}, {"knee": 5})
    copy_id = clone(A)
    keep(A, {"bm25": 9})

    copy = load_experiment(copy_id)
    assert copy.outcomes[0].measures["Success@1"] == pytest.approx(1 / 12)
    assert load_experiment(A).outcomes[0].measures["Success@1"] == 0.0
    assert copy.design == replace(design, id=copy_id)
    [entry] = listed(ExperimentFilter("copy of weekly"))
    assert (entry.id, entry.cloned_from, entry.tags, entry.cells) == (copy_id, A, ("x",), 12)
    assert [study.result for study in studies(copy_id)] == [{"knee": 5}]
    assert len(list_experiments()) == 2


def test_pipelines_of_two_experiments_are_tested_in_pairs() -> None:
    keep(A, {"bm25": 2, "dense": 3})
    keep(B, {"bm25": 2, "bm25 >> overlap": 4})
    ours, theirs = load_experiment(A), load_experiment(B)
    across = compare(AcrossRequest(A, B, "RR@10", "dense"))
    assert [row.b for row in across.rows] == ["bm25", "bm25 >> overlap"]
    assert {row.a for row in across.rows} == {"dense"}
    for row in across.rows:
        alone = paired(ours.values("dense", "RR@10"), theirs.values(row.b, "RR@10"))
        assert (row.queries, row.difference, row.low, row.high, row.p) == (
            12, alone.difference, alone.low, alone.high, alone.p,
        )  # fmt: skip
        assert row.p_holm is not None
        assert row.p_holm == pytest.approx(min(1, 2 * (row.p or 0)))
    same = compare(AcrossRequest(A, B, baseline="bm25")).rows
    assert next(row.difference for row in same if row.b == "bm25") == 0.0


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"corpus_hash": "x"}, "shop held other documents when the second one ran"),
        ({"corpus_hash": "x", "corpus": "help"}, "One ran on shop, the other on help"),
        ({"queries": QUERIES[:5]}, "One asks 12 queries and the other 5, of which 5 are the same"),
        ({"queries": (Query("q0", "other"), *QUERIES[1:])}, "1 of their queries have another text"),
        ({"queries": (Query("x", "y"),)}, "no query in common"),
        ({"qrels": QRELS | {"q1": {"right": 2}}}, "The judgments of 1 query differ.*q1"),
        ({"measures": ("AP",)}, "RR@10 was not measured in both"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_what_differs(
    changes: dict[str, object], sentence: str
) -> None:
    keep(A, {"bm25": 2})
    keep(B, {"bm25": 2}, **changes)
    with pytest.raises(InvalidInput, match=sentence) as caught:
        compare(AcrossRequest(A, B))
    assert caught.value.hint


def test_a_baseline_that_is_not_of_the_experiment_is_refused() -> None:
    keep(A, {"bm25": 2})
    keep(B, {"bm25": 2})
    with pytest.raises(InvalidInput, match="dense is no pipeline of the evaluation"):
        compare(AcrossRequest(A, B, baseline="dense"))
