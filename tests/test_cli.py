from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rerank_lab import saved
from rerank_lab.cli import main
from rerank_lab.engine import default_engine
from rerank_lab.testing_servers import KEY, FakeProvider

REPOSITORY = Path(__file__).resolve().parent.parent
Calls = list[tuple[str, object]]


@pytest.fixture(autouse=True)
def fresh_process(home: Path) -> Iterator[None]:
    default_engine.cache_clear()
    yield
    default_engine.cache_clear()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small judged corpus in BEIR's layout; `long` answers q1, `short` answers q2."""
    made = tmp_path / "my corpus"
    made.mkdir()
    documents = [
        {"_id": "short", "title": "Cats", "text": "Cats purr."},
        {"_id": "long", "title": "Dogs", "text": "Dogs bark at the moon all night long."},
        {"_id": "other", "title": "", "text": "Fish are quiet."},
    ]
    queries = [{"_id": "q1", "text": "loud dogs"}, {"_id": "q2", "text": "what purrs"}]
    (made / "corpus.jsonl").write_text("".join(json.dumps(d) + "\n" for d in documents))
    (made / "queries.jsonl").write_text("".join(json.dumps(q) + "\n" for q in queries))
    (made / "qrels.tsv").write_text(
        "query-id\tcorpus-id\tscore\nq1\tlong\t2\nq1\tshort\t0\nq2\tshort\t1\n"
    )
    return made


def run_json(capsys: pytest.CaptureFixture[str], *given: str) -> Any:
    code = main([*given, "--json"])
    shown = capsys.readouterr()
    assert code == 0, shown.err
    assert shown.err == ""
    return json.loads(shown.out)


def fail_json(capsys: pytest.CaptureFixture[str], *given: str) -> dict[str, Any]:
    code = main([*given, "--json"])
    shown = capsys.readouterr()
    assert code == 2
    assert shown.out == ""
    found: dict[str, Any] = json.loads(shown.err)
    assert {"error", "message", "hint"} <= set(found)
    assert found["hint"]
    return found


def test_rank_gives_the_promised_json(
    capsys: pytest.CaptureFixture[str], folder: Path, plugin: Calls
) -> None:
    specs = ["as-given", "as-given >> by-length(top=2)"]
    shown = run_json(capsys, "rank", str(folder), "loud dogs", "-p", *specs)

    first, second = shown["rankings"]
    assert [one["pipeline"] for one in shown["rankings"]] == specs
    assert first["scale"] == "count"
    assert first["hits"][0] == {"rank": 1, "doc_id": "short", "score": 3.0}
    assert [hit["doc_id"] for hit in second["hits"]] == ["long", "short", "other"]
    assert second["scale"] == "characters"
    assert second["hits"][2] == {"rank": 3, "doc_id": "other", "score": None}
    assert second["trace"]["compute_s"] > 0
    assert second["status"] == "ok"


