"""What a command costs from a cold process: processor seconds and memory.

    python benchmarks/start_time.py [rounds]

`rerank-lab --help`, and one query of the sample `helpdesk` by words, its index there. Processor
seconds, which other work on the machine changes little; the clock beside them. Medians.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

from _report import report

COMMANDS = {
    "help": ["--help"],
    "rank_bm25": ["rank", "helpdesk", "turn off weekly emails", "-p", "bm25"],
}


def once(words: list[str], environment: dict[str, str]) -> dict[str, float]:
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "rerank_lab", *words]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cpu_s": cpu, "seconds": seconds}


def main(rounds: int) -> None:
    figures: dict[str, Any] = {"rounds": rounds}
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"RERANK_LAB_HOME": home}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in COMMANDS}
        for number in range(rounds + 1):
            for name, words in COMMANDS.items():
                took = once(words, environment)
                if number:  # the first one compiles modules and builds the index
                    runs[name].append(took)
    for name, taken in runs.items():
        figures[name] = {key: statistics.median(run[key] for run in taken) for key in taken[0]}
    report("start_time", figures)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
