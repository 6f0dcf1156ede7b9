"""Judgments in the lab database: what a kill loses, how long a label takes, how long opening takes.

    python benchmarks/judgments.py [repetitions] [judgments]

Per database (SQLite; PostgreSQL where it is installed, with fsync on, on this machine):

- A process stores 500 labels one by one and prints the id of each that is acknowledged; it is
  killed with SIGKILL in the middle, 20 times. Lost are acknowledged ids that are not stored.
- With 100,000 judgments of 10 judges stored, two processes store 200 labels each at once: the time
  until a label is acknowledged. Then a process of its own opens the store and reads what counts,
  and the times of the parts are given without the imports of Python.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from rerank_lab.core.database import DATABASE_VARIABLE
from rerank_lab.core.paths import HOME_VARIABLE
from rerank_lab.judging.records import JudgeKind, Judgment
from rerank_lab.judging.store import JudgmentStore
from rerank_lab.testing.postgres_server import PostgresServer, postgres_programs

sys.path.insert(0, os.path.dirname(__file__))
from _report import report

BURST, LABELS, JUDGES = 500, 200, 10
WRITER = """
import sys, time
from datetime import UTC, datetime
from rerank_lab.judging.records import JudgeKind, Judgment
from rerank_lab.judging.store import JudgmentStore
judge, count = sys.argv[1], int(sys.argv[2])
store = JudgmentStore.open()
print("ready", flush=True)
sys.stdin.readline()
for n in range(count):
    at = datetime.now(UTC)
    row = Judgment("c", f"q{n}", "new", 1, judge, JudgeKind.HUMAN, at, session_id="b")
    begun = time.perf_counter()
    row_id = store.append([row])[0].row_id
    print(row_id, 1e3 * (time.perf_counter() - begun), flush=True)
"""
OPENER = """
import json, time
from rerank_lab.judging.store import JudgmentStore
times, begun = {}, time.perf_counter()
def lap(name):
    global begun
    times[name], begun = 1e3 * (time.perf_counter() - begun), time.perf_counter()
store = JudgmentStore.open(); lap("open_ms")
store.current("c", query_id="q7"); lap("one_query_ms")
store.current("c", judge="judge 3"); lap("one_judge_ms")
store.current("c"); lap("all_first_time_ms")
store.current("c"); lap("all_again_ms")
print(json.dumps(times))
"""


def start_writer(judge: str, count: int) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, judge, str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def begin(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def killed(judge: str, rng: random.Random) -> dict[str, int]:
    """One burst, killed after a random number of acknowledged labels."""
    process = start_writer(judge, BURST)
    begin(process)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(rng.randint(1, BURST - 50))]
    process.kill()
    lines += [line for line in process.stdout if line.endswith("\n")]
    process.wait()
    stored = {row.row_id for row in JudgmentStore.open().rows("c", judge=judge)}
    lost = {int(line.split()[0]) for line in lines} - stored
    return {"acknowledged": len(lines), "stored": len(stored), "lost": len(lost)}


def fill(count: int) -> float:
    """So many judgments of ten judges in one append; seconds."""
    at = datetime.now(UTC)
    rows = [
        Judgment(
            "c", f"q{n // JUDGES % 500}", f"d{n // JUDGES}", n % 4, f"judge {n % JUDGES}",
            JudgeKind.HUMAN, at, seconds=4.0, content_hash=f"{n:064x}", session_id="b",
        )
        for n in range(count)
    ]  # fmt: skip
    begun = time.perf_counter()
    JudgmentStore.open().append(rows)
    return time.perf_counter() - begun


def acknowledged_ms() -> dict[str, float]:
    """Two judges at once: how long a label takes until it is on the disk."""
    writers = [start_writer(f"writer {n}", LABELS) for n in range(2)]
    for writer in writers:
        begin(writer)
    times = [
        float(line.split()[1]) for writer in writers for line in writer.communicate()[0].split("\n")
        if line
    ]  # fmt: skip
    p50, p95, p99 = np.percentile(times, [50, 95, 99])
    return {"labels": len(times), "p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "max": max(times)}


def measured(repetitions: int, count: int) -> dict[str, Any]:
    rng = random.Random(0)
    kills = [killed(f"killed {n}", rng) for n in range(repetitions)]
    seconds = fill(count)
    label = acknowledged_ms()
    opened = subprocess.run(
        [sys.executable, "-c", OPENER], stdout=subprocess.PIPE, text=True, check=True
    )
    return {
        "kill_9": {
            "repetitions": repetitions,
            "acknowledged": sum(kill["acknowledged"] for kill in kills),
            "lost": sum(kill["lost"] for kill in kills),
        },
        "judgments": count,
        "one_append_of_all_s": seconds,
        "a_label_with_two_writers": label,
        "opening": json.loads(opened.stdout),
    }


def main(repetitions: int = 20, count: int = 100_000) -> None:
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        os.environ[HOME_VARIABLE] = folder
        os.environ.pop(DATABASE_VARIABLE, None)
        figures["sqlite"] = measured(repetitions, count)
        with PostgresServer(durable=True) if postgres_programs() else nullcontext() as server:
            if server is not None:
                os.environ[DATABASE_VARIABLE] = server.address()
                figures["postgresql"] = measured(repetitions, count)
    report("judgments", figures)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
