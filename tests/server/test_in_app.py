"""The app as a process of its own, with the API on its port."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import fail_json
from tests.server.conftest import QUERY, SCORES, TEXTS

KEY = "a-key-of-thirty-two-characters-00"


def ask(url: str, body: Any = None, **headers: str) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"} | headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.read()


def status_of(url: str, body: Any = None, **headers: str) -> int:
    try:
        ask(url, body, **headers)
    except urllib.error.HTTPError as error:
        return error.code
    return 200


@contextmanager
def app(home: Path, *options: str) -> Iterator[str]:
    """The address of a running `rerank-lab app` with these options."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "rerank_lab", "app", *options]
    command += ["--server.port", str(port), "--server.headless", "true"]
    env = os.environ | {"RERANK_LAB_HOME": str(home), "HF_HUB_OFFLINE": "1"}
    log = home.parent / "app.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=env, stdout=out, stderr=subprocess.STDOUT)
    try:
        url = f"http://localhost:{port}"
        ends = time.monotonic() + 60
        while True:
            try:
                assert ask(f"{url}/_stcore/health") == b"ok"
                break
            except OSError:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < ends, log.read_text()
                time.sleep(0.1)
        yield url
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    finally:
        process.kill()
        process.wait(10)


def test_page_and_api_are_on_one_port(home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    keys = home.parent / "keys.txt"
    keys.write_text(KEY + "\n")
    options = ("--serve", "bm25  >> overlap", "--serve-corpus", "helpdesk")
    with app(home, *options, "--api-key-file", str(keys)) as url:
        assert b"<title>" in ask(url + "/")
        assert status_of(url + "/health") == 200
        body = {"query": QUERY, "documents": TEXTS}
        assert status_of(url + "/v2/rerank", body) == 401
        bearer = {"Authorization": f"Bearer {KEY}"}
        answer = json.loads(ask(url + "/v2/rerank", body, **bearer))
        assert answer["model"] == "bm25 >> overlap"
        scores = {result["index"]: result["relevance_score"] for result in answer["results"]}
        assert scores == pytest.approx(SCORES)
        search = json.loads(ask(url + "/v1/search", {"query": "password", "top_n": 2}, **bearer))
        assert len(search["hits"]) == 2


def test_an_app_that_was_not_asked_to_serves_nothing(home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    with app(home) as url:
        assert b"<title>" in ask(url + "/")
        # Streamlit answers every other address with its page, and takes no POST there.
        assert status_of(url + "/v2/rerank", {"query": QUERY, "documents": TEXTS}) == 405
        assert b"<title>" in ask(url + "/v1/models")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--serve", "bm25 >> nothing"], "nothing"),
        (["--serve", "bm25"], "has no reranker"),
        (["--serve-corpus", "helpdesk"], "nothing to serve"),
        (["--serve", "bm25 >> overlap", "--api-key-file", "no-such"], "no key file"),
    ],
)
def test_what_cannot_be_served_stops_the_app_at_once(
    capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert message in fail_json(capsys, "app", *words)["message"]
