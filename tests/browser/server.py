"""The app as a user runs it: a server process of its own, with a data folder of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from tests import conversions

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = '''
import os
import time
from rerank_lab.components.base import Info
from rerank_lab.rerankers.base import TOP, PointwiseReranker

class Slow(PointwiseReranker):
    """Shorter texts first, after a pause for every five; notes each call in a file.

    It waits as long as there is a file of that name with `.hold` at its end.
    """
    info = Info("slow", "reranker", "test", "Takes its time.", "characters", (TOP,))
    batch_size = 5
    def score(self, query, texts, work):
        with open(os.environ["BROWSER_TEST_CALLS"], "a") as calls:
            calls.write(query + "\\n")
        time.sleep(0.4)
        while os.path.exists(os.environ["BROWSER_TEST_CALLS"] + ".hold"):
            time.sleep(0.05)
        return [-float(len(text)) for text in texts]

class Faulty(PointwiseReranker):
    info = Info("faulty", "reranker", "test", "Always raises.", "logit", (TOP,))
    def score(self, query, texts, work):
        raise ZeroDivisionError("no such luck")
'''
ENTRY_POINTS = """
[rerank_lab.rerankers]
slow = browser_test_plugin:Slow
faulty = browser_test_plugin:Faulty
"""


@dataclass
class Server:
    """A running app. `calls` is the file in which the slow reranker notes its calls.

    `variables` are added to its environment, `options` to the words that streamlit gets.
    """

    home: Path
    variables: dict[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    port: int = 0
    log: Path = field(default_factory=Path)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def calls(self) -> Path:
        return self.home.parent / "calls.txt"

    def count_calls(self, query: str) -> int:
        return self.calls.read_text().splitlines().count(query) if self.calls.exists() else 0

    def start(self, port: int = 0) -> None:
        """Start on a free port, or this one, and wait until it answers.

        Raises with the log when it does not.
        """
        self.port = port or free_port()
        self.log = self.home.parent / f"server-{self.port}.log"
        site = self.home.parent / "site"
        _write_plugin(site)
        conversions.give(self.home)
        environment = os.environ | {
            "RERANK_LAB_HOME": str(self.home),
            "BROWSER_TEST_CALLS": str(self.calls),
            "PYTHONPATH": f"{site}{os.pathsep}{ROOT}",
            "HF_HUB_OFFLINE": "1",
            **self.variables,
        }
        command = [
            sys.executable, "-m", "streamlit", "run", "app.py",
            "--server.port", str(self.port), "--server.headless", "true",
            "--server.fileWatcherType", "none", *self.options,
        ]  # fmt: skip
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT
            )
        end = time.monotonic() + 60
        while not self._healthy():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"The server did not start:\n{self.tail()}")
            time.sleep(0.1)

    def stop(self) -> None:
        """End this process and wait for it."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        self.process = None

    def kill(self) -> None:
        """End it as a crash or a power cut would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)
        self.process = None

    def tail(self, lines: int = 60) -> str:
        if not self.log.is_file():
            return ""
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-lines:])

    def _healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _write_plugin(site: Path) -> None:
    info = site / "browser_test_plugin-1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: browser-test-plugin\nVersion: 1.0\n"
    )
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    (site / "browser_test_plugin.py").write_text(PLUGIN)
