"""`rerank-lab corpora`, `models` and `doctor`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rerank_lab.cli import main
from rerank_lab.core.database import DATABASE_VARIABLE, open_database
from tests.cli.conftest import Calls, fail_json, run_json


def test_corpora_import_list_use_and_delete(
    capsys: pytest.CaptureFixture[str], folder: Path, plugin: Calls
) -> None:
    report = run_json(capsys, "corpora", "import", str(folder), "--name", "pets")
    assert (report["kept"], report["queries"], report["judgments"]) == (3, 2, 3)
    listed = {one["name"]: one for one in run_json(capsys, "corpora")["corpora"]}
    assert listed["pets"]["kind"] == "imported"
    assert listed["pets"]["documents"] == 3
    assert listed["helpdesk"]["kind"] == "sample"
    shown = run_json(capsys, "rank", "pets", "dogs", "-p", "as-given")
    assert len(shown["rankings"][0]["hits"]) == 3
    again = fail_json(capsys, "corpora", "import", str(folder), "--name", "pets")
    assert "pets" in again["message"]
    assert run_json(capsys, "corpora", "delete", "pets") == {"deleted": "pets"}
    assert "pets" not in {one["name"] for one in run_json(capsys, "corpora")["corpora"]}


def test_import_takes_queries_judgments_and_cuts_passages(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, plugin: Calls
) -> None:
    (tmp_path / "docs.csv").write_text("id,text\na," + "One two three. " * 40 + "\nb,short\n")
    (tmp_path / "queries.csv").write_text("id,text\nq1,one\n")
    (tmp_path / "qrels.txt").write_text("q1 0 a 1\n")
    files = ["--queries", f"{tmp_path}/queries.csv", "--qrels", f"{tmp_path}/qrels.txt"]
    report = run_json(
        capsys,
        "corpora",
        "import",
        f"{tmp_path}/docs.csv",
        "--name",
        "cut",
        "--passages",
        "50",
        *files,
    )

    assert report["passages"] > report["kept"] == 2
    assert (report["queries"], report["judgments"]) == (1, 1)
    (found,) = run_json(capsys, "evaluate", "cut", "-p", "as-given", "-m", "RR")["results"]
    assert found["measures"] == {"RR": 1.0}


def test_models_and_doctor_say_what_runs_here(capsys: pytest.CaptureFixture[str]) -> None:
    shown = run_json(capsys, "models")
    by_name = {one["name"]: one for one in shown["models"]}
    assert by_name["ms-marco-minilm-l12"]["roles"] == ["reranker"]
    assert by_name["ms-marco-minilm-l12"]["licence"] == "Apache-2.0"
    assert {one["name"] for one in shown["components"]} >= {"bm25", "rrf", "identity"}

    code = main(["doctor", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert code == (0 if found["ok"] else 1)
    assert {"Python", "Packages", "Data folder", "Models"} <= {c["check"] for c in found["checks"]}


def test_doctor_says_which_lab_database_is_used_and_whether_it_opens(
    capsys: pytest.CaptureFixture[str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lab_database() -> dict[str, str]:
        main(["doctor", "--json"])
        checks = json.loads(capsys.readouterr().out)["checks"]
        return next(check for check in checks if check["check"] == "Lab database")

    assert lab_database()["detail"] == f"{home / 'lab.db'}, made with the first judgment"
    assert not (home / "lab.db").exists()
    open_database()
    assert lab_database()["state"] == "ok"
    monkeypatch.setenv(DATABASE_VARIABLE, "postgresql://lab:hunter2@127.0.0.1:1/labels")
    unreachable = lab_database()
    assert unreachable["state"] == "problem"
    assert "127.0.0.1:1/labels cannot be reached" in unreachable["detail"]
    assert "hunter2" not in str(unreachable)


def test_a_broken_plugin_is_a_row_and_a_problem(
    capsys: pytest.CaptureFixture[str], plugin: Calls
) -> None:
    rows = {one["name"]: one for one in run_json(capsys, "models")["components"]}
    assert "ThereIsNoSuchName" in rows["broken"]["error"]
    assert rows["by-length"]["options"] == {"top": 100, "sign": 1}

    assert main(["doctor"]) == 1
    printed = capsys.readouterr().out
    for name in ("broken", "without-info", "misnamed", "leaves"):
        assert f"reranker {name}" in printed
