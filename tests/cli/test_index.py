"""`rerank-lab index`: what it builds, what it says, and that a kill costs nothing that was made."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from rerank_lab.cli import main
from rerank_lab.core.paths import data_home
from tests.cli.conftest import run_json


def test_each_index_is_built_once_and_shared(capsys: pytest.CaptureFixture[str]) -> None:
    specs = ["bm25(k=7) >> overlap", "bm25", "rm3", "rank-bm25"]
    shown = run_json(capsys, "index", "helpdesk", "-p", *specs)
    assert [index["retriever"] for index in shown["indexes"]] == ["bm25(k=7)", "rm3"]
    assert all(index["built"] and index["size"] > 1000 for index in shown["indexes"])
    assert all(Path(index["folder"]).is_dir() for index in shown["indexes"])
    [without] = shown["left_out"]
    assert without["reason"] == "it keeps no index on the disk"
    again = run_json(capsys, "index", "helpdesk")
    assert [index["retriever"] for index in again["indexes"]] == ["bm25"]
    assert not again["indexes"][0]["built"]
    assert again["indexes"][0]["folder"] == shown["indexes"][0]["folder"]
    assert main(["index", "helpdesk"]) == 0
    assert "bm25: was there, opened in" in capsys.readouterr().out


def test_a_first_stage_that_cannot_be_built_does_not_stop_the_others(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = main(["index", "helpdesk", "--json", "-p", 'dense(model="/no/such/folder")', "bm25"])
    out, errors = capsys.readouterr()
    shown = json.loads(out)
    assert code == 2
    assert [index["retriever"] for index in shown["indexes"]] == ["bm25"]
    assert shown["left_out"][0]["reason"]
    assert "/no/such/folder" in json.loads(errors)["message"]


def vectors_in(home: Path) -> dict[bytes, int]:
    """Content hash -> row id of the vectors that are stored; a vector made anew has another."""
    files = list((home / "embeddings").glob("*.sqlite"))
    if not files:
        return {}
    with closing(sqlite3.connect(files[0])) as database:
        try:
            return dict(database.execute("SELECT content, rowid FROM vectors").fetchall())
        except sqlite3.OperationalError:
            return {}


@pytest.mark.models
def test_an_index_that_was_killed_goes_on_where_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rows.jsonl"
    lines = (json.dumps({"id": f"d{n}", "text": f"word{n} topic{n % 9}"}) for n in range(700))
    file.write_text("\n".join(lines))
    assert main(["corpora", "import", str(file), "--name", "mine"]) == 0
    command = [sys.executable, "-m", "rerank_lab", "index", "mine", "-p", "dense"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ.copy()) as process:
        end = time.monotonic() + 120
        while not (kept := vectors_in(data_home())) and time.monotonic() < end:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    kept |= vectors_in(data_home())
    assert 256 <= len(kept) < 700
    assert not list((data_home() / "indexes").glob("*/dense-*/manifest.json"))
    capsys.readouterr()
    [index] = run_json(capsys, "index", "mine", "-p", "dense")["indexes"]
    assert index["built"]
    after = vectors_in(data_home())
    assert len(after) == 700
    assert {content: after[content] for content in kept} == kept
    [again] = run_json(capsys, "index", "mine", "-p", "dense")["indexes"]
    assert not again["built"]
