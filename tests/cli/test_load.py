"""`rerank-lab load`: pipelines, and a server at an address."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from rerank_lab.cli import main
from rerank_lab.corpora import load_corpus
from rerank_lab.evaluation.experiments import plan, run
from rerank_lab.evaluation.load.study import LoadStudy
from rerank_lab.remote.urls import ALLOW_PRIVATE
from rerank_lab.services.load import load_studies
from tests.cli.conftest import fail_json, run_json

FAST = ("--rate", "120", "--seconds", "0.25")


class _Rerank(BaseHTTPRequestHandler):
    """Accepts what holds a query and three documents, with a key."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        keyed = self.headers["Authorization"] == "Bearer secret"
        fits = keyed and body["query"] and len(body["documents"]) == 3
        self.send_response(200 if fits else 403)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def address() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Rerank) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/rerank"
        server.shutdown()


def test_a_pipeline_is_measured_as_json_and_in_words(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = run_json(
        capsys,
        "load",
        str(folder),
        "-p",
        "bm25 >> overlap",
        *FAST,
        "--p95",
        "500ms",
        "--tries",
        "1",
    )
    study = LoadStudy.from_json(answer["studies"][0])
    assert (study.bound, study.within) == (0.5, True)
    assert study.at_rate is not None
    assert study.at_rate.answered == study.at_rate.due
    assert main(["load", str(folder), "-p", "bm25", *FAST]) == 0
    words = capsys.readouterr().out
    assert "half of the answers come within" in words
    assert "core" in words


def test_an_experiment_gets_studies_of_its_own_pipelines_only(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment = plan(load_corpus(str(folder)), ["bm25(k=2)"])
    run(experiment)
    call = ("load", str(folder), "--experiment", experiment.id, *FAST)
    assert [one["pipeline"] for one in run_json(capsys, *call)["studies"]] == ["bm25(k=2)"]
    assert len(load_studies(experiment.id)) == 1
    assert "no pipeline bm25" in fail_json(capsys, *call, "-p", "bm25")["message"]


def test_a_server_is_measured_at_its_address(
    folder: Path, address: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = fail_json(capsys, "load", str(folder), "--address", address, *FAST)
    assert ALLOW_PRIVATE in closed["hint"]
    monkeypatch.setenv(ALLOW_PRIVATE, "1")
    monkeypatch.setenv("MY_KEY", "secret")
    call = ("load", str(folder), "--address", address, *FAST, "--workers", "3")
    study = run_json(capsys, *call, "--key-variable", "MY_KEY")["studies"][0]
    assert study["steps"][0]["answered"] == study["steps"][0]["due"] > 5
    assert study["pipeline"] == address
    refused = run_json(capsys, *call)["studies"][0]
    assert refused["steps"][0]["failed"] == refused["steps"][0]["due"]
    assert "403" in refused["errors"][0]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ((), "address"),
        (("-p", "bm25", "--rate", "0"), "rate"),
        (("-p", "bm25", "--p95", "soon"), "300ms"),
    ],
)
def test_what_cannot_be_measured_is_said_at_once(
    folder: Path, more: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    error = fail_json(capsys, "load", str(folder), *more)
    assert message in error["message"] + error["hint"]
