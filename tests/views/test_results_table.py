"""The table of results: what it warns of, and that every door is made from its columns."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from rerank_lab.cli.evaluate import print_results
from rerank_lab.cli.output import Output
from rerank_lab.core.types import Ranking
from rerank_lab.evaluation.experiments import Evaluation, columns, evaluation, score
from rerank_lab.ui.evaluate.html import table as html_table
from rerank_lab.views import evaluate as views
from rerank_lab.views.evaluate_export import results_csv
from tests.views import evaluations

BM25, OTHER, THIRD = "bm25", "bm25 >> identity", "bm25 >> overlap"


def csv_rows(of: Evaluation) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(results_csv(of))))


def terminal(of: Evaluation, capsys: pytest.CaptureFixture[str]) -> str:
    print_results(of, Output(as_json=False))
    return capsys.readouterr().out


def all_judged(of: Evaluation, spec: str) -> Evaluation:
    """The evaluation in which this pipeline ranks nothing but what is judged."""
    cells = [
        replace(cell, ranking=Ranking.from_order(cell.query_id, ["right"]))
        if cell.pipeline == spec
        else cell
        for cell in of.cells.values()
    ]
    return score(of.design, cells)


def test_a_pipeline_that_stopped_early_labels_what_the_comparison_stands_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    early = evaluations.evaluation({BM25: [2] * 40, OTHER: [1] * 40, THIRD: [1] * 6})
    label = (
        "Pipelines are compared on 6 of 40 queries, because overlap answered 6: differences, "
        "intervals and the best group stand on these alone."
    )
    view = views.evaluate_view(early)
    assert view.sentence.startswith("On the 6 of 40 queries that all pipelines answered, ")
    assert view.basis == label.replace("overlap", BM25 + " >> overlap")
    assert "against the baseline, 95 %, on 6 queries" in html_table(view, {})
    shown = terminal(early, capsys)
    assert "on the 6 queries that all answered" in shown
    assert label.replace("overlap", THIRD) in shown
    assert [row["compared_queries"] for row in csv_rows(early)] == ["", "6", "6"]
    assert early.to_json()["comparison"]["queries"] == 6
    whole = evaluations.evaluation({BM25: [2] * 40, OTHER: [1] * 40})
    assert views.evaluate_view(whole).basis == ""


def test_a_lead_over_a_pipeline_of_unjudged_documents_is_told_with_both_shares(
    capsys: pytest.CaptureFixture[str],
) -> None:
    uneven = all_judged(evaluations.evaluation({BM25: [4] * 40, OTHER: [1] * 40}), OTHER)
    sentence = views.evaluate_view(uneven).sentence
    assert "identity beats bm25 by 0.75 RR@10" in sentence
    assert sentence.endswith(
        "But of the top 10 of bm25 90% is unjudged, of identity 0%, and unjudged documents count "
        "as not relevant, so the difference may be one of judging."
    )
    assert "of the top 10 of bm25 90% is unjudged" in terminal(uneven, capsys)
    assert [row["unjudged"] for row in csv_rows(uneven)] == ["0.9", "0.0"]
    other_way = views.evaluate_view(uneven, baseline=OTHER).sentence
    assert "so the difference may be one of judging" in other_way
    reversed_roles = all_judged(evaluations.evaluation({BM25: [1] * 40, OTHER: [1] * 40}), BM25)
    assert "But" not in views.evaluate_view(reversed_roles).sentence


def test_evenly_judged_pipelines_carry_no_caveat() -> None:
    even = evaluations.evaluation({BM25: [4] * 40, OTHER: [1] * 40})
    assert "unjudged" not in views.evaluate_view(even).sentence


def test_a_measure_deeper_than_the_candidates_says_how_many_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    specs = ("bm25(k=50)", "bm25(k=50) >> identity")
    deep = evaluations.evaluation(
        {spec: [1, 2] * 5 for spec in specs}, measures=["R@100", "RR@10", "R@50"]
    )
    view = views.evaluate_view(deep)
    note = "from at most 50 candidates: what stands below cannot count."
    assert "R@100 (from at most 50 candidates)" in view.sentence
    assert [one for one in view.notes if one.endswith(note)] == [
        f"R@100 of bm25, bm25 >> identity is {note}"
    ]
    assert html_table(view, {}).count("from 50") == 2
    shown = terminal(deep, capsys)
    assert "1.0000 from 50" in shown
    assert note in shown
    assert {row["deeper_than_candidates"] for row in csv_rows(deep)} == {"R@100"}
    assert {row["candidates"] for row in csv_rows(deep)} == {"50"}
    compared = deep.to_json()["comparison"]["results"]
    assert {row["deeper_than_candidates"] for row in compared} == {"R@100"}
    fits = evaluations.evaluation({BM25: [1, 2]}, measures=["R@100", "AP"])
    assert views.evaluate_view(fits).notes == ()


def test_a_silent_pipeline_does_not_keep_the_others_from_being_compared() -> None:
    silent = evaluations.evaluation({BM25: [4] * 40, OTHER: [1] * 40, THIRD: [None] * 40})
    view = views.evaluate_view(silent)
    assert "identity beats bm25" in view.sentence
    assert "nothing to compare" not in view.sentence
    assert any("overlap answered no query" in note for note in view.notes)


def test_where_too_little_is_compared_the_table_compares_nothing_either(
    capsys: pytest.CaptureFixture[str],
) -> None:
    few = evaluations.evaluation({BM25: [4] * 40, OTHER: [1] * 3})
    view = views.evaluate_view(few)
    assert view.sentence.endswith("too few in common to compare yet.")
    assert not any(row.paired or row.best for row in view.rows)
    assert "against the baseline" not in html_table(view, {})
    assert "too few queries were answered by all" in terminal(few, capsys)


def test_a_latency_that_is_missing_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    base = evaluations.evaluation({BM25: [2, 1], OTHER: [None, None]})
    cells = [replace(cell, trace=replace(cell.trace, cache_hits=1)) for cell in base.cells.values()]
    untimed = score(base.design, cells)
    page = html_table(views.evaluate_view(untimed), {})
    assert page.count(">cached<") == 2
    assert page.count(">no answer<") == 2
    shown = terminal(untimed, capsys)
    assert "--no-cache measures it" in shown
    assert "cached" in shown
    assert [row["timed"] for row in csv_rows(untimed)] == ["0", "0"]


def test_long_pipelines_are_numbered_in_the_terminal_and_named_whole_below(
    capsys: pytest.CaptureFixture[str],
) -> None:
    long = f"{BM25} >> overlap(top=50) >> identity(top=20) >> overlap(top=10)"
    shown = terminal(evaluations.evaluation({BM25: [2, 1], long: [1, 1]}), capsys)
    assert f"[2]  {long}" in shown
    assert max(map(len, shown.splitlines()[:3])) < 80
    assert "against [1]" in shown


def test_a_column_of_the_table_reaches_every_door(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A column is one entry: with one more in the table, page, terminal, CSV and JSON have it."""
    own: Callable[..., tuple[columns.ResultColumn, ...]] = columns.result_columns
    added = columns.ResultColumn(
        lambda row: row.outcome.measured * 1.5,
        "seconds",
        "probe",
        "probe_s",
        ("results", "latency", "probe"),
    )
    monkeypatch.setattr(evaluation, "result_columns", lambda *args: (*own(*args), added))
    of = evaluations.evaluation({BM25: [2, 1]})
    page = html_table(views.evaluate_view(of), {})
    assert ">probe</th>" in page
    assert ">3.00 s<" in page
    assert "probe" in terminal(of, capsys)
    assert csv_rows(of)[0]["probe_s"] == "3.0"
    assert json.loads(json.dumps(of.to_json()))["results"][0]["latency"]["probe"] == 3.0
