"""The same numbers at every door: Python, app, command line, CSV, and an experiment read again."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from rerank_lab.cli import main
from rerank_lab.core.types import Query, Ranking, Status, Trace
from rerank_lab.evaluation.experiments import (
    Cell,
    Design,
    Failure,
    delete_experiment,
    load_experiment,
    score,
)
from rerank_lab.evaluation.experiments.evaluation import CUT_TEXTS
from rerank_lab.evaluation.experiments.store import ExperimentRecord, list_experiments
from rerank_lab.pipeline.engine import default_engine
from rerank_lab.views.evaluate import evaluate_view, query_lines
from rerank_lab.views.evaluate_export import queries_csv, results_csv, results_json

DOCUMENTS = ("right", "also", "wrong", "other", "last")
MEASURES = ("RR@10", "Success@1", "P@5", "AP", "nDCG@10")
FAILURE = Failure("backend_error", "The model broke.", "Try another.")

rankings = st.one_of(
    st.none(),
    st.just({}),
    st.dictionaries(st.sampled_from(DOCUMENTS), st.sampled_from([0.0, 0.5, 1.0]), max_size=5),
)
"""Of one query: None (failed), empty, short, with ties."""


def _cell(query_id: str, spec: str, scores: dict[str, float] | None) -> Cell:
    if scores is None:
        return Cell(query_id, spec, Status.FAILED, failure=FAILURE)
    return Cell(query_id, spec, Status.OK, Ranking.from_scores(query_id, scores, "bm25"))


def _reciprocal_rank(cell: Cell) -> float | None:
    """By hand: 1 / rank of the first relevant document, 0 without one, None without an answer."""
    if cell.ranking is None:
        return None
    ranks = [hit.rank for hit in cell.ranking.hits if hit.doc_id in ("right", "also")]
    return 1 / ranks[0] if ranks else 0.0


def _design(specs: tuple[str, ...], count: int) -> Design:
    queries = tuple(Query(f"q{number}", f"question {number}") for number in range(count))
    qrels = {query.id: {"right": 1, "also": 2, "wrong": 0} for query in queries}
    return Design("0123456789abcdef", "corpus", "hash", specs, queries, qrels, MEASURES)


@pytest.fixture(scope="module")
def one_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder for all examples: a new lab database takes its time."""
    return tmp_path_factory.mktemp("home")


@hypothesis_settings(max_examples=60)
@given(rows=st.lists(st.tuples(rankings, rankings), min_size=1, max_size=6))
def test_every_door_gives_the_same_numbers(
    one_home: Path,
    rows: list[tuple[dict[str, float] | None, dict[str, float] | None]],
) -> None:
    specs = ("bm25", "bm25 >> overlap")
    design = _design(specs, len(rows))
    cells = [
        _cell(query.id, spec, scores)
        for query, row in zip(design.queries, rows, strict=True)
        for spec, scores in zip(specs, row, strict=True)
    ]
    python = score(design, cells)
    delete_experiment(design.id, one_home)
    record = ExperimentRecord(design.id, one_home)
    writer = record.writer(record.open(design))
    for cell in cells:
        writer.add(cell)
    again = load_experiment(design.id, one_home)

    by_hand = {
        spec: [v for c in cells if c.pipeline == spec and (v := _reciprocal_rank(c)) is not None]
        for spec in specs
    }
    for evaluation in (python, again):
        command_line = json.loads(json.dumps(evaluation.to_json()))["results"]
        app = evaluate_view(evaluation).rows
        table = list(csv.DictReader(io.StringIO(results_csv(evaluation))))
        exported = json.loads(results_json(evaluation))["results"]
        by_query = list(csv.DictReader(io.StringIO(queries_csv(evaluation))))
        lines = query_lines(evaluation, "RR@10")
        for place, spec in enumerate(specs):
            values = by_hand[spec]
            expected = sum(values) / len(values) if values else None
            assert evaluation.outcomes[place].measured == len(values)
            assert evaluation.outcomes[place].measures["RR@10"] == pytest.approx(expected)
            assert command_line[place]["measures"]["RR@10"] == pytest.approx(expected)
            assert exported[place]["measures"]["RR@10"] == pytest.approx(expected)
            assert app[place].values["RR@10"] == pytest.approx(expected)
            assert app[place].measured == int(table[place]["measured"]) == len(values)
            shown = table[place]["RR@10"]
            assert (float(shown) if shown else None) == pytest.approx(expected)
            of_pipeline = [row["RR@10"] for row in by_query if row["pipeline"] == spec]
            assert [float(value) for value in of_pipeline if value] == pytest.approx(values)
            in_app = [line.values[place] for line in lines if line.values[place] is not None]
            assert sorted(v for v in in_app if v is not None) == pytest.approx(sorted(values))
    assert again.outcomes == python.outcomes
    assert again.per_query == python.per_query


def test_a_pipeline_that_retrieves_nothing_is_scored_and_not_run_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    default_engine.cache_clear()
    (tmp_path / "corpus.jsonl").write_text(
        "".join(json.dumps({"_id": str(n), "text": f"word{n} of many"}) + "\n" for n in range(5))
    )
    (tmp_path / "queries.jsonl").write_text(
        '{"_id": "a", "text": "word1"}\n{"_id": "b", "text": "elsewhere"}\n'
    )
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\na\t1\t1\nb\t2\t1\n")
    command = ["evaluate", str(tmp_path), "-p", "bm25 >> threshold(min=0.1)", "-m", "RR", "--json"]

    assert main(command) == 0
    (first,) = json.loads(capsys.readouterr().out)["results"]
    assert first["measures"]["RR"] == 0.5
    [entry] = list_experiments()
    again = load_experiment(entry.id)
    assert (again.outcomes[0].measured, again.outcomes[0].measures["RR"]) == (2, 0.5)

    assert main(command) == 0
    assert json.loads(capsys.readouterr().out)["results"] == [first]
    assert list_experiments() == [entry], "no cell was run again"
    default_engine.cache_clear()


def test_a_kept_cell_of_an_earlier_version_without_documents_is_an_empty_answer() -> None:
    written = {
        "query_id": "q0",
        "pipeline": "bm25 >> threshold(min=8)",
        "status": "ok",
        "scale": None,
        "doc_ids": None,
        "scores": None,
        "trace": {"compute_s": 0.1, "warnings": ["none left"], "of_a_later_version": 1},
        "failure": None,
    }
    cell = Cell.from_json(written)
    assert cell.answered
    assert cell.ranking is not None
    assert len(cell.ranking) == 0
    assert cell.trace.warnings == ("none left",)

    failed = Cell.from_json(
        written | {"status": "failed", "failure": {"kind": "k", "message": "m", "hint": "h"}}
    )
    assert failed.ranking is None
    assert not failed.answered


def test_cut_texts_are_one_note_however_many_each_answer_had() -> None:
    queries = tuple(Query(f"q{n}", f"question {n}") for n in range(3))
    design = Design("0" * 16, "hand made", "hash", ("dense",), queries, {}, ("RR@10",), (), "")
    cells = [
        Cell(query.id, "dense", Status.OK, Ranking.from_order(query.id, ["a"]), Trace(truncated=n))
        for n, query in enumerate(queries)
    ]
    (outcome,) = score(design, cells).outcomes
    assert outcome.warnings == {CUT_TEXTS: 2}
