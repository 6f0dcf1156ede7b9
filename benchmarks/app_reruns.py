"""What a rerun of Compare costs the server: processor time, and memory as reruns add up.

    python benchmarks/app_reruns.py [--rounds 40] [--repeats 3] [--pipelines 3]

Two queries are asked by turns whose results are cached, so that only the page itself works. The
arms differ in `runner.postScriptGC`, Streamlit's full garbage collection after every run, and run
alternately, each in a server process of its own, driven over its WebSocket without a browser.
"cpu_ms" is processor time of that process a query; the first queries, which load and compute, are
not counted.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
from pathlib import Path

import psutil
from _processes import cpu_seconds, end
from _report import report
from _sessions import Visitor
from app_latency import start_server

PIPELINES = (
    "bm25",
    "bm25 >> ms-marco-minilm-l12(top=10)",
    "rrf(bm25,dense)",
    "dense",
    "rrf(bm25,dense) >> mmr",
    "bm25 >> mmr",
)
QUERIES = ("forgot password iphone app", "kiosk pin")
ARMS = {"collected after every run": "true", "collected when Python needs it": "false"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--pipelines", type=int, default=3, choices=range(1, 7))
    arguments = parser.parse_args()
    figures: dict[str, list[dict[str, float]]] = {arm: [] for arm in ARMS}
    for _ in range(arguments.repeats):
        for arm, value in ARMS.items():
            specs = PIPELINES[: arguments.pipelines]
            figures[arm].append(_measured(value, specs, arguments.rounds))
    report(
        "app_reruns",
        {arm: {k: statistics.median(f[k] for f in runs) for k in runs[0]}
         for arm, runs in figures.items()},
    )  # fmt: skip


def _measured(value: str, specs: tuple[str, ...], rounds: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        server, url = start_server(Path(folder) / "home", f"--runner.postScriptGC={value}")
        try:
            return asyncio.run(_asked(url, psutil.Process(server.pid), specs, rounds))
        finally:
            end(server)


async def _asked(
    url: str, process: psutil.Process, specs: tuple[str, ...], rounds: int
) -> dict[str, float]:
    async with Visitor(url, specs) as visitor:
        for query in (*QUERIES, *QUERIES):
            await visitor.ask(query)
            await visitor.settled()
        before, resident = cpu_seconds(process), process.memory_info().rss
        for number in range(rounds):
            await visitor.ask(QUERIES[number % 2])
        return {
            "cpu_ms": 1000 * (cpu_seconds(process) - before) / rounds,
            "resident_mib": process.memory_info().rss / 2**20,
            "grown_mib": (process.memory_info().rss - resident) / 2**20,
        }


if __name__ == "__main__":
    main()
