"""What a rerun of Compare costs the server: processor time, and memory as reruns add up.

    python benchmarks/app_reruns.py [--rounds 40] [--repeats 3] [--pipelines 3]

Two queries are asked by turns whose results are cached, so that only the page itself works. The
arms differ in `runner.postScriptGC`, Streamlit's full garbage collection after every run, and run
alternately, each in a server process of its own. "cpu_ms" is processor time of that process a
query; the first queries, which load and compute, are not counted.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psutil
from _report import report
from app_latency import FLAGS, start_server

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
_SETTLE_MS = 700


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--pipelines", type=int, default=3, choices=range(1, 7))
    arguments = parser.parse_args()
    from playwright.sync_api import sync_playwright

    figures: dict[str, list[dict[str, float]]] = {arm: [] for arm in ARMS}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=FLAGS
        )
        for _ in range(arguments.repeats):
            for arm, value in ARMS.items():
                page = browser.new_page(viewport={"width": 1440, "height": 1000})
                specs = PIPELINES[: arguments.pipelines]
                figures[arm].append(_measured(page, value, specs, arguments.rounds))
                page.close()
        browser.close()
    report(
        "app_reruns",
        {arm: {k: statistics.median(f[k] for f in runs) for k in runs[0]}
         for arm, runs in figures.items()},
    )  # fmt: skip


def _measured(page: Any, value: str, specs: tuple[str, ...], rounds: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        server, url = start_server(Path(folder) / "home", f"--runner.postScriptGC={value}")
        try:
            page.goto(f"{url}/?{urlencode({'p': specs, 'q': QUERIES[0]}, doseq=True)}")
            for query in (*QUERIES, *QUERIES):
                _ask(page, query, len(specs))
            process = psutil.Process(server.pid)
            before, resident = _seconds(process), process.memory_info().rss
            for number in range(rounds):
                _ask(page, QUERIES[number % 2], len(specs))
            return {
                "cpu_ms": 1000 * (_seconds(process) - before) / rounds,
                "resident_mib": process.memory_info().rss / 2**20,
                "grown_mib": (process.memory_info().rss - resident) / 2**20,
            }
        finally:
            _end(server)


def _ask(page: Any, query: str, columns: int) -> None:
    box = page.locator(".st-key-q input")
    box.fill(query)
    box.press("Enter")
    page.locator(f".st-key-col_{columns - 1} mark", has_text=query.split()[0]).or_(
        page.locator(f".st-key-col_{columns - 1} mark", has_text=query.split()[0].capitalize())
    ).first.wait_for(timeout=120_000)
    page.wait_for_timeout(_SETTLE_MS)


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _end(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    server.wait(10)


if __name__ == "__main__":
    main()
