"""Experiments in the lab database: writing, reading and scoring answers, going on after a kill.

    python benchmarks/experiments.py [queries] [pipelines] [candidates]

By default 100 queries x 4 pipelines x 100 candidates; the goals are stated for 1000 8 100. Per
database (SQLite; PostgreSQL where it is installed, on this machine), in seconds:

- `append_ms`: until an answer is written, the median and the 95th percentile in milliseconds.
- `bytes_a_cell`: of the SQLite file with its log, by the number of answers.
- `load_s`: from the id to measures of every pipeline and query, in a process that has just begun.
- `table_s`: the table with its tests and intervals after that; `lines_s`: the lines of all queries;
  `charts_s`: the heat map of queries and pipelines, and the chart by tag with its own tests.
  `goal_s` is the sum of these four, to be under 5 for 1000 8 100.
- `resume_s`: a run is killed with SIGKILL in the middle and begun again: until its first new
  answer, to be under 2. `lost` counts answers that were there before the kill, `run_again` those
  that were had again: both to be 0.

`take_over_s` is the time to bring a folder of an earlier version with as many answers into the
database. Times of the processor are beside those of the clock: `..._cpu_s`.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from rerank_lab.core.database import DATABASE_VARIABLE, FILE_NAME
from rerank_lab.core.paths import HOME_VARIABLE
from rerank_lab.core.types import Query, Ranking, Status, Trace
from rerank_lab.evaluation.experiments import Cell, Design, list_experiments, load_experiment
from rerank_lab.evaluation.experiments.store import ExperimentRecord
from rerank_lab.testing.postgres_server import PostgresServer, postgres_programs

sys.path.insert(0, os.path.dirname(__file__))
from _report import report

MEASURES = ("nDCG@10", "RR@10", "R@100")
READER = """
import json, sys, time
from rerank_lab.evaluation.experiments import load_experiment
from rerank_lab.views.evaluate import evaluate_view
def lap(work):
    clock, cpu = time.perf_counter(), time.process_time()
    value = work()
    return value, time.perf_counter() - clock, time.process_time() - cpu
evaluation, load_s, load_cpu_s = lap(lambda: load_experiment(sys.argv[1]))
view, table_s, table_cpu_s = lap(lambda: evaluate_view(evaluation))
def lines():
    from rerank_lab.views.evaluate import query_lines
    return query_lines(evaluation, view.primary)
_, lines_s, lines_cpu_s = lap(lines)
def charts():
    from rerank_lab.charts.evaluate import query_heat_chart, tag_chart
    from rerank_lab.charts.figures import LIGHT
    from rerank_lab.evaluation.by_tag import by_tag, groups_of
    from rerank_lab.views.evaluate import pipeline_labels
    from rerank_lab.views.where_it_helps import query_heat
    specs = evaluation.design.pipelines
    heat = query_heat(evaluation, view.primary, specs[0])
    tags = by_tag(evaluation, groups_of(evaluation)[0].name, view.primary, specs[0])
    labels, colours = pipeline_labels(specs)[0], {spec: n for n, spec in enumerate(specs)}
    figures = query_heat_chart(heat.part(0), LIGHT), tag_chart(tags, labels, colours, LIGHT)
    return [json.dumps(figure) for figure in figures]
_, charts_s, charts_cpu_s = lap(charts)
print(json.dumps({"load_s": load_s, "load_cpu_s": load_cpu_s, "table_s": table_s,
    "table_cpu_s": table_cpu_s, "lines_s": lines_s, "charts_s": charts_s,
    "charts_cpu_s": charts_cpu_s, "goal_s": load_s + table_s + lines_s + charts_s,
    "goal_cpu_s": load_cpu_s + table_cpu_s + lines_cpu_s + charts_cpu_s}))
"""
RUNNER = """
import sys, time
from rerank_lab import load_corpus
from rerank_lab.evaluation.experiments import plan, run
begun = time.perf_counter()
planned = plan(load_corpus("helpdesk"), ["bm25", "bm25(b=0.3)", "bm25(b=0.6)"])
def on_cell(cell):
    print(cell.query_id, cell.pipeline, time.perf_counter() - begun, sep="\\t", flush=True)
    time.sleep(float(sys.argv[1]))
