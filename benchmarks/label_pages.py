"""The pages of labelling with 100,000 judgments of 10 judges, in a real browser.

    python benchmarks/label_pages.py [--judgments 100000] [--presses 60] [--rounds 5]

One session of 2,600 queries with 20 documents each, every document wanted by two judges, holds all
the judgments; so nothing that a page reckons is spared. Per database (SQLite; PostgreSQL where it
is installed, with fsync on, on this machine), with a server process of its own and Chromium by
Playwright (its path in CHROMIUM, or /usr/bin/chromium):

- "first_s": seconds until a page shows its content, in a server that has shown only Compare before,
  the first time that it reads these judgments; "open_s": again, in new browser contexts.
- "next_document_ms": from the press of a key until the next document has been painted.
- "acknowledged_ms": from the press until the page says "saved", which it says when the label is on
  the disk, while two judges press a key every `PAUSE_MS`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import psutil
from _processes import cpu_seconds, end
from _report import report
from _synthetic import queries, write_collection
from app_latency import FLAGS, ROOT, start_server

from rerank_lab.core.database import DATABASE_VARIABLE
from rerank_lab.core.paths import HOME_VARIABLE
from rerank_lab.judging.records import JudgeKind, JudgingPair, Judgment, LabelSession
from rerank_lab.judging.store import JudgmentStore
from rerank_lab.testing.postgres_server import PostgresServer, postgres_programs

DOCUMENTS, QUERIES, PER_QUERY, JUDGES = 10_000, 2_600, 20, 10
SESSION = "big"
PAUSE_MS = 700
PAGES = {
    "judge": ({"session": SESSION, "judge": "Zoe"}, ".st-key-judging .document .text"),
    "lead": ({"session": SESSION, "view": "lead"}, ".st-key-lead_now [data-testid=stDataFrame]"),
    "label": ({"corpus": "large"}, ".st-key-label_sessions"),
}
"""Page -> its address and what is there once it shows its content."""
PRESS = """
async ([presses, pause]) => {
  const inside = (root, wanted) => {
    const one = root.querySelector(wanted);
    if (one) return one;
    for (const element of root.querySelectorAll('*')) {
      const deeper = element.shadowRoot && inside(element.shadowRoot, wanted);
      if (deeper) return deeper;
    }
  };
  const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
  const painted = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
  const [text, saved] = ['.document', '.saved'].map((wanted) => inside(document, wanted));
  const times = { next: [], saved: [] };
  for (let n = 0; n < presses; n++) {
    const before = text.innerText;
    const began = performance.now();
    const acknowledged = new Promise((done) => {
      const look = () => {
        if (!saved.textContent.endsWith('saved')) return;
        observer.disconnect();
        done(performance.now() - began);
      };
      const observer = new MutationObserver(look);
      observer.observe(saved, { childList: true, characterData: true, subtree: true });
    });
    window.dispatchEvent(new KeyboardEvent('keydown', { key: String(n % 4), bubbles: true }));
    await painted();
    if (text.innerText === before) throw new Error('the same document after a press');
    times.next.push(performance.now() - began);
    times.saved.push(await Promise.race([acknowledged, sleep(20000)]));
    await sleep(pause);
  }
  return times;
}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--judgments", type=int, default=100_000)
    parser.add_argument("--presses", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"])
    arguments = parser.parse_args()
    figures: dict[str, Any] = {"judgments": arguments.judgments}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        _import(home)
        os.environ[HOME_VARIABLE] = str(home)
        os.environ.pop(DATABASE_VARIABLE, None)
        for name in arguments.databases:
            if name == "postgresql" and not postgres_programs():
                continue
            with PostgresServer(durable=True) if name == "postgresql" else nullcontext() as server:
                if server is not None:
                    os.environ[DATABASE_VARIABLE] = server.address()
                _fill(arguments.judgments)
                figures[name] = _measured(home, arguments)
    report("label_pages", figures)


def _import(home: Path) -> None:
    """The documents and queries, imported as anybody's would be."""
    folder = home.parent
    write_collection(folder / "large.jsonl", DOCUMENTS)
    with (folder / "queries.jsonl").open("w", encoding="utf-8") as out:
        for number, text in enumerate(queries(QUERIES, DOCUMENTS)):
            out.write(json.dumps({"_id": f"q{number}", "text": text}) + "\n")
    command = [
        *(sys.executable, "-m", "rerank_lab", "corpora", "import", str(folder / "large.jsonl")),
        *("--name", "large", "--queries", str(folder / "queries.jsonl")),
    ]
    environment = os.environ | {HOME_VARIABLE: str(home)}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)


