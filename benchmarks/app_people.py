"""A room full of people in the app: what they wait for, and what they cost the server.

    python benchmarks/app_people.py [--people 8 24] [--minutes 3] [--every 10] [--reruns 2000]
        [--arms sessions browsers waiting memory]

Each arm has a server process of its own. Results are cached: what is measured is the page. All
people look at three pipelines and ask every `--every` seconds, spread evenly.

"sessions" are visitors over Streamlit's WebSocket without a browser, so that the server's cost
stands alone: seconds from a press until the run has ended. "browsers" are contexts of headless
Chromium on this same machine, seconds from the press until every column is drawn: browser and
server share the cores, and `server_cores` says how much of one the server took. "waiting" are 8
sessions that wait for one job which costs nothing itself. "memory" is one session that asks without
a pause: how the server's memory grows by 1,000 reruns.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psutil
from _processes import cpu_seconds, end
from _report import report
from _sessions import Visitor
from app_latency import FLAGS, start_server
from app_reruns import PIPELINES, QUERIES

from rerank_lab.testing.chat_server import FakeChat, sorter
from rerank_lab.testing.provider_servers import Switch, overlap

SPECS = PIPELINES[:3]
WAITING_PEOPLE, WAITING_S, ANSWER_S = 8, 20.0, 12.0
Figures = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, nargs="+", default=[8, 24])
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--every", type=float, default=10.0)
    parser.add_argument("--reruns", type=int, default=2000)
    parser.add_argument("--arms", nargs="+", default=["sessions", "browsers", "waiting", "memory"])
    arguments = parser.parse_args()
    figures: Figures = {"load_average_before": os.getloadavg()[0]}
    seconds, every = 60 * arguments.minutes, arguments.every
    for people in arguments.people:
        for arm, room in (("sessions", _sessions), ("browsers", _browsers)):
            if arm in arguments.arms:
                figures[f"{people} {arm}"] = _served(
                    lambda url, process, n=people, room=room: room(url, process, n, seconds, every)
                )
    if "waiting" in arguments.arms:
        figures[f"{WAITING_PEOPLE} waiting"] = _waiting()
    if "memory" in arguments.arms:
        figures["memory"] = _served(lambda url, process: _memory(url, process, arguments.reruns))
    figures["load_average_after"] = os.getloadavg()[0]
    report("app_people", figures)


def _served(arm: Callable[[str, psutil.Process], Coroutine[Any, Any, Figures]]) -> Figures:
    """The figures of an arm over a server of its own."""
    with tempfile.TemporaryDirectory() as folder:
        server, url = start_server(Path(folder) / "home")
        try:
            return asyncio.run(arm(url, psutil.Process(server.pid)))
        finally:
            end(server)


async def _warmed(visitor: Visitor) -> None:
    """Every query asked, so that all results are kept and every model is loaded."""
    for query in (*QUERIES, *QUERIES):
        await visitor.ask(query)
        await visitor.settled()


async def _sessions(
    url: str, process: psutil.Process, people: int, seconds: float, every: float
) -> Figures:
    visitors = [Visitor(url, SPECS) for _ in range(people)]
    async with visitors[0]:
        await _warmed(visitors[0])
        for visitor in visitors[1:]:
            await visitor.__aenter__()
        figures = await _room([v.ask for v in visitors], process, seconds, every)
        for visitor in visitors[1:]:
            await visitor.__aexit__()
    return figures | {"errors": sum(visitor.errors for visitor in visitors)}


async def _browsers(
    url: str, process: psutil.Process, people: int, seconds: float, every: float
) -> Figures:
    from playwright.async_api import async_playwright

    async with Visitor(url, SPECS) as visitor:
        await _warmed(visitor)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=FLAGS
        )
        pages = []
        for _ in range(people):
            context = await browser.new_context(viewport={"width": 1440, "height": 1000})
            pages.append(await context.new_page())
            link = urlencode({"p": SPECS, "q": QUERIES[0]}, doseq=True)
            await pages[-1].goto(f"{url}/?{link}")
            await _drawn(pages[-1], QUERIES[0])
        figures = await _room([_asker(page) for page in pages], process, seconds, every)
        errors = [await page.locator("[data-testid=stException]").count() for page in pages]
        await browser.close()
    return figures | {"errors": sum(errors)}


def _asker(page: Any) -> Callable[[str], Coroutine[Any, Any, float]]:
    async def ask(query: str) -> float:
        box = page.locator(".st-key-q input")
        await box.fill(query)
        began = time.perf_counter()
        await box.press("Enter")
        await _drawn(page, query)
        return time.perf_counter() - began

    return ask


async def _drawn(page: Any, query: str) -> None:
    """Wait until every column has a card with words of this query marked."""
    word = query.split()[0]
    await page.wait_for_function(
        """([word, columns]) => [...Array(columns).keys()].every((slot) =>
          [...document.querySelectorAll(`.st-key-col_${slot} mark`)].some(
            (mark) => mark.textContent.toLowerCase().startsWith(word)))""",
        arg=[word[:4], len(SPECS)],
        timeout=120_000,
    )


async def _room(
    askers: list[Callable[[str], Coroutine[Any, Any, float]]],
    process: psutil.Process,
    seconds: float,
    every: float,
) -> Figures:
    """Everybody asks the two queries by turns, one after the other within each interval."""
    waits: list[float] = []
    end = time.perf_counter() + seconds
    began, before = time.perf_counter(), cpu_seconds(process)
    resident = process.memory_info().rss

    async def person(number: int) -> None:
        due = time.perf_counter() + every * number / len(askers)
        turn = 1
        while due < end:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            waits.append(await askers[number](QUERIES[turn % 2]))
            turn, due = turn + 1, due + every

    await asyncio.gather(*(person(number) for number in range(len(askers))))
    cpu, took = cpu_seconds(process) - before, time.perf_counter() - began
    return {
        "asked": len(waits),
        "p50_s": statistics.median(waits),
        "p95_s": statistics.quantiles(waits, n=20)[-1],
        "worst_s": max(waits),
        "server_cpu_ms_a_query": 1000 * cpu / len(waits),
        "server_cores": cpu / took,
        "resident_mib": [resident / 2**20, process.memory_info().rss / 2**20],
    }


def _waiting() -> Figures:
    """Sessions that wait for one answer of a server which takes its time."""
    os.environ["RERANK_LAB_ALLOW_PRIVATE_URLS"] = "1"
    with FakeChat(sorter(overlap)) as chat:
        chat.always = Switch(delay_s=ANSWER_S)
        spec = f'bm25 >> listwise(base_url="{chat.url}",model="model")'
        return _served(lambda url, process: _wait(url, process, spec))


async def _wait(url: str, process: psutil.Process, spec: str) -> Figures:
    visitors = [Visitor(url, ["bm25", spec]) for _ in range(WAITING_PEOPLE)]
    for visitor in visitors:
        await visitor.__aenter__()
    await asyncio.gather(*(visitor.ask(QUERIES[0]) for visitor in visitors))
    await asyncio.sleep(5.0)
    began, before = time.perf_counter(), cpu_seconds(process)
    runs = sum(visitor.runs for visitor in visitors)
    await asyncio.sleep(WAITING_S)
    waiting = all(visitor.polling for visitor in visitors)
    cores = (cpu_seconds(process) - before) / (time.perf_counter() - began)
    runs = sum(visitor.runs for visitor in visitors) - runs
    for visitor in visitors:
        await visitor.__aexit__()
    await asyncio.sleep(1.0)
    return {
        "all_still_wait": waiting,
        "server_cores_together": cores,
        "runs_a_second_together": runs / WAITING_S,
        "errors": sum(visitor.errors for visitor in visitors),
    }


async def _memory(url: str, process: psutil.Process, reruns: int) -> Figures:
    async with Visitor(url, SPECS) as visitor:
        await _warmed(visitor)
        sizes = []
        for number in range(reruns):
            await visitor.ask(QUERIES[number % 2])
            if number % (reruns // 4) == 0:
                sizes.append(process.memory_info().rss / 2**20)
        sizes.append(process.memory_info().rss / 2**20)
    grown = sizes[-1] - sizes[1]
    return {
        "reruns": reruns,
        "resident_mib_by_quarter": sizes,
        "grown_mib_a_1000_after_the_first_quarter": grown / (0.75 * reruns / 1000),
    }


if __name__ == "__main__":
    main()