run(planned, on_cell=on_cell)
"""


def main() -> None:
    """Print the figures of each database."""
    sizes = [int(argument) for argument in sys.argv[1:]] or [100, 4, 100]
    figures: dict[str, Any] = {"queries, pipelines, candidates": sizes}
    for kind in ("sqlite", "postgresql"):
        if kind == "postgresql" and postgres_programs() is None:
            continue
        with ExitStack() as stack:
            address = ""
            if kind == "postgresql":
                address = stack.enter_context(PostgresServer()).address()
            figures[kind] = _figures(stack.enter_context(_home(address)), *sizes)
    report("experiments", figures)


@contextmanager
def _home(address: str) -> Iterator[Path]:
    """A data folder of its own, and the database of this address; "" for SQLite there."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ[HOME_VARIABLE] = folder
        os.environ[DATABASE_VARIABLE] = address
        yield Path(folder)


def _figures(home: Path, queries: int, pipelines: int, candidates: int) -> dict[str, Any]:
    design, cells = made(queries, pipelines, candidates)
    record = ExperimentRecord(design.id)
    writer = record.writer(record.open(design))
    appended = []
    for cell in cells:
        begun = time.perf_counter()
        writer.add(cell)
        appended.append(1e3 * (time.perf_counter() - begun))
    size = sum(file.stat().st_size for file in home.glob(f"{FILE_NAME}*"))
    reader = subprocess.run(
        [sys.executable, "-c", READER, design.id], check=True, capture_output=True, text=True
    )
    figures: dict[str, Any] = {
        "append_ms": {"p50": np.percentile(appended, 50), "p95": np.percentile(appended, 95)},
        **json.loads(reader.stdout.splitlines()[-1]),
        "take_over_s": _take_over(home, cells, design),
        **_resume(),
    }
    return figures | ({"bytes_a_cell": size / len(cells)} if size else {})


def made(queries: int, pipelines: int, candidates: int) -> tuple[Design, list[Cell]]:
    """An experiment by chance: each pipeline ranks the same candidates of a query anew."""
    rng = random.Random(1)
    asked = tuple(
        Query(f"q{number}", f"question {number}", {"kind": f"kind {number % 6}"})
        for number in range(queries)
    )
    specs = tuple(f"bm25(b=0.{number},k={candidates})" for number in range(1, pipelines + 1))
    pools = {q.id: [f"doc-{n:06d}" for n in rng.sample(range(50_000), candidates)] for q in asked}
    qrels = {q: {doc_id: rng.randrange(4) for doc_id in pool[::3]} for q, pool in pools.items()}
    cells = [
        Cell(
            query_id,
            spec,
            Status.OK,
            Ranking.from_scores(query_id, {d: rng.random() * 20 for d in pool}, "bm25"),
            Trace(compute_s=0.01, calls=1, documents=candidates),
        )
        for query_id, pool in pools.items()
        for spec in specs
    ]
    return Design("0123456789abcdef", "made", "hash", specs, asked, qrels, MEASURES), cells


def _take_over(home: Path, cells: list[Cell], design: Design) -> float:
    folder = home / "experiments" / "fedcba9876543210"
    folder.mkdir(parents=True)
    manifest = design.to_json() | {"id": folder.name}
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    with (folder / "cells.jsonl").open("w", encoding="utf-8") as stream:
        for cell in cells:
            assert cell.ranking is not None
            line = {
                "query_id": cell.query_id,
                "pipeline": cell.pipeline,
                "status": cell.status.value,
                "scale": cell.ranking.scale,
                "doc_ids": list(cell.ranking.doc_ids),
                "scores": [hit.score for hit in cell.ranking],
                "trace": cell.trace.to_json(),
            }
            stream.write(json.dumps(line) + "\n")
    begun = time.perf_counter()
    list_experiments()
    return time.perf_counter() - begun


def _resume() -> dict[str, float]:
    """A run that is killed, and the time until the next one has an answer that is new."""
    child = subprocess.Popen(
        [sys.executable, "-c", RUNNER, "0.02"], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    before = [tuple(child.stdout.readline().split("\t")[:2]) for _ in range(40)]
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    kept = next(one for one in list_experiments() if one.design.corpus == "helpdesk")
    answered = set(load_experiment(kept.id).cells)
    again = subprocess.run(
        [sys.executable, "-c", RUNNER, "0"], check=True, capture_output=True, text=True
    )
    rows = [line.split("\t") for line in again.stdout.splitlines()]
    return {
        "lost": len(set(before) - answered),
        "run_again": sum((query_id, spec) in answered for query_id, spec, _ in rows),
        "resume_s": float(rows[0][2]),
    }


if __name__ == "__main__":
    main()