def _fill(count: int) -> None:
    """The session, and so many judgments in it: each document by two of the judges in turn."""
    from rerank_lab.corpora import load_corpus

    corpus = load_corpus("large")
    now = datetime.now(UTC)
    pairs = tuple(
        JudgingPair(f"q{q}", f"d{(q * 37 + n * 501) % DOCUMENTS:07}")
        for q in range(QUERIES)
        for n in range(PER_QUERY)
    )
    texts = {query.id: query.text for query in corpus.queries}
    store = JudgmentStore.open()
    store.save_session(
        LabelSession(
            SESSION, "large", "A large session", (), PER_QUERY, pairs, now, overlap=1.0,
            queries=texts,
        )
    )  # fmt: skip
    draw = np.random.default_rng(0)
    grades = draw.integers(0, 4, count)
    rows = [
        Judgment(
            "large", pair.query_id, pair.doc_id, int(grades[2 * n + side]),
            f"judge {(n + side * 3) % JUDGES}", JudgeKind.HUMAN,
            now - timedelta(seconds=4 * (count - 2 * n - side)), seconds=4.0,
            content_hash=corpus.document_hash(pair.doc_id), position=n, session_id=SESSION,
        )
        for n, pair in enumerate(pairs[: count // 2])
        for side in (0, 1)
    ]  # fmt: skip
    store.append(rows)


def _measured(home: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    from playwright.sync_api import sync_playwright

    figures: dict[str, Any] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=FLAGS
        )
        for name in PAGES:
            with _server(home) as (process, url):
                _opened(browser, f"{url}/?corpus=helpdesk", ".st-key-corpus")
                figures[name] = _page(browser, url, name, process, arguments.rounds)
        with _server(home) as (process, url):
            figures |= _pressed(browser, url, process, arguments.presses)
        browser.close()
    return figures


@contextmanager
def _server(home: Path) -> Iterator[tuple[psutil.Process, str]]:
    server, url = start_server(home)
    try:
        yield psutil.Process(server.pid), url
    finally:
        end(server)


def _page(
    browser: Any, url: str, name: str, process: psutil.Process, rounds: int
) -> dict[str, Any]:
    query, wanted = PAGES[name]
    address = f"{url}/label?{urlencode(query)}"
    spent = cpu_seconds(process)
    first = _opened(browser, address, wanted)
    first_spent = cpu_seconds(process) - spent
    spent = cpu_seconds(process)
    again = [_opened(browser, address, wanted) for _ in range(rounds)]
    return {
        "first_s": first,
        "first_processor_s": first_spent,
        "open_s": {"median": float(np.median(again)), "max": max(again)},
        "open_processor_s": (cpu_seconds(process) - spent) / rounds,
    }


def _opened(browser: Any, address: str, wanted: str) -> float:
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    page = context.new_page()
    began = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.locator(wanted).first.wait_for(timeout=120_000)
    seconds = time.perf_counter() - began
    page.wait_for_timeout(500)
    context.close()
    return seconds


def _pressed(browser: Any, url: str, process: psutil.Process, presses: int) -> dict[str, Any]:
    """Two judges at once, each a key every `PAUSE_MS` after what they pressed before was saved."""
    pages = []
    for judge in ("Ada", "Ben"):
        page = browser.new_context(viewport={"width": 1440, "height": 1000}).new_page()
        page.goto(f"{url}/label?{urlencode({'session': SESSION, 'judge': judge})}")
        page.locator(".st-key-judging .document .text").wait_for(timeout=120_000)
        page.wait_for_timeout(1500)
        pages.append(page)
    spent = cpu_seconds(process)
    for page in pages:
        page.evaluate(
            "([program, values]) => { window.presses = eval(program)(values)"
            ".then((times) => { window.times = times; }, (e) => { window.times = String(e); }); }",
            [PRESS, [presses, PAUSE_MS]],
        )
    for page in pages:
        page.wait_for_function("() => window.times", timeout=600_000)
    times = [page.evaluate("() => window.times") for page in pages]
    if any(isinstance(one, str) for one in times):
        raise SystemExit(str(times))
    return {
        "next_document_ms": _percentiles([t for one in times for t in one["next"]]),
        "acknowledged_ms": _percentiles([t or 20_000.0 for one in times for t in one["saved"]]),
        "processor_ms_a_label": 1e3 * (cpu_seconds(process) - spent) / (2 * presses),
    }


def _percentiles(values: list[float]) -> dict[str, float]:
    p50, p95 = np.percentile(values, [50, 95])
    return {"p50": float(p50), "p95": float(p95), "max": max(values), "times": len(values)}


if __name__ == "__main__":
    main()
