"""Two processes over one lab database do one evaluation once, and survive each other."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from rerank_lab.core.context import CancelToken, Context, Progress
from rerank_lab.core.database import open_database
from rerank_lab.core.errors import Cancelled
from rerank_lab.evaluation.experiments import list_experiments, load_experiment
from rerank_lab.jobs import claims
from rerank_lab.jobs.claims import claimed
from rerank_lab.jobs.tables import JOB_CLAIMS
from rerank_lab.pipeline.engine import default_engine

pytestmark = pytest.mark.usefixtures("lab_database")
QUERIES = 20
APP = """
import json, sys, time
from pathlib import Path
from rerank_lab.jobs import claims
from rerank_lab.jobs.table import JobTable
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora import Corpus
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.retrievers.bm25 import BM25
from rerank_lab.services import evaluate
from rerank_lab.services.session import Session

claims.LEASE_S, claims._LOOK_S = 1.0, 0.02
searches = []
search = BM25.search
def slowly(self, query, *more):
    searches.append(query.id)
    print("searched", flush=True)
    time.sleep(0.1)
    return search(self, query, *more)
BM25.search = slowly
documents = tuple(Document(f"d{i}", f"word{i} more") for i in range(5))
queries = tuple(Query(f"q{i}", f"word{i % 5}") for i in range(int(sys.argv[1])))
corpus = Corpus("tiny", documents, queries, {query.id: {"d1": 1} for query in queries})
request = evaluate.EvaluationRequest((Pipeline("bm25").spec,), ("RR",))
session = Session(Engine(), JobTable(), "me")
print("ready", flush=True)
sys.stdin.readline()
job = evaluate.start(request, corpus, session)
seen = set()
while not job.finished.wait(0.01):
    if "another process" in job.progress.message:
        seen.add(job.progress.done)
        print("waiting", flush=True)
job.wait()
print(json.dumps({"searched": searches, "seen": sorted(seen)}), flush=True)
"""


@pytest.fixture(autouse=True)
def fresh_process(home: Path) -> Iterator[None]:
    default_engine.cache_clear()
    yield
    default_engine.cache_clear()


@pytest.fixture
def apps() -> Iterator[list[subprocess.Popen[str]]]:
    """Two processes that begin when they are told to."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", APP, str(QUERIES)], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.getcwd()},
        )
        for _ in range(2)
    ]  # fmt: skip
    assert [line(process) for process in processes] == ["ready", "ready"]
    yield processes
    for process in processes:
        process.kill()
        process.communicate()


def begin(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def result(process: subprocess.Popen[str]) -> dict[str, list[str]]:
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    answer: dict[str, list[str]] = json.loads(out.splitlines()[-1])
    return answer


def finished_queries() -> int:
    [entry] = list_experiments()
    evaluation = load_experiment(entry.id)
    assert evaluation.finished
    return len(evaluation.cells)


def test_the_second_process_waits_for_the_first_and_shows_how_far_it_is(
    apps: list[subprocess.Popen[str]],
) -> None:
    one, other = apps
    begin(one)
    assert line(one) == "searched"
    begin(other)
    assert line(other) == "waiting"
    first, second = result(one), result(other)
    assert len(first["searched"]) == QUERIES
    assert second["searched"] == []
    assert len(second["seen"]) > 1, "no progress was seen"
    assert finished_queries() == QUERIES


def test_another_process_goes_on_when_the_first_is_killed(
    apps: list[subprocess.Popen[str]],
) -> None:
    one, other = apps
    begin(one)
    assert [line(one) for _ in range(4)] == ["searched"] * 4  # the first answers are written
    begin(other)
    assert line(other) == "waiting"
    one.send_signal(signal.SIGKILL)
    second = result(other)
    assert 0 < len(second["searched"]) < QUERIES
    assert finished_queries() == QUERIES


def test_whoever_waits_can_be_cancelled_and_the_other_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(claims, "_LOOK_S", 0.01)
    at_work, may_end = threading.Event(), threading.Event()
    token, messages = CancelToken(), []

    def work(ctx: Context, waited: bool) -> str:
        at_work.set()
        may_end.wait(20)
        ctx.checkpoint()
        return "done"

    results: list[str] = []
    owner = threading.Thread(target=lambda: results.append(claimed("it", Context(), work)))
    owner.start()
    assert at_work.wait(10)

    def progress(now: Progress) -> None:
        messages.append(now.message)
        token.cancel()

    with pytest.raises(Cancelled):
        claimed("it", Context(cancel=token, progress=progress), work)
    may_end.set()
    owner.join(20)
    assert results == ["done"]
    assert messages == ["at work in another process: starting"]
    with open_database().reading() as connection:
        assert connection.execute(select(JOB_CLAIMS)).all() == []


def test_who_was_not_heard_stops_when_another_has_gone_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "LEASE_S", 0.5)
    monkeypatch.setattr(claims, "_LOOK_S", 0.01)
    turns: list[bool] = []

    def work(ctx: Context, waited: bool) -> str:
        turns.append(waited)
        if len(turns) > 1:
            return "again"
        with open_database().writing("test") as connection:  # as if the lease had ended
            connection.execute(JOB_CLAIMS.update().values(owner="other", lease_ends_at=0.0))
        end = time.monotonic() + 20
        while time.monotonic() < end:
            ctx.checkpoint()
            time.sleep(0.01)
        return "not noticed"

    assert claimed("it", Context(), work) == "again"
    assert turns == [False, True]
