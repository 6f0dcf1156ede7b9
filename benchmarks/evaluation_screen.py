"""Evaluate with 50,000 result cells in a real browser: opening, filtering, scrolling, the heat map.

    python benchmarks/evaluation_screen.py [--queries 6250] [--pipelines 8]

An experiment by chance (10 candidates a query) is written to a data folder of its own; a server
process and Chromium (its path in CHROMIUM, or /usr/bin/chromium) show it. Printed are, in seconds:

- `open_s`: from the link to the table of queries, on a server that has just read the experiment;
  `first_open_s` the same on a server that has not.
- `filter_s`: from the click on "Got worse" until the table holds fewer queries.
- `scroll`: 120 turns of the wheel over the table, 60 a second: the median and the longest time
  between two frames of the browser in milliseconds, and `frozen`, how often it was above 200 ms.
- `heat_map_s`: from the question to the drawn heat map; `next_part_s` until its next part is drawn;
  `click_s` from a click on a cell to the page of its query.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _report import report
from app_latency import FLAGS, start_server

ROOT = Path(__file__).resolve().parent.parent
WRITER = """
import sys
sys.path.insert(0, sys.argv[1])
from experiments import made
from rerank_lab.evaluation.experiments.store import ExperimentRecord
design, cells = made(int(sys.argv[2]), int(sys.argv[3]), 10)
record = ExperimentRecord(design.id)
writer = record.writer(record.open(design))
for cell in cells:
    writer.add(cell)
print(design.id)
"""
FRAMES = """
() => { window.frames_ms = []; let last = performance.now();
  const tick = now => { window.frames_ms.push(now - last); last = now;
    window.ticking && requestAnimationFrame(tick); };
  window.ticking = true; requestAnimationFrame(tick); }
"""


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=6250)
    parser.add_argument("--pipelines", type=int, default=8)
    arguments = parser.parse_args()
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        home = Path(folder) / "home"
        command = [sys.executable, "-c", WRITER, str(ROOT / "benchmarks")]
        written = subprocess.run(
            [*command, str(arguments.queries), str(arguments.pipelines)],
            env=os.environ | {"RERANK_LAB_HOME": str(home)}, cwd=ROOT, check=True,
            capture_output=True, text=True,
        )  # fmt: skip
        experiment_id = written.stdout.split()[-1]
        server, url = start_server(home)
        try:
            browser = playwright.chromium.launch(
                executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=FLAGS
            )
            link = f"{url}/evaluate?corpus=helpdesk&exp={experiment_id}"
            figures = {"cells": arguments.queries * arguments.pipelines}
            figures |= _on_screen(browser, link)
            browser.close()
        finally:
            server.terminate()
            server.wait(20)
    report("evaluation screen", figures)


def _on_screen(browser: Any, link: str) -> dict[str, Any]:
    first_open_s = _opened(browser, link)[1]
    page, open_s = _opened(browser, link)
    figures: dict[str, Any] = {"first_open_s": first_open_s, "open_s": open_s}
    figures["filter_s"] = _timed(
        lambda: page.get_by_text("Got worse").first.click(),
        lambda: page.wait_for_url("**queries=worse**"),
        lambda: _settled(page),
    )
    figures["scroll"] = _scrolled(page)
    print(figures, file=sys.stderr)
    figures["heat_map_s"] = _timed(
        lambda: page.get_by_text("Where it helps and hurts", exact=True).first.click(),
        lambda: page.locator(".st-key-query_heat .bars .point").first.wait_for(),
    )
    box = page.locator("[class*='st-key-heat_']").first
    _settled(page)
    figures["next_part_s"] = _timed(
        lambda: box.locator("input").click(),
        lambda: page.keyboard.type("51 to 100"),
        lambda: page.keyboard.press("Enter"),
        lambda: page.wait_for_url("**heat=51**"),
        lambda: _settled(page),
    )
    cell = page.locator(".st-key-query_heat .bars .point").nth(3)
    page.wait_for_timeout(2000)
    page.locator(".st-key-query_heat").scroll_into_view_if_needed()
    page.wait_for_timeout(1000)
    place = cell.bounding_box()
    page.mouse.move(place["x"] + 5, place["y"] + place["height"] / 2)
    page.wait_for_timeout(1000)
    figures["click_s"] = _timed(
        lambda: page.mouse.down(), lambda: page.mouse.up(),
        lambda: page.wait_for_url("**of=q**"),
        lambda: page.locator(".st-key-query_bump").wait_for(),
    )  # fmt: skip
    return figures


def _opened(browser: Any, link: str) -> tuple[Any, float]:
    page = browser.new_page(viewport={"width": 1440, "height": 1000})
    page.set_default_timeout(120_000)
    seconds = _timed(
        lambda: page.goto(link),
        lambda: page.locator(".st-key-evaluate_queries canvas").first.wait_for(),
        lambda: _settled(page),
    )
    return page, seconds


def _settled(page: Any) -> None:
    """Until the server has nothing to draw any more."""
    page.wait_for_function(
        "!document.querySelector('[data-testid=stStatusWidget], [data-stale=true]')"
    )


def _scrolled(page: Any) -> dict[str, float]:
    table = page.locator(".st-key-evaluate_queries .dvn-scroller").first
    table.scroll_into_view_if_needed()
    table.hover()
    page.wait_for_timeout(1000)
    page.evaluate(FRAMES)
    for _ in range(120):
        page.mouse.wheel(0, 600)
        page.wait_for_timeout(16)
    page.evaluate("window.ticking = false")
    frames = page.evaluate("window.frames_ms")[1:]
    return {
        "frames": len(frames),
        "median_ms": statistics.median(frames),
        "longest_ms": max(frames),
        "frozen": sum(frame > 200 for frame in frames),
    }


def _timed(*steps: Any) -> float:
    begun = time.perf_counter()
    for step in steps:
        step()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
