"""`rerank-lab labels import` and `export`: shapes, exit codes, files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rerank_lab.cli import main
from tests.cli.conftest import fail_json, run_json


def test_import_and_export_have_a_stable_shape(
    capsys: pytest.CaptureFixture[str], folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "ana.csv").write_text("query_id,doc_id,grade\nq1,long,3\nq1,gone,1\nq1,long,0\n")
    (tmp_path / "ben.qrels").write_text("q1 0 long 1\nq2 0 short 2\n")
    files = [f"{tmp_path}/ana.csv", f"{tmp_path}/ben.qrels"]

    report = run_json(capsys, "labels", "import", str(folder), *files)

    assert list(report) == ["rows", "accepted", "unknown", "conflicts", "problems"]
    assert [report[name] for name in ("rows", "accepted", "unknown", "conflicts")] == [5, 3, 1, 1]
    assert [(p["file"], p["line"]) for p in report["problems"]] == [("ana.csv", 3), ("ana.csv", 4)]

    out = tmp_path / "out.qrels"
    written = run_json(
        capsys, "labels", "export", str(folder), "--policy", "majority", "--format", "trec",
        "-o", str(out),
    )  # fmt: skip
    assert out.read_text() == "q1 0 long 1\nq2 0 short 2\n"
    assert (written["judgments"], written["queries"], written["policy"]) == (2, 2, "majority")
    printed = run_json(capsys, "labels", "export", str(folder), "--format", "jsonl", "--by-judge")
    rows = [json.loads(line) for line in printed["content"].splitlines()]
    assert [(row["judge"], row["grade"]) for row in rows] == [
        ("ana.csv", 3), ("ben.qrels", 1), ("ben.qrels", 2),
    ]  # fmt: skip


def test_a_file_of_which_nothing_fits_ends_with_code_2(
    capsys: pytest.CaptureFixture[str], folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.qrels").write_text("q9 0 long 1\n")

    assert main(["labels", "import", str(folder), f"{tmp_path}/a.qrels", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["unknown"] == 1
    refused = fail_json(capsys, "labels", "import", str(folder), f"{tmp_path}/a.qrels", "--strict")
    assert "line 1" in refused["problems"][0]
    assert "no labels" in fail_json(capsys, "labels", "export", str(folder))["message"]
    assert "nowhere" in fail_json(capsys, "labels", "import", str(folder), "nowhere.csv")["message"]
