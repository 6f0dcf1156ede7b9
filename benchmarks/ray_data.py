"""A file of pairs scored by two workers on Ray: as `rerank-lab score` does it, and by Ray Data.

    python benchmarks/ray_data.py [--pairs 40000] [--rounds 2]

Word overlap scores, so that what is measured is reading, handing out and writing. Each arm is a
process of its own with a cluster of its own, in turns: seconds from a started cluster to the
result, and the memory (PSS) of all its processes at the peak, less that of the idle cluster. Ray
Data is given eight logical cores, since with two its own tasks and two actors never begin. The
scores are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, os.path.dirname(__file__))
from _report import report

BLOCK = 10_000
CORES = 8


def main() -> None:
    """Run the arms in turns and write the report; with `--arm`, be one of them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--arm", choices=("ours", "ray_data"))
    parser.add_argument("--files", nargs=2, type=Path)
    arguments = parser.parse_args()
    if arguments.arm:
        print(json.dumps(arm(arguments.arm, *arguments.files)))
        return
    folder = Path(tempfile.mkdtemp())
    pairs = folder / "pairs.parquet"
    write_pairs(pairs, arguments.pairs)
    figures: dict[str, Any] = {"pairs": arguments.pairs, "ours": [], "ray_data": []}
    for number in range(arguments.rounds):
        for name in ("ours", "ray_data"):
            out = folder / f"{name}-{number}.parquet"
            command = [sys.executable, __file__, "--arm", name, "--files", str(pairs), str(out)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            figures[name].append(json.loads(done.stdout.splitlines()[-1]))
            print(name, figures[name][-1], file=sys.stderr, flush=True)
    figures["identical"] = scores(folder / "ours-0.parquet") == scores(
        folder / "ray_data-0.parquet"
    )
    report("ray_data", figures | {"load_average": os.getloadavg()[0]})


def write_pairs(path: Path, count: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    text = "lorem ipsum dolor sit amet consectetur " * 20
    schema = pa.schema([("row", pa.int64()), ("query", pa.string()), ("document", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, count, BLOCK):
            rows = range(start, min(count, start + BLOCK))
            columns = {
                "row": [row + 1 for row in rows],
                "query": [f"query {row // 100}" for row in rows],
                "document": [f"{row} {text}{row * 7919}" for row in rows],
            }
            writer.write_table(pa.table(columns, schema))


def scores(path: Path) -> dict[int, float | None]:
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    return dict(zip(table["row"].to_pylist(), table["score"].to_pylist(), strict=True))


def arm(name: str, pairs: Path, out: Path) -> dict[str, float]:
    """Seconds and memory of one way to score."""
    os.environ |= {
        "RERANK_LAB_HOME": tempfile.mkdtemp(),
        "RAY_USAGE_STATS_ENABLED": "0",
        "PYTHONPATH": os.pathsep.join(["", os.getcwd(), os.environ.get("PYTHONPATH", "")]),
    }
    import ray

    ray.init(num_cpus=CORES, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    time.sleep(2)
    idle = memory()
    peak = [idle]

    def watch() -> None:
        while True:
            peak[0] = max(peak[0], memory())
            time.sleep(0.5)

    threading.Thread(target=watch, daemon=True).start()
    start = time.perf_counter()
    {"ours": ours, "ray_data": ray_data}[name](pairs, out)
    seconds = time.perf_counter() - start
    ray.shutdown()
    return {"seconds": seconds, "more_mib": (peak[0] - idle) / 2**20, "idle_mib": idle / 2**20}


def memory() -> int:
    """PSS of this process and those below it."""
    total = 0
    for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
        with suppress(psutil.Error):
            total += process.memory_full_info().pss
    return total


def ours(pairs: Path, out: Path) -> None:
    from rerank_lab.core.context import Context
    from rerank_lab.jobs.workers import RayWorkers
    from rerank_lab.pipeline.engine import Engine
    from rerank_lab.services.bulk_scoring import ScorePairsRequest, run

    run(ScorePairsRequest(pairs, out, "overlap"), Context(cache=None), Engine(), RayWorkers(2))


class Scorer:
    """An actor of Ray Data that scores as a worker of ours does."""

    def __init__(self) -> None:
        from rerank_lab.core.context import Context
        from rerank_lab.pipeline.engine import Engine
        from rerank_lab.pipeline.reranking import Stages
        from rerank_lab.services.bulk_scoring import PairWork

        engine = Engine()
        reranker: Any = engine.reranker(Stages("overlap").spec.nodes[0])
        self.call = PairWork.of(reranker, "overlap").open(engine)
        self.ctx = Context(cache=None)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        from rerank_lab.services.bulk_scoring import PartTask
        from rerank_lab.services.pair_files import Pair

        columns = zip(batch["row"], batch["query"], batch["document"], strict=True)
        pairs = [Pair(int(row), str(query), str(text)) for row, query, text in columns]
        return {"row": batch["row"], "score": self.call(PartTask(Path("part"), pairs), self.ctx)}


def ray_data(pairs: Path, out: Path) -> None:
    import ray.data

    ray.data.DataContext.get_current().enable_progress_bars = False
    actors = ray.data.ActorPoolStrategy(size=2)
    rows = ray.data.read_parquet(str(pairs))
    rows.map_batches(Scorer, batch_size=2048, compute=actors).write_parquet(str(out))


if __name__ == "__main__":
    main()
