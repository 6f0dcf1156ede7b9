"""Experiments in the lab database: exact, shared by processes, old folders taken over."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank_lab.core.database import FILE_NAME, open_database
from rerank_lab.core.errors import InvalidInput, StorageError
from rerank_lab.core.types import Hit, Query, Ranking, Status, Trace
from rerank_lab.evaluation.experiments import (
    Cell,
    Design,
    Failure,
    delete_experiment,
    list_experiments,
    load_experiment,
    score,
)
from rerank_lab.evaluation.experiments.packing import packed_cell, unpacked_cell
from rerank_lab.evaluation.experiments.store import ExperimentRecord, RecordState
from rerank_lab.evaluation.studies import save_study, studies
from tests.evaluation.experiments.old_folders import write_old_folder

SPECS = ("bm25", "bm25 >> overlap")
DESIGN = Design(
    "0123456789abcdef",
    "corpus",
    "hash",
    SPECS,
    tuple(Query(f"q{number}", f"question {number}") for number in range(3)),
    {f"q{number}": {"right": 1, "wrong": 0} for number in range(3)},
    ("RR@10",),
    created_at="2026-01-02T03:04:05+00:00",
)
FAILURE = Failure("backend_error", "The model broke.", "Try another.")


def ranked(query_id: str, spec: str, *doc_ids: str, status: Status = Status.OK) -> Cell:
    scores = {doc_id: float(-place) for place, doc_id in enumerate(doc_ids)}
    return Cell(query_id, spec, status, Ranking.from_scores(query_id, scores, "bm25"))


CELLS = (
    ranked("q0", SPECS[0], "right", "wrong"),
    ranked("q0", SPECS[1], "wrong", "right"),
    Cell("q1", SPECS[0], Status.FAILED, failure=FAILURE),
    replace(ranked("q2", SPECS[1], "right"), trace=Trace(compute_s=0.25, warnings=("slow",))),
)


def kept(design: Design = DESIGN, cells: tuple[Cell, ...] = CELLS) -> ExperimentRecord:
    record = ExperimentRecord(design.id)
    writer = record.writer(record.open(design))
    for cell in cells:
        writer.add(cell)
    return record


finite = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def cells(draw: st.DrawFn) -> Cell:
    """Any cell: ids of any characters, scores of any size over a prefix, or no ranking."""
    doc_ids = draw(st.lists(st.text(max_size=8), unique=True, max_size=30))
    scores = sorted(draw(st.lists(finite, max_size=len(doc_ids))), reverse=True)
    padded = [*scores, *[None] * (len(doc_ids) - len(scores))]
    hits = (Hit(d, rank, s) for rank, (d, s) in enumerate(zip(doc_ids, padded, strict=True), 1))
    trace = Trace(
        compute_s=draw(st.floats(0, 10)),
        warnings=tuple(draw(st.lists(st.text(max_size=3), max_size=2))),
        relevant_spans={"d": ((0, 3),)} if draw(st.booleans()) else {},
    )
    return draw(
        st.sampled_from(
            [
                Cell("q", "bm25", Status.OK, Ranking("q", tuple(hits), "bm25"), trace),
                Cell("q", "bm25", Status.FAILED, None, trace, FAILURE),
            ]
        )
    )


@settings(max_examples=40)
@given(cells())
def test_a_cell_is_read_as_it_was_written(cell: Cell) -> None:
    again = unpacked_cell("q", "bm25", packed_cell(cell))
    assert again == cell
    signs = [math.copysign(1, hit.score or 0) for hit in (cell.ranking or ())]
    assert [math.copysign(1, hit.score or 0) for hit in (again.ranking or ())] == signs


def test_half_a_character_in_an_id_is_kept() -> None:
    cell = ranked("q", "bm25", "d\ud800", "e")
    assert unpacked_cell("q", "bm25", packed_cell(cell)) == cell


def test_a_hundred_scores_of_a_model_take_little_room() -> None:
    import numpy as np

    numbers = np.random.default_rng(1).normal(size=100).astype("float32")
    scores = {f"document-{place:06d}": float(score) for place, score in enumerate(numbers)}
    cell = Cell("q", "bm25", Status.OK, Ranking.from_scores("q", scores, "logit"))
    assert len(packed_cell(cell)) < 1000


@pytest.mark.parametrize("content", [b"", b"m", b"z!", b"j{", b"x123", b"m\x91\xa2no"])
def test_a_damaged_cell_is_a_value_error(content: bytes) -> None:
    with pytest.raises(ValueError):
        unpacked_cell("q", "bm25", content)


@pytest.mark.usefixtures("lab_database")
def test_an_experiment_is_read_as_it_was_written() -> None:
    kept()
    again = load_experiment(DESIGN.id)
    expected = score(DESIGN, CELLS)
    assert again.design == DESIGN
    assert again.cells == expected.cells
    assert again.to_json() == expected.to_json()
    [entry] = list_experiments()
    assert (entry.id, entry.cells, entry.design) == (DESIGN.id, 4, DESIGN)
    assert entry.updated > 0


@pytest.mark.usefixtures("lab_database")
def test_the_last_answer_of_a_cell_counts_and_readers_see_what_is_new() -> None:
    record = kept(cells=CELLS[:3])
    before = record.state()
    read, changes = record.cells_since(DESIGN)
    assert set(read) == {("q0", SPECS[0]), ("q0", SPECS[1]), ("q1", SPECS[0])}
    assert record.cells_since(DESIGN, changes) == ({}, changes)

    mended = ranked("q1", SPECS[0], "right")
    record.writer(DESIGN).add(mended)
    assert record.cells_since(DESIGN, changes)[0] == {("q1", SPECS[0]): mended}
    assert record.state().changes > before.changes
    assert load_experiment(DESIGN.id).cells["q1", SPECS[0]] == mended
    assert list_experiments()[0].cells == 3


@pytest.mark.usefixtures("lab_database")
def test_other_measures_are_written_and_noticed_and_the_date_stays() -> None:
    record = kept()
    before = record.state()
    later = replace(DESIGN, measures=("AP",), created_at="2030-01-01T00:00:00+00:00")
    assert record.open(later).created_at == DESIGN.created_at
    assert record.state() != before
    evaluation = load_experiment(DESIGN.id)
    assert (evaluation.design.measures, len(evaluation.cells)) == (("AP",), 4)
    assert record.open(later).created_at == DESIGN.created_at
    with pytest.raises(StorageError, match="other queries or pipelines"):
        record.open(replace(DESIGN, pipelines=("bm25",)))


@pytest.mark.usefixtures("lab_database")
def test_a_deleted_experiment_takes_its_cells_and_studies_along() -> None:
    record = kept()
    other = kept(replace(DESIGN, id="f" * 16), CELLS[:1])
    save_study(DESIGN.id, "depth", {}, {"answer": 1})
    writer = record.writer(DESIGN)
    delete_experiment(DESIGN.id)
    assert [entry.id for entry in list_experiments()] == [other.id]
    assert studies(DESIGN.id) == []
    assert record.state() == RecordState()
    with pytest.raises(InvalidInput, match="no experiment"):
        load_experiment(DESIGN.id)
    with pytest.raises(StorageError, match="deleted while it ran"):
        writer.add(CELLS[0])
    assert len(load_experiment(other.id).cells) == 1


@pytest.mark.usefixtures("lab_database")
def test_one_process_at_a_time_has_the_turn() -> None:
    with ExperimentRecord(DESIGN.id).turn() as first:
        with ExperimentRecord(DESIGN.id).turn() as second:
            assert (first, second) == (True, False)
        with ExperimentRecord("f" * 16).turn() as of_another:
            assert of_another
        kept()  # who has the turn writes
    with ExperimentRecord(DESIGN.id).turn() as again:
        assert again


def test_a_damaged_row_costs_itself_only(caplog: pytest.LogCaptureFixture) -> None:
    from sqlalchemy import update

    from rerank_lab.evaluation.tables import EXPERIMENT_CELLS, EXPERIMENTS

    kept()
    kept(replace(DESIGN, id="f" * 16))
    with open_database().writing() as connection:
        cell = EXPERIMENT_CELLS.c.change == 1
        connection.execute(update(EXPERIMENT_CELLS).where(cell).values(content=b"z!"))
        damaged = EXPERIMENTS.c.experiment_id == "f" * 16
        connection.execute(update(EXPERIMENTS).where(damaged).values(design=b"?"))
    with caplog.at_level(logging.WARNING):
        assert len(load_experiment(DESIGN.id).cells) == 3
        assert [entry.id for entry in list_experiments()] == [DESIGN.id]
    assert "is run again" in caplog.text
    with pytest.raises(StorageError, match="damaged or of a later version"):
        load_experiment("f" * 16)


def test_looking_makes_no_database(home: Path) -> None:
    assert list_experiments() == []
    with pytest.raises(InvalidInput, match="no experiment"):
        load_experiment(DESIGN.id)
    delete_experiment(DESIGN.id)
    assert not (home / FILE_NAME).exists()


@pytest.mark.usefixtures("lab_database")
@pytest.mark.parametrize("first_look", [list_experiments, lambda: load_experiment(DESIGN.id)])
def test_an_old_folder_is_taken_over_without_loss(first_look: object, home: Path) -> None:
    file = write_old_folder(home, DESIGN, CELLS)
    before = file.read_bytes()
    assert callable(first_look)
    first_look()
    file.write_bytes(b"")  # from here on the database answers
    [entry] = list_experiments()
    assert (entry.id, entry.cells) == (DESIGN.id, 4)
    again = load_experiment(DESIGN.id)
    assert again.design == DESIGN
    assert again.cells == score(DESIGN, CELLS).cells
    assert before
    delete_experiment(DESIGN.id)
    assert list_experiments() == []
    assert not file.parent.exists()


@pytest.fixture
def torn(home: Path) -> Path:
    """An old folder as killed runs leave it: torn, doubled and nonsense lines."""
    file = write_old_folder(home, DESIGN, (CELLS[0], CELLS[0], *CELLS))
    lines = file.read_bytes().splitlines(keepends=True)
    lines[0] = b'{"query_id": 3}\nnull\n\xff\n' + lines[0]
    lines[-1] = lines[-1][:-40]
    file.write_bytes(b"".join(lines))
    return file


def test_torn_lines_of_an_old_folder_cost_their_own_cells_only(torn: Path) -> None:
    before = torn.read_bytes()
    assert list_experiments()[0].cells == 3
    assert set(load_experiment(DESIGN.id).cells) == {(c.query_id, c.pipeline) for c in CELLS[:3]}
    assert torn.read_bytes() == before
    record = ExperimentRecord(DESIGN.id)
    record.writer(record.open(DESIGN)).add(CELLS[3])
    assert load_experiment(DESIGN.id).cells == score(DESIGN, CELLS).cells


def test_an_old_folder_without_a_readable_manifest_is_passed_over(home: Path) -> None:
    file = write_old_folder(home, DESIGN, CELLS)
    (file.parent / "manifest.json").write_text("[1,")
    assert list_experiments() == []
    with pytest.raises(InvalidInput, match="no experiment"):
        load_experiment(DESIGN.id)
