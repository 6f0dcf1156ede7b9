"""More than one worker: what it brings, what it costs, and what is lost when workers are killed.

    python benchmarks/workers.py [server] [models] [kills] [pairs] [index]
        [--queries 160] [--seconds 60] [--counts 1 2 4 8] [--rounds 3]

- `server`: queries through a hosted reranker whose server, a process of its own, answers after
  50 ms: 1, 2, 4 and 8 threads, and as many workers on Ray, in turns, `--rounds` times. The goal is
  7 times as many queries a second with 8 as with 1. A rate is that from the first answer to the
  last, once all are ready. Beside it the processor time of a query in all processes, and the rate
  at which that alone would fill the cores.
- `models`: ms-marco-minilm-l12 over 20 candidates: this process with two threads for the model, and
  two workers on Ray with one core each, in turns, three rounds. The goal is a loss under 10 %.
- `kills`: as `server` with two workers on Ray, one of which is killed every 10 s.
- `pairs`: 40,000 pairs scored by word overlap, which costs next to nothing, by two workers on Ray:
  what reading, handing out and writing cost the command.
- `index`: `dense` over 768 passages of 10 words: this process with two threads for the model, and
  two workers on Ray with one core each, in turns; what the command itself takes of a passage.

In the first three, the rankings are compared with those of one worker in this process.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from rerank_lab.core.context import Context, Progress
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora import Corpus, load_corpus
from rerank_lab.evaluation.experiments import Cell, Evaluation, delete_experiment, plan, run
from rerank_lab.jobs.workers import InThisThread, RayWorkers, Threads, Workers
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.services.bulk_scoring import ScorePairsRequest
from rerank_lab.services.bulk_scoring import run as score_pairs
from rerank_lab.services.indexes import build_all

sys.path.insert(0, os.path.dirname(__file__))
from _report import report

DELAY_S, KILL_EVERY_S, ROUNDS = 0.05, 10.0, 3
PAIRS = 40_000
PASSAGES = 768
SERVER = """
import sys
from rerank_lab.testing.provider_servers import FakeProvider, Switch
server = FakeProvider("cohere")
server.always = Switch(delay_s=float(sys.argv[1]))
with server:
    print(server.url, flush=True)
    sys.stdin.read()
