"""`rerank-lab evaluate`: measures, cached answers, comparisons and an interrupted run."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rerank_lab.cli import main
from rerank_lab.evaluation.experiments import list_experiments
from tests.cli.conftest import Calls, fail_json, run_json

REPOSITORY = Path(__file__).resolve().parents[2]


def test_evaluate_gives_the_promised_json(
    capsys: pytest.CaptureFixture[str], folder: Path, plugin: Calls
) -> None:
    specs = ["as-given", "as-given >> by-length"]
    shown = run_json(capsys, "evaluate", str(folder), "-p", *specs, "-m", "nDCG@10", "RR")

    first, second = shown["results"]
    assert set(first) == {"pipeline", "queries", "measures", "status", "latency"}
    assert [first["pipeline"], second["pipeline"]] == specs
    assert first["queries"] == 2
    assert first["measures"]["RR"] == (1 / 2 + 1) / 2
    assert second["measures"]["RR"] == (1 + 1 / 2) / 2
    assert 0 < first["measures"]["nDCG@10"] < 1
    assert first["status"]["ok"] == 2
    assert first["latency"]["p95"] >= first["latency"]["p50"] > 0


def test_evaluate_takes_other_queries_and_judgments(
    capsys: pytest.CaptureFixture[str], folder: Path, tmp_path: Path, plugin: Calls
) -> None:
    (tmp_path / "q.tsv").write_text("id\ttext\nmine\tfish\nmore\tcats\n")
    (tmp_path / "judged.txt").write_text("mine 0 other 1\nmore 0 short 1\n")
    given = ["evaluate", str(folder), "-p", "as-given", "-m", "RR"]
    files = ["--queries", str(tmp_path / "q.tsv"), "--qrels", str(tmp_path / "judged.txt")]

    (found,) = run_json(capsys, *given, *files)["results"]
    assert (found["queries"], found["measures"]["RR"]) == (2, (1 / 3 + 1) / 2)
    (found,) = run_json(capsys, *given, *files, "--limit", "1")["results"]
    assert (found["queries"], found["measures"]["RR"]) == (1, 1 / 3)


def test_evaluate_again_is_free_unless_times_are_asked_for(
    capsys: pytest.CaptureFixture[str], folder: Path, plugin: Calls
) -> None:
    given = ["evaluate", str(folder), "-p", "as-given >> by-length", "-m", "RR"]
    first = run_json(capsys, *given)
    plugin.clear()

    assert run_json(capsys, *given) == first
    assert plugin == []
    run_json(capsys, *given, "--no-cache")
    assert ("by-length", 3) in plugin


def test_evaluate_for_people_compares_with_the_first(
    capsys: pytest.CaptureFixture[str], folder: Path, plugin: Calls
) -> None:
    specs = ["as-given", "as-given >> by-length", "as-given >> faulty"]
    assert main(["evaluate", str(folder), "-p", *specs, "-m", "RR"]) == 0
    out = capsys.readouterr().out

    assert "my corpus · 3 documents · 2 queries" in out
    assert "against as-given, on the 2 queries that all answered" in out
    assert "1 wins, 1 losses, 0 ties" in out
    assert "as-given >> faulty: 0 of 2 answered (2 failed)" in out
    assert "no such luck" in out


def test_evaluate_that_answers_nothing_exits_2(
    capsys: pytest.CaptureFixture[str], folder: Path, plugin: Calls
) -> None:
    code = main(["evaluate", str(folder), "-p", "as-given >> faulty", "-m", "RR", "--json"])
    shown = capsys.readouterr()

    assert code == 2
    assert json.loads(shown.out)["results"][0]["measures"] == {"RR": None}
    assert "no such luck" in json.loads(shown.err)["message"]


def test_an_interrupted_evaluation_goes_on(
    folder: Path, tmp_path: Path, plugin: Calls, home: Path
) -> None:
    module = tmp_path / "site" / "lab_test_plugin.py"
    # The second query takes long, but only the first time: no busy machine ends before the signal.
    slow = """CALLS.append(("search", query.text))
        import pathlib, time
        held = pathlib.Path(__file__).with_name("held")
        if query.text == "what purrs" and not held.exists():
            held.touch()
            time.sleep(20)"""
    text = module.read_text().replace('CALLS.append(("search", query.text))', slow)
    module.write_text(text)
    paths = os.pathsep.join([str(tmp_path / "site"), str(REPOSITORY)])
    env = os.environ | {"PYTHONPATH": paths, "RERANK_LAB_HOME": str(home)}
    given = [sys.executable, "-m", "rerank_lab", "evaluate", str(folder), "-p", "as-given"]
    child = subprocess.Popen(
        [*given, "-m", "RR", "--json"],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A shell that runs the tests in the background has them ignore the interrupt.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not any(one.cells for one in list_experiments(home)):
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)

    assert child.returncode == 130, err
    assert out == b""
    assert json.loads(err)["error"] == "cancelled"
    done = subprocess.run([*given, "-m", "RR", "--json"], env=env, capture_output=True, timeout=60)
    assert json.loads(done.stdout)["results"][0]["status"]["ok"] == 2


@pytest.mark.data
def test_bm25_on_scifact_is_as_published(
    capsys: pytest.CaptureFixture[str], data_folder: Path
) -> None:
    shown = run_json(capsys, "evaluate", str(data_folder / "scifact"), "-p", "bm25(k1=0.9,b=0.4)")
    (found,) = shown["results"]
    assert found["queries"] == 300
    assert found["measures"]["nDCG@10"] >= 0.67


def test_queries_that_are_documents_are_left_out_and_it_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"_id": "a", "text": "moon rocks"}, {"_id": "b", "text": "moon dust"}]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "corpus.jsonl").write_text(lines)
    (tmp_path / "queries.jsonl").write_text(lines)
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\na\tb\t1\nb\ta\t1\n")
    asked = ("evaluate", str(tmp_path), "-p", "bm25", "-m", "RR@10")
    evaluated = run_json(capsys, *asked)
    assert evaluated["results"][0]["measures"]["RR@10"] == 1.0
    assert evaluated["excluding"] == 2
    assert main(list(asked)) == 0
    assert "2 queries exclude documents" in capsys.readouterr().out
    kept = run_json(capsys, *asked, "--no-exclude-identical")
    assert kept["results"][0]["measures"]["RR@10"] == 0.5


def test_runs_and_values_of_each_query_are_written(
    capsys: pytest.CaptureFixture[str], folder: Path, tmp_path: Path, plugin: Calls
) -> None:
    """A run file measured again gives what the evaluation gave."""
    specs = ["as-given", "as-given >> by-length"]
    runs, values = tmp_path / "runs", tmp_path / "values.csv"
    asked = ["evaluate", str(folder), "-p", *specs, "-m", "RR", "nDCG@10"]
    done = run_json(capsys, *asked, "--runs", str(runs), "--per-query", str(values))

    assert sorted(file.name for file in runs.iterdir()) == [
        "1-as-given.trec", "2-as-given-by-length.trec",
    ]  # fmt: skip
    for place, file in enumerate(sorted(runs.iterdir())):
        again = run_json(
            capsys, "measure", str(folder / "qrels.tsv"), str(file), "-m", "RR", "nDCG@10"
        )
        assert again["measures"] == done["results"][place]["measures"]
    rows = list(csv.DictReader(values.open()))
    assert [(row["query_id"], row["pipeline"], row["RR"], row["difference"]) for row in rows] == [
        ("q1", specs[0], "0.5", ""), ("q1", specs[1], "1.0", "0.5"),
        ("q2", specs[0], "1.0", ""), ("q2", specs[1], "0.5", "-0.5"),
    ]  # fmt: skip
    as_json, table = tmp_path / "values.json", tmp_path / "results.tex"
    run_json(capsys, *asked, "--per-query", str(as_json), "--table", str(table))
    assert "as-given \\textgreater{}\\textgreater{} by-length & 0.750" in table.read_text()
    first = json.loads(as_json.read_text())["queries"][1]
    assert (first["query_id"], first["measures"]["RR"], first["difference"]) == ("q1", 1.0, 0.5)


def test_a_place_that_cannot_be_written_is_refused_before_any_work(
    capsys: pytest.CaptureFixture[str], folder: Path, tmp_path: Path, plugin: Calls
) -> None:
    asked = ["evaluate", str(folder), "-p", "as-given"]
    missing = str(tmp_path / "nowhere" / "values.csv")
    assert "there is no folder" in fail_json(capsys, *asked, "--per-query", missing)["message"]
    unknown = str(tmp_path / "results.doc")
    assert "what kind of file" in fail_json(capsys, *asked, "--table", unknown)["message"]
    taken = str(folder / "qrels.tsv")
    assert "is a file" in fail_json(capsys, *asked, "--runs", taken)["message"]
    assert plugin == []


def test_documents_and_passages_are_counted_apart(
    capsys: pytest.CaptureFixture[str], folder: Path, plugin: Calls
) -> None:
    long = {"_id": "cut", "title": "", "text": "Cats sleep. " * 60}
    with (folder / "corpus.jsonl").open("a") as stream:
        stream.write(json.dumps(long) + "\n")
    asked = ["corpora", "import", str(folder), "--name", "cut", "--passages", "32"]
    assert main(asked) == 0
    size = re.search(r"4 documents \((\d+) passages\)", capsys.readouterr().out)
    assert size is not None
    assert int(size[1]) > 4
    assert main(["evaluate", "cut", "-p", "as-given", "-m", "RR"]) == 0
    assert f"cut · {size[0]} · 2 queries" in capsys.readouterr().out
