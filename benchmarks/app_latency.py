"""The app as a visitor meets it: seconds to the first page, to the first column, to a repeated one.

    python benchmarks/app_latency.py [--documents 100000] [--rounds 7]

A server process of its own with an empty data folder, the helpdesk sample, and Chromium driven by
Playwright (its path in CHROMIUM, or /usr/bin/chromium). "bm25_column_s" is from Enter to the
first card of a BM25 column, for queries never asked before; "repeated_s" the same for queries asked
before. With --documents, a synthetic corpus of that size is imported first, opened in the app and
searched, and the memory of the app's process is read.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psutil
from _report import report

ROOT = Path(__file__).resolve().parent.parent
SEED = 7
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        home = Path(folder) / "home"
        if arguments.documents:
            _import(home, arguments.documents)
        began = time.perf_counter()
        server, url = start_server(home)
        started_s = time.perf_counter() - began
        try:
            browser = playwright.chromium.launch(
                executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=FLAGS
            )
            page = browser.new_page(viewport={"width": 1440, "height": 1000})
            figures = {"server_answers_s": started_s, **_visit(page, url, arguments.rounds)}
            if arguments.documents:
                figures["large_corpus"] = _large(page, url, server, arguments.documents)
            browser.close()
        finally:
            server.terminate()
            server.wait(10)
    report("app_latency", figures)


def _visit(page: Any, url: str, rounds: int) -> dict[str, Any]:
    began = time.perf_counter()
    page.goto(f"{url}/?{urlencode({'p': 'bm25'})}")
    page.locator(".st-key-q input").wait_for()
    page.get_by_text("Pipeline", exact=False).first.wait_for()
    first_page_s = time.perf_counter() - began
    words = ["invoice", "password", "shift", "export", "kiosk", "audit", "holiday", "rota", "badge"]
    new = [_ask(page, f"{word} {n}") for n, word in enumerate(words[: rounds + 1])][1:]
    again = [_ask(page, f"{word} {n}") for n, word in enumerate(words[: rounds + 1])][1:]
    return {
        "first_page_s": first_page_s,
        "bm25_column_s": _summary(new),
        "repeated_s": _summary(again),
    }


def _ask(page: Any, query: str) -> float:
    """Seconds from Enter until the column has cards of this query."""
    box = page.locator(".st-key-q input")
    box.fill(query)
    word = query.split()[0]
    began = time.perf_counter()
    box.press("Enter")
    page.locator(".st-key-col_0 mark", has_text=word[:4]).or_(
        page.locator(".st-key-col_0 mark", has_text=word[:4].capitalize())
    ).first.wait_for()
    seconds = time.perf_counter() - began
    page.wait_for_timeout(600)
    return seconds


def _large(page: Any, url: str, server: subprocess.Popen[bytes], documents: int) -> dict[str, Any]:
    page.goto(f"{url}/?{urlencode({'corpus': 'large', 'q': 'w11 w17', 'p': 'bm25'})}")
    began = time.perf_counter()
    page.locator(".st-key-col_0 mark").first.wait_for(timeout=180_000)
    opened_s = time.perf_counter() - began
    asked = [_ask(page, f"w{n} w{n + 40}") for n in range(101, 106)]
    memory = psutil.Process(server.pid).memory_info().rss
    return {
        "documents": documents,
        "opened_and_indexed_s": opened_s,
        "bm25_column_s": _summary(asked),
        "app_memory_bytes": memory,
    }


def _import(home: Path, documents: int) -> None:
    """Documents of 60 words from a Zipf-like vocabulary, imported as anybody's would be."""
    draw = random.Random(SEED)
    words = [f"w{rank}" for rank in range(1, 30_001)]
    weights = [1 / rank for rank in range(1, 30_001)]
    file = home.parent / "large.jsonl"
    with file.open("w", encoding="utf-8") as out:
        for number in range(documents):
            text = " ".join(draw.choices(words, weights, k=60))
            out.write(json.dumps({"_id": f"d{number}", "text": text}) + "\n")
    command = [
        sys.executable,
        "-m",
        "rerank_lab",
        "corpora",
        "import",
        str(file),
        "--name",
        "large",
    ]
    subprocess.run(
        command, cwd=ROOT, env=os.environ | {"RERANK_LAB_HOME": str(home)}, check=True,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip


def start_server(home: Path, *options: str) -> tuple[subprocess.Popen[bytes], str]:
    """The app over a data folder, with these options of Streamlit; the process and its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    server = subprocess.Popen(
        [*command, "--server.headless", "true", "--server.fileWatcherType", "none", *options],
        cwd=ROOT,
        env=os.environ | {"RERANK_LAB_HOME": str(home), "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(f"http://localhost:{port}/_stcore/health", timeout=1)
            return server, f"http://localhost:{port}"
        except OSError:
            time.sleep(0.05)
    server.kill()
    raise SystemExit("The server did not start within a minute.")


def _summary(seconds: list[float]) -> dict[str, float]:
    return {
        "median": statistics.median(seconds),
        "min": min(seconds),
        "max": max(seconds),
        "rounds": len(seconds),
    }


if __name__ == "__main__":
    main()