"""


class AllReady(RayWorkers):
    """Workers on Ray that begin together, so that a rate is that of all of them."""

    @contextmanager
    def pool(self, work: Any, ctx: Context, engine: Engine) -> Iterator[Any]:
        with super().pool(work, ctx, engine) as pool:
            while len(pool.workers()) < self.count:
                pool.wait(0.1)
            yield pool


def main() -> None:
    """Run the parts that are named and write the report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", default=["server", "models", "kills", "pairs", "index"])
    parser.add_argument("--queries", type=int, default=160)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    os.environ |= {
        "RERANK_LAB_HOME": tempfile.mkdtemp(),
        "RERANK_LAB_ALLOW_PRIVATE_URLS": "1",
        "RERANK_LAB_KEY_HOSTS": "127.0.0.1",
        "COHERE_API_KEY": "test-key",
        "RAY_USAGE_STATS_ENABLED": "0",
        "PYTHONPATH": os.pathsep.join(["", os.getcwd(), os.environ.get("PYTHONPATH", "")]),
    }
    import ray

    start = time.perf_counter()
    ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    figures: dict[str, Any] = {"ray_starts_s": time.perf_counter() - start}
    parts: dict[str, Callable[[], Any]] = {
        "server": lambda: with_server(lambda url: server_part(url, arguments)),
        "models": lambda: models_part(max(1, arguments.queries // 4)),
        "kills": lambda: with_server(lambda url: kills_part(url, arguments.seconds)),
        "pairs": pairs_part,
        "index": lambda: index_part(arguments.rounds),
    }
    for name in arguments.parts:
        figures[name] = parts[name]()
        print(name, json.dumps(figures[name]), file=sys.stderr, flush=True)
    ray.shutdown()
    report("workers", figures | {"load_average": os.getloadavg()[0], "ray": ray.__version__})


def with_server(part: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    """What a part gives with the address of a server."""
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(DELAY_S)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stdout is not None
    assert server.stdin is not None
    try:
        return part(server.stdout.readline().strip())
    finally:
        server.stdin.close()
        server.wait(10)


def hosted(url: str) -> str:
    return f'bm25 >> cohere(base_url="{url}",requests_per_minute=1000000)'


def words_corpus(queries: int) -> Corpus:
    documents = tuple(Document(f"d{i}", f"word{i} word{i % 7} common") for i in range(20))
    texts = tuple(Query(f"q{i}", f"word{i % 20} text{i} common") for i in range(queries))
    return Corpus("words", documents, texts, {query.id: {"d3": 1} for query in texts})


def measured(
    corpus: Corpus, spec: str, workers: Workers, on_cell: Callable[[Cell], None] = lambda _: None
) -> tuple[Evaluation, dict[str, Any]]:
    """An evaluation from nothing, its queries a second, and the seconds to its first answer."""
    planned = plan(corpus, [spec], measures=["RR"])
    delete_experiment(planned.id)
    moments: list[float] = []

    def noted(cell: Cell) -> None:
        moments.append(time.perf_counter())
        on_cell(cell)

    start, cpu = time.perf_counter(), time.process_time()
    done = run(planned, Context(cache=None), Engine(), on_cell=noted, workers=workers)
    rate = (len(moments) - 1) / (moments[-1] - moments[0])
    return done, {
        "queries_per_s": rate,
        "first_answer_s": moments[0] - start,
        "command_cpu_ms_a_query": 1000 * (time.process_time() - cpu) / len(moments),
    }


def rankings(done: Evaluation) -> dict[Any, Any]:
    return {key: (cell.status, cell.ranking) for key, cell in done.cells.items()}


def processor_seconds() -> dict[str, dict[int, float]]:
    """Of this process and those below it, by what they are and by process."""
    seconds: dict[str, dict[int, float]] = {}
    for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
        with suppress(psutil.Error):
            command, times = " ".join(process.cmdline()), process.cpu_times()
            seconds.setdefault(kind_of(process, command), {})[process.pid] = (
                times.user + times.system
            )
    return seconds


def kind_of(process: psutil.Process, command: str) -> str:
    if process.pid == os.getpid():
        return "command"
    for mark, kind in (("WorkerProcess", "workers"), ("Ledger", "ledger"), ("-c ", "server")):
        if mark in command:
            return kind
    return "ray"


def by_kind(
    before: dict[str, dict[int, float]], after: dict[str, dict[int, float]], queries: int
) -> dict[str, float]:
    """Milliseconds a query, of processes that were there before."""
    return {
        kind: 1000 * sum(now - before[kind].get(pid, now) for pid, now in seconds.items()) / queries
        for kind, seconds in after.items()
        if kind in before
    }


def counted(corpus: Corpus, spec: str, workers: Workers) -> tuple[Evaluation, dict[str, Any]]:
    """As `measured`, with the processor time of a query between the tenth and the last answer."""
    moments: list[dict[str, dict[int, float]]] = []
    answers, last = 0, len(corpus.queries)

    def note(_: Cell) -> None:
        nonlocal answers
        answers += 1
        if answers in (10, last):
            moments.append(processor_seconds())

    done, values = measured(corpus, spec, workers, note)
    values["cpu_ms"] = by_kind(moments[0], moments[-1], last - 10)
    values["cpu_ms_in_all"] = sum(values["cpu_ms"].values())
    values["bound_per_s"] = 1000 * len(os.sched_getaffinity(0)) / values["cpu_ms_in_all"]
    return done, values


def server_part(url: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Threads and Ray, so many of them, in turns."""
    queries, counts = arguments.queries, arguments.counts
    corpus, spec = words_corpus(queries), hosted(url)
    here, alone = measured(corpus, spec, InThisThread())
    figures: dict[str, Any] = {"queries": queries, "in_this_thread": alone}
    kinds: dict[str, Callable[[int], Workers]] = {"threads": Threads, "ray": AllReady}
    for _ in range(arguments.rounds):
        for name, workers in kinds.items():
            for count in counts:
                done, values = counted(corpus, spec, workers(count))
                values["identical"] = rankings(done) == rankings(here)
                values["load"] = os.getloadavg()[0]
                print(name, count, json.dumps(values), file=sys.stderr, flush=True)
                figures.setdefault(f"{name}_{count}", []).append(values)
    for name in kinds:
        rates = [[one["queries_per_s"] for one in figures[f"{name}_{count}"]] for count in counts]
        figures[f"{name}_most_against_least"] = [
            most / least for least, most in zip(rates[0], rates[-1], strict=True)
        ]
    return figures


def models_part(queries: int) -> dict[str, Any]:
    """One process with two threads against two workers with one core each."""
    corpus = load_corpus("helpdesk")
    chosen = corpus.queries[:queries]
    qrels = {query.id: dict(corpus.qrels.get(query.id, {})) for query in chosen}
    corpus = corpus.with_judgments(chosen, qrels, corpus.basis)
    spec = "bm25(k=20) >> ms-marco-minilm-l12"
    arms: dict[str, Workers] = {"one_process": InThisThread(), "two_workers": AllReady(2)}
    rates: dict[str, list[float]] = {name: [] for name in arms}
    seen: dict[str, Any] = {}
    os.environ["RERANK_LAB_THREADS"] = "2"
    for _ in range(ROUNDS):
        for name, workers in arms.items():
            done, values = measured(corpus, spec, workers)
            rates[name].append(values["queries_per_s"])
            seen[name] = rankings(done)
    one, two = (statistics.median(rates[name]) for name in arms)
    return {
        "queries": len(chosen),
        "queries_per_s": rates,
        "lost_by_two_workers": 1 - two / one,
        "identical": seen["one_process"] == seen["two_workers"],
    }


def kills_part(url: str, seconds: float) -> dict[str, Any]:
    """A worker is killed every 10 s."""
    spec = hosted(url)
    queries = int(seconds / DELAY_S * 2 * 0.8)
    corpus = words_corpus(queries)
    killed_at = [time.monotonic()]
    rows: list[tuple[str, str]] = []

    def kill(cell: Cell) -> None:
        rows.append((cell.query_id, cell.pipeline))
        if time.monotonic() - killed_at[-1] > KILL_EVERY_S:
            killed_at.append(time.monotonic())
            victims = [
                process
                for process in psutil.Process().children(recursive=True)
                if "WorkerProcess" in " ".join(process.cmdline())
            ]
            if victims:
                os.kill(victims[len(killed_at) % len(victims)].pid, signal.SIGKILL)

    done, values = measured(corpus, spec, RayWorkers(2), kill)
    few = words_corpus(50)
    here, _ = measured(few, spec, InThisThread())
    same = all(rankings(done)[key] == value for key, value in rankings(here).items())
    return {
        "queries": queries,
        "killed": len(killed_at) - 1,
        "answered": sum(cell.answered for cell in done.cells.values()),
        "lost": queries - len(set(rows)),
        "answered_twice": len(rows) - len(set(rows)),
        "first_50_identical": same,
        **values,
    }


def pairs_part() -> dict[str, Any]:
    """What a pair costs the command that hands it out."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = Path(tempfile.mkdtemp())
    text = "lorem ipsum dolor sit amet consectetur " * 20
    records = [{"query": f"query {i // 100}", "document": f"{i} {text}"} for i in range(PAIRS)]
    pq.write_table(pa.Table.from_pylist(records), folder / "pairs.parquet")
    request = ScorePairsRequest(folder / "pairs.parquet", folder / "scores.parquet", "overlap")
    start, cpu = time.perf_counter(), time.process_time()
    score_pairs(request, Context(cache=None), Engine(), RayWorkers(2))
    return {
        "pairs": PAIRS,
        "seconds_with_start": time.perf_counter() - start,
        "command_cpu_us_a_pair": 1e6 * (time.process_time() - cpu) / PAIRS,
    }


def index_part(rounds: int) -> dict[str, Any]:
    """One process with two threads against two workers with one core each."""
    os.environ["RERANK_LAB_THREADS"] = "2"
    draw = random.Random(1)
    texts = (" ".join(f"word{draw.randrange(20_000)}" for _ in range(10)) for _ in range(PASSAGES))
    corpus = Corpus("passages", tuple(Document(f"d{i}", text) for i, text in enumerate(texts)))
    specs = [Pipeline("dense").spec]
    arms: dict[str, Workers | None] = {"one_process": None, "two_workers": AllReady(2)}
    rates: dict[str, list[float]] = {name: [] for name in arms}
    files: dict[str, dict[str, bytes]] = {}
    command_us: list[float] = []
    for _ in range(rounds):
        for name, workers in arms.items():
            engine = Engine(Path(tempfile.mkdtemp()))
            moments: list[tuple[float, int]] = []

            def note(now: Progress, moments: list[tuple[float, int]] = moments) -> None:
                if now.message == "embedding documents" and now.done:
                    moments.append((time.perf_counter(), now.done))

            cpu = time.process_time()
            build_all(specs, corpus, Context(progress=note), engine, workers)
            if workers is not None:
                command_us.append(1e6 * (time.process_time() - cpu) / PASSAGES)
            (begun, first), (ended, last) = moments[0], moments[-1]
            rates[name].append((last - first) / (ended - begun))
            built = engine.home.glob("indexes/*/*/*.faiss")
            files[name] = {file.name: file.read_bytes() for file in built}
    return {
        "passages": PASSAGES,
        "passages_per_s": rates,
        "command_cpu_us_a_passage": command_us,
        "identical": files["one_process"] == files["two_workers"],
    }


if __name__ == "__main__":
    main()
