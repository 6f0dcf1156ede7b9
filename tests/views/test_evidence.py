from __future__ import annotations

import csv
import io
import json

import pytest

from rerank_lab.components.registry import resolve
from rerank_lab.core.problems import ProblemLog
from rerank_lab.core.types import Document, Query, Status, Trace
from rerank_lab.corpora import Corpus
from rerank_lab.pipeline.results import StageResult, result_of
from rerank_lab.views.compare import CompareOptions, compare
from rerank_lab.views.evidence import Place, agreement, document, latency, table
from rerank_lab.views.export import file_stem, to_csv, to_json, to_trec
from rerank_lab.views.topic import Topic
from tests.corpora.make import run_of_lines
from tests.views.made import QUERY, corpus, failed, ids, outcome_of, ranking, result, view

TWO = "bm25 >> identity"


def test_latency_tells_the_parts_of_each_stage_apart() -> None:
    cold = Trace(load_s=2.0, queue_s=0.1, compute_s=0.5, network_s=0.3, documents=50)
    done = result(TWO, [ids(1, 2), ids(2, 1)], [Trace(compute_s=0.004), cold])
    first, second = latency(view([outcome_of(TWO, done)], corpus()).columns)
    assert (first.stage, first.total, first.note) == ("bm25", 0.004, "warm")
    assert (second.load, second.queue, second.compute, second.network) == (2.0, 0.1, 0.5, 0.3)
    assert second.total == pytest.approx(2.9)
    assert second.note == "cold"


def test_building_an_index_is_a_part_of_its_own() -> None:
    built = Trace(load_s=0.5, build_s=15.0, compute_s=0.02)
    (row,) = latency(
        view([outcome_of("dense", result("dense", [ids(1, 2)], [built]))], corpus()).columns
    )
    assert (row.load, row.build, row.compute, row.note) == (0.5, 15.0, 0.02, "cold")
    assert row.total == pytest.approx(15.52)
    (line,) = table([row])
    assert line["Building the index (ms)"] == 15_000
    assert line["Total (ms)"] == pytest.approx(15_520)
    assert "Network (ms)" not in line
    assert "Waiting (ms)" not in line


def test_the_sources_of_a_fusion_are_rows_of_their_own_and_not_counted_twice() -> None:
    node = resolve("rrf(bm25,rank-bm25)").source
    parts = tuple(
        StageResult(source, Status.OK, Trace(compute_s=seconds), ranking(ids(1, 2)))
        for source, seconds in zip(node.sources, (0.01, 0.2), strict=True)
    )
    stage = StageResult(node, Status.OK, Trace(compute_s=0.215), ranking(ids(1, 2)), parts=parts)
    done = result_of("rrf(bm25,rank-bm25)", QUERY, [stage], corpus())
    rows = latency(view([outcome_of("rrf(bm25,rank-bm25)", done)], corpus()).columns)
    assert [(row.stage, round(row.total, 4)) for row in rows] == [
        ("bm25", 0.01),
        ("rank-bm25", 0.2),
        ("rrf(bm25,rank-bm25)", 0.005),
    ]


def test_a_failed_stage_is_named_so_in_the_latency_table() -> None:
    rows = latency(view([outcome_of(TWO, failed(TWO, ids(1, 2)))], corpus()).columns)
    assert [row.note for row in rows] == ["warm", "failed"]


def test_agreement_is_whole_with_itself_and_symmetric() -> None:
    outcomes = [
        outcome_of("bm25", result("bm25", [ids(1, 2, 3, 4)])),
        outcome_of(TWO, result(TWO, [ids(1, 2, 3, 4), ids(4, 3, 2, 1)])),
        outcome_of("dense", doing="waiting"),
    ]
    found = agreement(view(outcomes, corpus()), k=2)
    assert found.labels == ("bm25", "bm25 >> identity")
    assert found.overlap == ((1.0, 0.0), (0.0, 1.0))
    assert found.tau == ((1.0, -1.0), (-1.0, 1.0))
    assert found.rbo[0][0] == pytest.approx(1.0)
    assert found.rbo[0][1] == found.rbo[1][0]


def test_agreement_over_nothing_in_common_is_undefined_not_zero() -> None:
    outcomes = [
        outcome_of("bm25", result("bm25", [ids(1)])),
        outcome_of(TWO, result(TWO, [ids(2), ids(2)])),
    ]
    assert agreement(view(outcomes, corpus())).tau[0][1] is None