def test_rank_for_people_shows_moves_grades_titles_and_the_scale(
    capsys: pytest.CaptureFixture[str],
    folder: Path,
    plugin: Calls,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    specs = ["as-given >> by-length(top=2)", "as-given"]
    code = main(["rank", str(folder), " Loud dogs", "-p", specs[0], "-p", specs[1]])
    lines = capsys.readouterr().out.splitlines()

    assert code == 0
    assert lines[0] == specs[0]
    assert "3 documents" in lines[1]
    assert "score: characters" in lines[1]
    assert lines[2].startswith("   1  ▲1      42.000  [2]  long")
    assert lines[2].endswith("Dogs — Dogs bark at the moon all night long.")
    assert "▼1" in lines[3]
    assert "[0]" in lines[3]
    assert "=" in lines[4]
    assert specs[1] in lines
    assert "▲" not in "".join(lines[lines.index(specs[1]) :])


def test_rank_top_limits_the_hits(
    capsys: pytest.CaptureFixture[str], folder: Path, plugin: Calls
) -> None:
    shown = run_json(capsys, "rank", str(folder), "x", "-p", "as-given", "-k", "2")
    assert len(shown["rankings"][0]["hits"]) == 2


def test_rank_answers_in_the_shapes_of_other_tools(
    capsys: pytest.CaptureFixture[str], folder: Path, plugin: Calls
) -> None:
    specs = ["as-given >> by-length", "as-given >> mmr", "as-given >> faulty"]
    given = ["rank", str(folder), "loud dogs", "-p", *specs, "-k", "2", "--format"]

    assert main([*given, "rerankers"]) == 2
    shown = capsys.readouterr()
    first, second = [json.loads(line) for line in shown.out.splitlines()]
    assert (first["query"], first["has_scores"], second["has_scores"]) == ("loud dogs", True, False)
    assert [one["document"]["doc_id"] for one in first["results"]] == ["long", "short"]
    assert first["results"][0]["document"]["text"].startswith("Dogs Dogs bark")
    assert shown.err.count("error: ") == 1
    assert "no such luck" in shown.err

    assert main([*given, "cohere", "--json"]) == 2
    shown = capsys.readouterr()
    (only,) = [json.loads(line) for line in shown.out.splitlines()]
    assert [one["index"] for one in only["results"]] == [1, 0]
    kinds = [json.loads(line)["error"] for line in shown.err.splitlines()]
    assert kinds == ["invalid_input", "backend_error"]


def test_a_document_cannot_command_the_terminal(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, plugin: Calls
) -> None:
    file = tmp_path / "hostile.jsonl"
    text = "\x1b[2J\x1b]0;owned\x07 line\nbreak \u202e reversed"
    file.write_text(json.dumps({"id": "a", "text": text}) + "\n")

    assert main(["rank", str(file), "line", "-p", "as-given"]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\x07" not in out
    assert "\u202e" not in out
    assert "break" in out


def test_a_failing_pipeline_leaves_the_others_and_exits_2(
    capsys: pytest.CaptureFixture[str], folder: Path, plugin: Calls
) -> None:
    specs = ["as-given >> faulty", "as-given"]
    code = main(["rank", str(folder), "dogs", "-p", *specs, "--json"])
    shown = capsys.readouterr()
    broken, good = json.loads(shown.out)["rankings"]

    assert code == 2
    assert broken["hits"] == []
    assert broken["scale"] is None
    assert broken["error"]["error"] == "backend_error"
    assert len(good["hits"]) == 3
    error = json.loads(shown.err)
    assert "no such luck" in error["message"]
    assert "Traceback" not in shown.err
    assert main(["rank", str(folder), "dogs", "-p", *specs]) == 2
    people = capsys.readouterr()
    assert "error: The stage faulty failed" in people.err
    assert "hint: " in people.err
    assert "Traceback" not in people.err + people.out


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


def test_measure_gives_the_promised_json(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "qrels").write_text("q1 0 a 1\nq1 0 b 0\nq2 0 a 1\n")
    (tmp_path / "run").write_text("q1 Q0 b 1 2.5 tag\nq1 Q0 a 2 1.5 tag\nq9 Q0 a 1 1 tag\n")
    given = ["measure", str(tmp_path / "qrels"), str(tmp_path / "run"), "-m", "RR", "P@5"]

    whole = run_json(capsys, *given)
    assert whole["measures"] == {"RR": 0.25, "P@5": 0.1}
    assert whole["per_query"]["q1"] == {"RR": 0.5, "P@5": 0.2}
    assert whole["missing"] == ["q2"]
    assert whole["unjudged"] == ["q9"]
    part = run_json(capsys, *given, "--no-complete")
    assert part["measures"] == {"RR": 0.5, "P@5": 0.2}
    assert list(part["per_query"]) == ["q1"]


def test_measure_for_people(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "qrels").write_text("q1 0 a 1\nq2 0 a 1\n")
    (tmp_path / "run").write_text("q1 Q0 a 1 2.5 tag\n")
    given = ["measure", str(tmp_path / "qrels"), str(tmp_path / "run"), "-m", "RR"]

    assert main(given) == 0
    out = capsys.readouterr().out
    assert "0.5000" in out
    assert "1 judged queries have no ranking (counted as 0): q2" in out
    assert main([*given, "--per-query"]) == 0
    assert ["q1", "1.0000"] in [line.split() for line in capsys.readouterr().out.splitlines()]


def test_tied_scores_of_a_run_file_fall_as_in_trec_eval(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "qrels").write_text("q1 0 a 1\n")
    (tmp_path / "run").write_text("q1 Q0 a 1 1.0 tag\nq1 Q0 z 2 1.0 tag\n")

    shown = run_json(capsys, "measure", f"{tmp_path}/qrels", f"{tmp_path}/run", "-m", "RR", "RR@10")
    assert shown["measures"] == {"RR": 0.5, "RR@10": 0.5}


@pytest.mark.parametrize(
    ("given", "kind", "says"),
    [
        ([], "invalid_input", "COMMAND"),
        (["fly"], "invalid_input", "fly"),
        (["rank", "helpdesk"], "invalid_input", "QUERY"),
        (["rank", "helpdesk", "x"], "invalid_input", "--pipeline"),
        (["rank", "helpdesk", " ", "-p", "bm25"], "invalid_input", "empty"),
        (["rank", "helpdesk", "x", "-p", "bm52"], "invalid_input", "bm25"),
        (["rank", "helpdesk", "x", "-p", "bm25 >>"], "invalid_input", "character"),
        (["rank", "helpdesk", "x", "-p", "bm25", "--tpo", "3"], "invalid_input", "--tpo"),
        (["rank", "helpdesk", "x", "-p", "bm25", "-k", "0"], "invalid_input", "above 0"),
        (["rank", "helpdesc", "x", "-p", "bm25"], "invalid_input", "helpdesc"),
        (["evaluate", "helpdesk", "-p", "bm25", "-m", "nDGC@3"], "invalid_input", "nDCG"),
        (["evaluate", "helpdesk", "-p", "bm25", "--qrels", "no/file"], "invalid_input", "no/file"),
        (["measure", "no-qrels", "no-run"], "invalid_input", "no-qrels"),
        (["corpora", "delete", "never-there"], "invalid_input", "never-there"),
        (["corpora", "import", "no/such/file", "--name", "x"], "invalid_input", "no/such/file"),
    ],
)
def test_every_misuse_is_one_json_line_on_standard_error(
    capsys: pytest.CaptureFixture[str], given: list[str], kind: str, says: str
) -> None:
    found = fail_json(capsys, *given)

    assert found["error"] == kind
    assert says in found["message"] + found["hint"]


def test_errors_for_people_list_every_problem(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "qrels").write_text("q1 0 a 1\nq2 0 a\nq3 0 a x\n")
    (tmp_path / "run").write_text("q1 Q0 a 1 2.5 tag\n")

    assert main(["measure", f"{tmp_path}/qrels", f"{tmp_path}/run"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: qrels is not a valid judgment file.")
    assert "line 2" in err
    assert "line 3" in err
    assert "\nhint: " in err


def test_an_unexpected_fault_is_an_error_without_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import rerank_lab.cli.manage as manage

    def burst(*_: object) -> int:
        raise ZeroDivisionError("deep inside")

    monkeypatch.setattr(manage, "corpora", burst)
    found = fail_json(capsys, "corpora")
    assert found["error"] == "backend_error"
    assert "deep inside" in found["message"]


def test_ctrl_c_exits_130(capsys: pytest.CaptureFixture[str], plugin: Calls, folder: Path) -> None:
    module = sys.modules["lab_test_plugin"]

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    module.AsGiven._search = interrupt  # type: ignore[attr-defined]
    for command in (["rank", str(folder), "x"], ["evaluate", str(folder)]):
        assert main([*command, "-p", "as-given", "--json"]) == 130
        shown = capsys.readouterr()
        assert shown.out == ""
        assert json.loads(shown.err)["error"] == "cancelled"


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


def test_a_broken_plugin_is_a_row_and_a_problem(
    capsys: pytest.CaptureFixture[str], plugin: Calls
) -> None:
    rows = {one["name"]: one for one in run_json(capsys, "models")["components"]}
    assert "ThereIsNoSuchName" in rows["broken"]["error"]
    assert rows["by-length"]["options"] == {"top": 100, "sign": 1}

    assert main(["doctor"]) == 1
    assert "reranker broken" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["rank", "evaluate", "measure", "corpora", "models", "doctor"])
def test_every_command_has_help(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert main([command, "--help"]) == 0
    assert "--json" in capsys.readouterr().out


def command(*given: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rerank_lab", *given],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=REPOSITORY,
        **options,
    )


def test_as_a_program() -> None:
    start = time.monotonic()
    shown = command("--help")
    seconds = time.monotonic() - start

    assert shown.returncode == 0
    assert "evaluate" in shown.stdout
    assert seconds < 3  # half a second on an idle machine
    failed = command("rank", "no-such-corpus", "x", "-p", "bm25", "--json")
    assert failed.returncode == 2
    assert json.loads(failed.stderr)["error"] == "invalid_input"
    assert failed.stdout == ""


def test_help_loads_nothing_but_the_parser() -> None:
    code = "import sys; from rerank_lab.cli import main; main(['--help']); print(*sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    modules = shown.stdout.splitlines()[-1].split()
    assert not {"numpy", "rerank_lab.pipeline", "rerank_lab.corpora"} & set(modules)


def test_a_closed_pipe_is_no_error() -> None:
    shown = subprocess.run(
        f"{sys.executable} -m rerank_lab rank helpdesk printer -p bm25 --json | head -c 20",
        shell=True,
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        timeout=120,
    )
    assert shown.stdout == '{"rankings": [{"pipe'
    assert "Error" not in shown.stderr
    assert "Traceback" not in shown.stderr


def test_output_survives_a_terminal_without_unicode(folder: Path) -> None:
    env = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    given = ["rank", str(folder), "dogs", "-p", "bm25 >> identity"]
    shown = command(*given, env=env)
    assert shown.returncode == 0, shown.stderr
    assert "Dogs" in shown.stdout


def test_an_interrupted_evaluation_goes_on(
    folder: Path, tmp_path: Path, plugin: Calls, home: Path
) -> None:
    module = tmp_path / "site" / "lab_test_plugin.py"
    slow = 'CALLS.append(("search", query.text))\n        import time; time.sleep(1.0)'
    text = module.read_text().replace('CALLS.append(("search", query.text))', slow)
    module.write_text(text)
    paths = os.pathsep.join([str(tmp_path / "site"), str(REPOSITORY)])
    env = os.environ | {"PYTHONPATH": paths, "RERANK_LAB_HOME": str(home)}
    given = [sys.executable, "-m", "rerank_lab", "evaluate", str(folder), "-p", "as-given"]
    child = subprocess.Popen(
        [*given, "-m", "RR", "--json"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    cells = home / "experiments"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not any(
        file.stat().st_size for file in cells.glob("*/cells.jsonl")
    ):
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)

    assert child.returncode == 130, err
    assert out == b""
    assert json.loads(err)["error"] == "cancelled"
    done = subprocess.run([*given, "-m", "RR", "--json"], env=env, capture_output=True, timeout=60)
    assert json.loads(done.stdout)["results"][0]["status"]["ok"] == 2


def test_app_starts_the_server_and_passes_options_on(home: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    given = ["app", "--server.port", str(port), "--server.headless", "true"]
    child = subprocess.Popen(
        [sys.executable, "-m", "rerank_lab", *given],
        env=os.environ | {"RERANK_LAB_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        deadline = time.monotonic() + 60
        answer = b""
        while time.monotonic() < deadline and child.poll() is None and not answer:
            try:
                answer = urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health").read()
            except OSError:
                time.sleep(0.2)
        assert answer == b"ok"
    finally:
        child.terminate()
        out, _ = child.communicate(timeout=30)
    assert b"Traceback" not in out


@pytest.mark.data
def test_bm25_on_scifact_is_as_published(
    capsys: pytest.CaptureFixture[str], data_folder: Path
) -> None:
    shown = run_json(capsys, "evaluate", str(data_folder / "scifact"), "-p", "bm25(k1=0.9,b=0.4)")
    (found,) = shown["results"]
    assert found["queries"] == 300
    assert found["measures"]["nDCG@10"] >= 0.67


@pytest.mark.data
def test_measure_agrees_with_trec_eval_from_the_command_line(
    capsys: pytest.CaptureFixture[str], data_folder: Path
) -> None:
    test = data_folder / "eval-parity" / "trec_eval" / "test"
    shown = run_json(
        capsys, "measure", f"{test}/qrels.test", f"{test}/results.test", "-m", "AP", "nDCG@10"
    )
    assert round(shown["measures"]["AP"], 4) == 0.1785
    assert round(shown["per_query"]["302"]["nDCG@10"], 4) == 0.7530


def test_a_comparison_is_recorded_with_a_key_and_replayed_without(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("RERANK_LAB_ALLOW_PRIVATE_URLS", "1")
    monkeypatch.setenv("RERANK_LAB_KEY_HOSTS", "127.0.0.1")
    monkeypatch.setenv("COHERE_API_KEY", KEY)
    kept = tmp_path / "kept.jsonl"
    with FakeProvider("cohere") as server:
        asked = ("rank", str(folder), "loud dogs", "-p", f'bm25 >> cohere(base_url="{server.url}")')
        first = run_json(capsys, *asked, "--record", str(kept))
    monkeypatch.delenv("COHERE_API_KEY")
    monkeypatch.delenv("RERANK_LAB_ALLOW_PRIVATE_URLS")
    default_engine.cache_clear()
    again = run_json(capsys, *asked, "--replay", str(kept))
    assert again["rankings"][0]["hits"] == first["rankings"][0]["hits"]
    assert KEY.encode() not in kept.read_bytes()
    assert saved.find(saved.add(kept.read_bytes())) is not None
    other = fail_json(capsys, "rank", "helpdesk", "loud dogs", "-p", "bm25", "--replay", str(kept))
    assert "other documents" in other["message"]
    assert "both" in fail_json(capsys, *asked, "--record", "a", "--replay", "b")["message"]
    assert "cannot be read" in fail_json(capsys, *asked, "--replay", "no/such")["message"]


def test_a_spend_limit_stops_before_it_is_passed(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RERANK_LAB_ALLOW_PRIVATE_URLS", "1")
    monkeypatch.setenv("RERANK_LAB_KEY_HOSTS", "127.0.0.1")
    monkeypatch.setenv("COHERE_API_KEY", KEY)
    with FakeProvider("cohere") as server:
        spec = f'bm25 >> cohere(base_url="{server.url}",price=0.002)'
        told = fail_json(
            capsys, "rank", str(folder), "loud dogs", "-p", spec, "--spend-limit", "0.001"
        )
        assert told["error"] == "spend_limit"
        assert server.requests == []
        evaluated = ("evaluate", str(folder), "-p", spec, "--spend-limit", "0.003")
        shown = run_json(capsys, *evaluated)["results"][0]
        assert len(server.requests) == 1
        assert shown["status"]["failed"] == 1
        assert main([*evaluated[:4], "--no-cache"]) == 0
        assert "asks for up to 2 requests, about 2 search units" in capsys.readouterr().err
    wrong = fail_json(capsys, "rank", str(folder), "x", "-p", "bm25", "--spend-limit", "-1")
    assert "not an amount of 0 or more" in wrong["message"]
