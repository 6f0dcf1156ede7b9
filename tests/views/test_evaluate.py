"""The Evaluate page's view model: sentence, best group, ledger, disagreement, files."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from rerank_lab.core.types import Status
from rerank_lab.corpora import runs
from rerank_lab.evaluation.experiments import Cell, ExperimentEntry, score
from rerank_lab.evaluation.statistics import paired
from rerank_lab.views import evaluate as views
from rerank_lab.views import evaluate_export as export
from rerank_lab.views import results_table
from tests.views.evaluations import evaluation

CLEAR = {"bm25": [4] * 40, "bm25 >> identity": [1] * 34 + [4] * 4 + [5] * 2}


def test_a_clear_winner_is_told_with_interval_p_and_tally() -> None:
    found = evaluation(CLEAR)
    shown = views.evaluate_view(found, "RR@10")
    values = [found.values(spec, "RR@10") for spec in CLEAR]
    stats = paired(values[0], values[1])
    assert stats.difference == pytest.approx((34 * 0.75 - 2 * 0.05) / 40)
    assert shown.sentence == (
        f"On 40 queries, identity beats bm25 by {stats.difference:.2f} RR@10 "
        f"[+{stats.low:.2f}, +{stats.high:.2f}]; Holm p < 0.001; 34 wins, 2 losses, 4 ties."
    )
    assert [row.best for row in shown.rows] == [False, True]
    assert [row.baseline for row in shown.rows] == [True, False]


def test_the_other_way_round_nothing_beats_the_baseline() -> None:
    shown = views.evaluate_view(evaluation(CLEAR), "RR@10", "bm25 >> identity")
    assert "nothing beats identity: bm25 comes next and is worse by" in shown.sentence
    assert [row.baseline for row in shown.rows] == [False, True]


def test_a_difference_that_may_be_chance_says_so_and_what_could_be_seen() -> None:
    shown = views.evaluate_view(evaluation({"bm25": [2, 1, 2, 1], "dense": [1, 1, 2, 1]}))
    assert "dense looks better than bm25, but that may be chance" in shown.sentence
    assert "hardly tell a difference below" in shown.sentence
    assert [row.best for row in shown.rows] == [True, True]


def test_equal_pipelines_are_not_told_apart() -> None:
    shown = views.evaluate_view(evaluation({"bm25": [1, 2], "dense": [1, 2]}))
    assert "dense is not shown to differ from bm25: 0.000 RR@10" in shown.sentence
    assert "0 wins, 0 losses, 2 ties" in shown.sentence


def test_one_pipeline_alone() -> None:
    shown = views.evaluate_view(evaluation({"bm25": [1, 2]}))
    assert shown.sentence == "On 2 queries, bm25 reaches 0.75 RR@10."
    assert shown.rows[0].paired is None


def test_a_failed_query_is_counted_and_never_scored() -> None:
    found = evaluation({"bm25": [2] * 6, "dense": [1, None, 1, 1, 1, 1]})
    shown = views.evaluate_view(found, "RR@10")
    bm25, dense = shown.rows
    assert dense.values["RR@10"] == 1.0
    assert bm25.values["RR@10"] == 0.5
    assert (dense.measured, views.ledger(dense.outcome)) == (5, "5 answered, 1 failed")
    assert shown.sentence.startswith("On the 5 of 6 queries that all pipelines answered, ")
    assert shown.notes == (
        "dense gave no answer of its own to 1 of 6 queries; its means are over the others.",
    )
    (problem,) = shown.problems
    assert (problem.label, problem.message, problem.queries) == ("dense", "The model broke.", 1)
    assert problem.examples == ("q1",)
    assert problem.status == "failed on 1 query"


def test_a_pipeline_that_never_answered_takes_no_part() -> None:
    shown = views.evaluate_view(evaluation({"bm25": [1, 2], "dense": [None, None]}))
    assert shown.rows[1].values == {"RR@10": None, "nDCG@10": None}
    assert views.ledger(shown.rows[1].outcome) == "0 answered, 2 failed"
    assert shown.sentence == "bm25 answered 2 of 2 queries, dense 0; nothing to compare."
    assert "dense answered no query" in shown.notes[0]


def test_an_unfinished_experiment_says_what_is_missing() -> None:
    shown = views.evaluate_view(evaluation({"bm25": [1, 2, 3], "dense": [1]}))
    assert (shown.done, shown.size, shown.pending) == (4, 6, 2)
    assert views.ledger(shown.rows[1].outcome) == "1 answered, 2 not asked yet"
    assert shown.sentence == (
        "Not finished: bm25 answered 3 of 3 queries, dense 1; too few in common to compare yet."
    )


def test_cancelled_before_the_second_pipeline_answered_compares_nothing() -> None:
    begun = evaluation({"bm25": [1, 2, 1, *[1] * 57], "dense": []})
    cells = [cell for cell in begun.cells.values() if cell.query_id in ("q0", "q1", "q2")]
    shown = views.evaluate_view(score(begun.design, cells))
    assert shown.sentence == (
        "Not finished: bm25 answered 3 of 60 queries, dense 0; nothing to compare yet."
    )
    cells.append(Cell("q0", "dense", Status.CANCELLED))
    shown = views.evaluate_view(score(begun.design, cells))
    assert shown.sentence.startswith("Cancelled: bm25 answered 3 of 60 queries, dense 0;")


def test_without_judgments_there_is_nothing_to_score() -> None:
    shown = views.evaluate_view(evaluation({"bm25": [1, 2]}, judged=False))
    assert shown.sentence.startswith("Nothing is judged here")
    assert shown.rows[0].values == {"RR@10": None, "nDCG@10": None}


def test_queries_nobody_gave_a_text_for_are_mentioned() -> None:
    notes = views.evaluate_view(evaluation({"bm25": [1]}, unasked=("q8", "q9"))).notes
    assert notes == ("2 judged queries have no text here and were not asked.",)


def test_unjudged_share_and_latency_without_loading() -> None:
    (row,) = views.evaluate_view(evaluation({"bm25": [1, 1, 1, 1]})).rows
    assert row.unjudged == pytest.approx(0.9)
    assert row.p50 == pytest.approx(0.15)
    assert row.outcome.latency.p95 == pytest.approx(0.2)


def test_the_biggest_disagreement_comes_first_then_the_unanswered() -> None:
    found = evaluation({"bm25": [1, 1, 4, 2], "dense": [1, None, 1, 1]})
    lines = views.query_lines(found, "RR@10")
    assert [line.id for line in lines] == ["q2", "q3", "q1", "q0"]
    assert lines[0].spread == pytest.approx(0.75)
    assert lines[2].values == (1.0, None)
    assert lines[2].statuses == ("ok", "failed")


def test_an_unknown_measure_or_baseline_falls_back_to_the_first() -> None:
    shown = views.evaluate_view(evaluation({"bm25": [1], "dense": [2]}), "AP", "nope")
    assert shown.primary == "RR@10"
    assert shown.rows[0].baseline


def test_numbers_in_words() -> None:
    assert results_table.signed(0.2134) == "+0.21"
    assert results_table.signed(-0.0517) == "−0.052"
    assert results_table.signed(-0.0001) == "0.000"
    assert results_table.p_words(0.0004) == "p < 0.001"
    assert results_table.p_words(0.0123) == "p = 0.012"
    assert results_table.p_words(0.5) == "p = 0.50"
    assert results_table.p_words(None) == "no p-value"


def test_intervals_share_one_scale() -> None:
    shown = views.evaluate_view(evaluation(CLEAR), "RR@10")
    scale = views.interval_scale(shown.rows)
    one = shown.rows[1].paired
    assert one is not None
    assert one.high is not None
    assert scale == one.high
    assert views.interval_scale(()) == 0.0


def test_results_as_csv_hold_counts_and_unrounded_means() -> None:
    found = evaluation({"bm25": [3, 3], "dense": [1, None]})
    rows = list(csv.DictReader(io.StringIO(export.results_csv(found))))
    assert float(rows[0]["RR@10"]) == 1 / 3
    assert (rows[1]["failed"], rows[1]["measured"], rows[1]["RR@10"]) == ("1", "1", "1.0")


def test_queries_as_csv_leave_a_failure_empty() -> None:
    found = evaluation({"bm25": [3, 3], "dense": [1, None]})
    rows = list(csv.DictReader(io.StringIO(export.queries_csv(found))))
    failed = next(r for r in rows if r["query_id"] == "q1" and r["pipeline"] == "dense")
    assert (failed["status"], failed["RR@10"], failed["error"]) == (
        "failed", "", "The model broke.",
    )  # fmt: skip


def test_json_has_the_shape_of_the_command_line() -> None:
    found = evaluation({"bm25": [3, 3], "dense": [1, None]})
    shown = json.loads(export.results_json(found))
    assert shown["results"] == json.loads(json.dumps(found.to_json()["results"]))
    assert shown["per_query"]["q1"].keys() == {"bm25"}


def test_runs_read_back_as_they_were(tmp_path: Path) -> None:
    found = evaluation({"bm25": [3, 3], "bm25 >> identity": [1, None]})
    data = export.runs_zip(found)
    assert data == export.runs_zip(found)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == ["1-bm25.trec", "2-bm25-identity.trec", "judgments.txt"]
        archive.extractall(tmp_path)
    assert (tmp_path / "judgments.txt").read_text() == "The corpus' own (0).\n"
    assert "judgments" in export.results_csv(found).splitlines()[0].split(",")
    assert all(
        row["judgments"] == "own" for row in csv.DictReader(export.queries_csv(found).splitlines())
    )
    run = runs.read_run(tmp_path / "2-bm25-identity.trec")
    assert run.rankings["q0"].doc_ids[0] == "right"
    assert "q1" not in run.rankings


def test_ids_with_spaces_come_as_json_lines(tmp_path: Path) -> None:
    data = export.runs_zip(evaluation({"bm25": [3, 3]}, gap=" "))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == ["1-bm25.jsonl", "judgments.txt"]
        archive.extractall(tmp_path)
    assert "wrong 0" in runs.read_run(tmp_path / "1-bm25.jsonl").rankings["q0"].doc_ids


def test_a_depth_that_all_share_is_told_once() -> None:
    found = evaluation({"bm25(k=50)": [1], "rrf(bm25(k=50),rank-bm25(k=50),top=50)": [2]})
    shown = views.evaluate_view(found)
    assert [row.label for row in shown.rows] == ["bm25", "rrf(bm25,rank-bm25)"]
    assert shown.depth == 50
    mixed = views.evaluate_view(evaluation({"bm25(k=50)": [1], "bm25(k=20)": [2]}))
    assert [row.label for row in mixed.rows] == ["bm25(k=50)", "bm25(k=20)"]
    assert mixed.depth is None


def test_a_kept_experiment_in_one_line() -> None:
    design = evaluation({"bm25": [1, 2], "dense": [1]}).design
    line = views.experiment_line(ExperimentEntry(design, 3, 0.0))
    assert (line.title, line.tags, line.pipelines) == ("hand made", "", "bm25 | dense")
    assert (line.progress, line.when, line.finished) == (
        "2 queries, 3 of 4 answers in", "not begun", False,
    )  # fmt: skip
    done = views.experiment_line(ExperimentEntry(design, 4, 60.0))
    assert (done.progress, done.when) == ("2 queries, all answers in", "1970-01-01 00:01 UTC")
    named = replace(ExperimentEntry(design, 4, 60.0), name="May", tags=("a", "b"), archived=True)
    line = views.experiment_line(named)
    assert (line.title, line.tags) == ("May (hand made)", "a, b, archived")


def test_what_answers_warn_of_is_told_with_the_number_of_queries() -> None:
    made = evaluation({"bm25": [1, 2, 3]})
    cells = dict(made.cells)
    for query in ("q0", "q1"):
        cell = cells[query, "bm25"]
        trace = replace(cell.trace, warnings=("It was trained on this query.",))
        cells[query, "bm25"] = replace(cell, trace=trace)
    notes = views.evaluate_view(score(made.design, cells.values())).notes
    assert notes == ("bm25, on 2 of 3 queries: It was trained on this query.",)


def test_an_interval_and_a_corrected_p_that_disagree_are_explained() -> None:
    stats = paired({"a": 0.2, "b": 0.4, "c": 0.1}, {"a": 0.3, "b": 0.6, "c": 0.2})
    alone = replace(stats, low=0.003, high=0.027, p=0.044, p_holm=0.088)
    assert "of this comparison alone and leaves out 0" in views.interval_note(alone)
    assert "close call" in views.interval_note(replace(alone, p=0.06))
    assert "holds 0" in views.interval_note(replace(alone, low=-0.001, p=0.01, p_holm=0.02))
    assert views.interval_note(replace(alone, p_holm=0.04)) == ""
    assert views.interval_note(replace(alone, low=-0.001)) == ""


def test_tests_and_intervals_of_a_table_are_computed_once() -> None:
    done = evaluation({"bm25": [1, 2, 3] * 3, "dense": [2, 1, 1] * 3}, measures=("RR@10", "P@1"))
    table = done.table("P@1", "dense")
    assert done.table("P@1", "dense") is table
    assert done.table() is done.table("RR@10", "bm25")
    assert done.table() is not table
    assert replace(done).table("P@1", "dense").rows == table.rows
