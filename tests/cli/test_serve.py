"""`rerank-lab serve`: what stops it before it listens, and that it answers and ends well."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from rerank_lab.server.pipelines import read_config
from tests.cli.conftest import fail_json


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "either a pipeline or a --config"),
        (["bm25"], "has no reranker"),
        (["bm25 >> mmr"], "an order without scores"),
        (["bm25 >> nothing"], "nothing"),
        (["bm25 >> cohere"], "COHERE_API_KEY"),
        (["bm25 >> overlap", "--port", "99999"], "99999 is no port: they go from 0 to 65535"),
        (["bm25 >> overlap", "--api-key-file", "no-such"], "no key file"),
        (["--config", "no-such.yaml"], "no file"),
    ],
)
def test_what_cannot_be_served_is_said_at_once(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    message: str,
) -> None:
    monkeypatch.delenv("COHERE_API_KEY", raising=False)
    port = [] if "--port" in words else ["--port", "0"]
    assert message in fail_json(capsys, "serve", *words, *port)["message"]


def test_a_port_that_is_taken_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        error = fail_json(capsys, "serve", "bm25 >> overlap", "--port", port)
    assert f"port {port}: " in error["message"]
    assert "another --port" in error["hint"]


def test_a_config_file_names_pipelines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "served.yaml"
    file.write_text('pipelines:\n  a: "bm25 >> overlap"\n  b/2: bm25 >> overlap(top=5)\n')
    assert read_config(str(file)) == {"a": "bm25 >> overlap", "b/2": "bm25 >> overlap(top=5)"}
    for text in (
        "",
        "pipelines: []",
        "pipelines: {a: 3}",
        "other: {}",
        "pipelines: {' a': x}",
        "[",
    ):
        file.write_text(text)
        error = fail_json(capsys, "serve", "--config", str(file))
        assert "served.yaml cannot be used" in error["message"]


def test_it_answers_and_ends_when_asked(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "served.yaml"
    file.write_text("pipelines: {words: bm25 >> overlap}\n")
    command = [sys.executable, "-m", "rerank_lab", "serve", "--config", str(file), "--port", "0"]
    env = {**os.environ, "RERANK_LAB_HOME": str(home)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=env) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        address = re.search(r"serving words at (http://127.0.0.1:\d+);", line)
        assert address is not None, line
        body = json.dumps({"query": "pump", "texts": ["a pump", "bread"]}).encode()
        request = urllib.request.Request(
            f"{address[1]}/rerank", body, {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            answer = json.load(response)
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert answer == [{"index": 0, "score": 1.0}, {"index": 1, "score": 0.0}]
    assert '"route": "/rerank", "status": 200, "documents": 2' in rest
    # Where the tests run in the background of a shell, programs begin with this signal ignored; the
    # server hears it all the same, and has nothing left to die of when it is done.
    assert process.returncode in (0, 130)
