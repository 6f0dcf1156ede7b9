"""Downloading, against a small hub of our own that speaks the client's protocol."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.models.tiny import save_cross_encoder

COMMIT = "a" * 40
PROGRAM = """
import json, sys
from rerank_lab.core.context import CancelToken, Context
from rerank_lab.core.errors import LabError
from rerank_lab.models import ModelOptions, availability, open_scorer

token, seen = CancelToken(), []
def note(progress):
    seen.append([progress.message, progress.done, progress.total])
    if sys.argv[1] == "cancel" and progress.done:
        token.cancel()

before = availability("tiny/model").state
try:
    options = ModelOptions(device="cpu", backend="torch")
    scorer = open_scorer("tiny/model", Context(progress=note, cancel=token), options)
    scores = scorer.score("the capital of France", ["Paris", "Berlin"], Context())
    error = ""
except LabError as caught:
    scores, error = [], caught.kind + ": " + caught.message
after = availability("tiny/model").state
found = {"before": before, "after": after, "seen": seen, "scores": scores, "error": error}
print(json.dumps(found))
"""


class Hub(BaseHTTPRequestHandler):
    folder: Path
    asked: list[str]

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        if path.startswith("/api/models/tiny/model"):
            files = [p for p in self.folder.iterdir() if p.is_file()]
            siblings = [{"rfilename": p.name, "size": p.stat().st_size} for p in files]
            body = {"id": "tiny/model", "sha": COMMIT, "siblings": siblings, "private": False}
            self.answer(json.dumps(body | {"modelId": "tiny/model", "tags": []}).encode())
        elif path.startswith("/tiny/model/resolve/"):
            name = path.rsplit("/", 1)[1]
            self.asked.append(name)
            self.answer((self.folder / name).read_bytes())
        else:
            self.send_error(404)

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[type[Hub]]:
    folder = save_cross_encoder(tmp_path / "served")
    (folder / "pytorch_model.bin").write_bytes(b"pickled")
    (folder / "modeling_tiny.py").write_text("raise SystemExit('code of the model ran')")
    handler = type("Served", (Hub,), {"folder": folder, "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    handler.port = server.server_port  # type: ignore[attr-defined]
    yield handler
    server.shutdown()
    server.server_close()


def open_there(hub: type[Hub], tmp_path: Path, how: str = "") -> dict[str, object]:
    environment = os.environ | {
        "HF_ENDPOINT": f"http://127.0.0.1:{hub.port}",  # type: ignore[attr-defined]
        "HF_HUB_CACHE": str(tmp_path / "cache"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_OFFLINE": "0",
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, how],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_model_is_fetched_with_its_size_first_and_progress(
    hub: type[Hub], tmp_path: Path
) -> None:
    found = open_there(hub, tmp_path)
    assert found["error"] == ""
    assert (found["before"], found["after"]) == ("downloadable", "ready")
    assert len(found["scores"]) == 2  # type: ignore[arg-type]
    downloading = [row for row in found["seen"] if row[0].startswith("downloading")]  # type: ignore[attr-defined]
    total = downloading[0][2]
    assert "MB" in downloading[0][0]
    assert downloading[0][1] == 0
    assert [row[1] for row in downloading] == sorted(row[1] for row in downloading)
    assert downloading[-1][1] == total > 0
    assert not {"pytorch_model.bin", "modeling_tiny.py"} & set(hub.asked)


def test_a_download_can_be_cancelled(hub: type[Hub], tmp_path: Path) -> None:
    found = open_there(hub, tmp_path, "cancel")
    assert str(found["error"]).startswith("cancelled")
    assert found["after"] == "downloadable"
