"""The program from outside: help, start-up, pipes, terminals and `rerank-lab app`."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from rerank_lab.cli import main

REPOSITORY = Path(__file__).resolve().parents[2]


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
    assert not {"numpy", "rerank_lab.pipeline.pipeline", "rerank_lab.corpora"} & set(modules)


def test_ranking_by_words_loads_what_it_needs(tmp_path: Path) -> None:
    code = (
        "import sys; from rerank_lab.cli import main; "
        "main(['rank', 'helpdesk', 'printer', '-p', 'bm25']); print(*sys.modules)"
    )
    env = os.environ | {"RERANK_LAB_HOME": str(tmp_path)}
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    modules = set(shown.stdout.splitlines()[-1].split())
    assert "rerank_lab.retrievers.bm25" in modules
    heavy = {"sqlalchemy", "scipy", "torch", "onnxruntime", "pandas", "pyarrow", "httpcore", "lxml"}
    assert not heavy & modules
    assert not {"rerank_lab.rerankers.llm.base", "rerank_lab.rerankers.hosted.base"} & modules


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