def test_a_document_is_shown_with_its_place_in_every_stage() -> None:
    outcomes = [
        outcome_of("bm25", result("bm25", [ids(1, 2, 3)])),
        outcome_of(TWO, result(TWO, [ids(1, 2, 3), ids(3, 2, 1)])),
        outcome_of("dense", result("dense", [ids(5, 6)])),
    ]
    shown = view(outcomes, corpus(grades={"d03": 2}))
    found = document(shown, "d03")
    assert found is not None
    assert (found.title, found.grade) == ("Title 3", 2)
    assert [(p.stage, p.rank, p.score, p.scale) for p in found.places] == [
        ("bm25", 3, 1.0, "bm25"),
        ("bm25", 3, 1.0, "bm25"),
        ("identity", 1, 3.0, "logit"),
        ("dense", None, None, "bm25"),
    ]


def test_a_place_says_its_rank_and_score_or_that_there_is_none() -> None:
    place = Place("s", "s", "bm25", 3, 50, 12.34567, "bm25")
    assert (place.rank_words, place.score_words) == ("3", "12.35 bm25")
    absent = Place("s", "s", "bm25", None, 50, None, "")
    assert (absent.rank_words, absent.score_words) == ("not in the list", "–")


def test_an_unknown_document_is_no_document() -> None:
    assert document(view([], corpus()), "nope") is None


def test_all_passages_of_a_cut_document_are_its_text() -> None:
    cut = Corpus("c", (Document("a#1", "one", parent="a"), Document("a#2", "two", parent="a")))
    shown = compare(Topic(QUERY, cut), [], CompareOptions())
    found = document(shown, "a")
    assert found is not None
    assert [(name, parts[0].text) for name, parts in found.parts] == [
        ("a#1", "one"),
        ("a#2", "two"),
    ]


def test_a_very_long_document_says_where_it_was_cut() -> None:
    long = Corpus("c", (Document("a", "word " * 30_000),))
    found = document(compare(Topic(QUERY, long), [], CompareOptions()), "a")
    assert found is not None
    assert found.cut_at == 20_000
    assert sum(len(part.text) for part in found.parts[0][1]) == 20_000


def _shown():
    made = Corpus(
        "My corpus/é",
        (Document("d01", "x", "=cmd()"), Document("d02", "y", 'Say "hi", ok')),
        (Query("q1", "turn off weekly emails"),),
        {"q1": {"d02": 3}},
    )
    outcomes = [
        outcome_of(TWO, result(TWO, [ids(1, 2), ids(2, 1)])),
        outcome_of("bm25", failed(TWO, ids(1))),
    ]
    return compare(Topic(QUERY, made), outcomes, CompareOptions())


def test_the_csv_holds_every_document_with_ranks_scores_and_grades() -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(_shown()))))
    assert [(r["doc_id"], r["rank"], r["first_stage_rank"], r["grade"]) for r in rows] == [
        ("d02", "1", "2", "3"),
        ("d01", "2", "1", ""),
    ]
    assert rows[0]["title"] == 'Say "hi", ok'
    assert rows[0]["scale"] == "logit"


def test_exports_name_the_depth_that_was_used() -> None:
    """The page runs `bm25` with 2 candidates; `bm25` alone would mean 100 on the command line."""
    deep = "bm25(k=2) >> identity"
    shown = view([outcome_of(TWO, result(deep, [ids(1, 2), ids(2, 1)]))], corpus())
    assert {row["pipeline"] for row in csv.DictReader(io.StringIO(to_csv(shown)))} == {deep}
    assert json.loads(to_json(shown))["rankings"][0]["pipeline"] == deep
    assert to_trec(shown, shown.columns[0]).splitlines()[0].endswith(deep.replace(" ", ""))


def test_a_title_never_runs_as_a_spreadsheet_formula() -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(_shown()))))
    assert rows[1]["title"] == "'=cmd()"


def test_the_json_has_the_shape_of_the_command_line() -> None:
    shown = json.loads(to_json(_shown()))
    assert shown["query"] == {"id": "q1", "text": "turn off weekly emails"}
    good, bad = shown["rankings"]
    assert good["hits"][0] == {"rank": 1, "doc_id": "d02", "score": 2.0}
    assert good["scale"] == "logit"
    assert bad["error"]["error"] == "backend_error"
    assert "hits" not in bad


def test_the_trec_run_reads_back_in_the_same_order() -> None:
    shown = _shown()
    lines = to_trec(shown, shown.columns[0]).splitlines()
    run = run_of_lines(lines, ProblemLog(10))
    assert run.rankings["q1"].doc_ids == ("d02", "d01")
    assert to_trec(shown, shown.columns[1]) == ""


def test_the_same_view_gives_the_same_bytes() -> None:
    assert to_csv(_shown()) == to_csv(_shown())
    assert to_json(_shown()) == to_json(_shown())


def test_file_names_hold_nothing_that_a_file_system_dislikes() -> None:
    assert file_stem(_shown()) == "My-corpus--q1"
