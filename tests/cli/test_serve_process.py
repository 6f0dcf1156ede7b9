"""`rerank-lab serve` as a process of its own: under load, and asked to end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from rerank_lab.remote.urls import ALLOW_PRIVATE
from rerank_lab.testing.provider_servers import FakeProvider, Switch
from tests.server.conftest import wait_for

BODY = {"query": "pump", "documents": ["a pump", "bread"]}


@contextmanager
def serving(home: Path, *options: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The address of `rerank-lab serve` on a free port, and its process."""
    command = [sys.executable, "-m", "rerank_lab", "serve", *options, "--port", "0"]
    env = {**os.environ, "RERANK_LAB_HOME": str(home), ALLOW_PRIVATE: "1"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=env) as process:
        assert process.stderr is not None
        line = next(line for line in process.stderr if "serving " in line)
        address = re.search(r" at (http://127.0.0.1:\d+);", line)
        assert address is not None, line
        try:
            yield address[1], process
        finally:
            process.kill()


def ask_on(address: str, answers: list[str], status: Counter[str]) -> None:
    """Ask, each time over a new connection, until the server takes no more."""
    ends = time.monotonic() + 20
    while "ConnectError" not in status and time.monotonic() < ends:
        try:
            answer = httpx.post(f"{address}/v2/rerank", json=BODY, timeout=20)
            outcome = str(answer.status_code)
            answers.append(answer.text)
        except httpx.HTTPError as error:
            outcome = type(error).__name__
        status[outcome] += 1


@pytest.fixture
def slow_provider() -> Iterator[FakeProvider]:
    """A server that reranks in 0.3 s."""
    with FakeProvider("tei") as provider:
        provider.always = Switch(delay_s=0.3)
        yield provider


def test_under_load_sigterm_ends_it_with_0_once_all_that_was_taken_is_answered(
    home: Path, slow_provider: FakeProvider
) -> None:
    spec = f'bm25 >> tei(base_url="{slow_provider.url}")'
    options = (spec, "--workers", "2", "--queue", "4", "--grace", "20")
    with serving(home, *options) as (address, process):
        answers: list[str] = []
        status: Counter[str] = Counter()
        clients = [
            threading.Thread(target=ask_on, args=(address, answers, status)) for _ in range(12)
        ]
        for client in clients:
            client.start()
        wait_for(lambda: status["200"] >= 4)
        process.send_signal(signal.SIGTERM)
        asked = time.monotonic()
        for client in clients:
            client.join(20)
        assert process.stderr is not None
        log = [json.loads(line) for line in process.stderr.read().splitlines()]
        assert process.wait(20) == 0
        assert time.monotonic() - asked < 10
    # Beside the answers: no connection to be had any more, or one that was never taken.
    assert set(status) <= {"200", "429", "503", "ConnectError", "ReadError", "RemoteProtocolError"}
    taken = Counter(str(entry["status"]) for entry in log)
    assert taken == {name: count for name, count in status.items() if name.isdigit()}
    assert taken["200"] >= 6
    assert all("results" in text or "full" in text for text in answers)


def test_what_is_not_done_within_the_grace_is_given_up(
    home: Path, slow_provider: FakeProvider
) -> None:
    slow_provider.always = Switch(delay_s=5)
    spec = f'bm25 >> tei(base_url="{slow_provider.url}")'
    with serving(home, spec, "--grace", "1") as (address, process):
        status: Counter[str] = Counter()
        client = threading.Thread(target=ask_on, args=(address, [], status))
        client.start()
        wait_for(lambda: bool(slow_provider.requests))
        process.send_signal(signal.SIGTERM)
        asked = time.monotonic()
        assert process.wait(15) == 1
        assert time.monotonic() - asked < 4
        client.join()
        assert process.stderr is not None
        log = process.stderr.read()
    assert set(status) <= {"503", "ConnectError", "ReadError", "RemoteProtocolError"}
    assert '"status": 503' in log
    assert "took longer than --grace: 1\n" in log
