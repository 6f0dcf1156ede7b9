"""How often intervals of the 95th percentile of latency hold the true one, where queries wait.

    python benchmarks/load_intervals.py [runs]

Single-server queues with exponential service times (M/M/1), simulated: 100 to 1,000 queries a run
at 30 to 90 % load. Four ways to a 95 % interval: order statistics, which take latencies for
independent; a moving-block bootstrap (blocks of the square root of the length); sectioning
(Student's t over eight parts; Asmussen and Glynn, Stochastic Simulation, 2007, section III.5a); and
the queue run again, which is what load studies give.
"""

from __future__ import annotations

import math
import os
import sys
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from rerank_lab.evaluation.load.percentiles import order_interval
from rerank_lab.evaluation.load.queueing import latencies, with_intervals

sys.path.insert(0, os.path.dirname(__file__))
from _report import report

Floats = NDArray[np.float64]
LOADS, LENGTHS, SHARE, RUNS = (0.3, 0.6, 0.8, 0.9), (100, 400, 1000), 0.95, 150
SECTIONS = 8


def simulated(
    load: float, count: int, runs: int, generator: np.random.Generator
) -> tuple[Floats, Floats]:
    """Latencies and service times of runs that begin with an empty queue, `[runs, count]`."""
    moments = np.cumsum(generator.exponential(1 / load, (runs, count)), axis=1)
    service = generator.exponential(size=(runs, count))
    return latencies(moments, service, 1), service


def by_order(observed: Floats) -> tuple[float, float]:
    low, high = order_interval(len(observed), SHARE)
    ordered = np.sort(observed)
    return (
        -math.inf if low is None else float(ordered[low]),
        math.inf if high is None else float(ordered[high]),
    )


def by_blocks(observed: Floats, generator: np.random.Generator) -> tuple[float, float]:
    count = len(observed)
    length = int(math.sqrt(count))
    starts = generator.integers(0, count, (400, math.ceil(count / length)))
    places = (starts[:, :, None] + np.arange(length)) % count
    drawn = observed[places.reshape(400, -1)[:, :count]]
    low, high = np.quantile(np.quantile(drawn, SHARE, axis=1), (0.025, 0.975))
    return float(low), float(high)


def by_sections(observed: Floats) -> tuple[float, float]:
    whole = float(np.quantile(observed, SHARE))
    parts = [float(np.quantile(part, SHARE)) for part in np.array_split(observed, SECTIONS)]
    spread = math.sqrt(sum((part - whole) ** 2 for part in parts) / (SECTIONS - 1) / SECTIONS)
    half = float(student.ppf(0.975, SECTIONS - 1)) * spread
    return whole - half, whole + half


def coverage(load: float, count: int, runs: int) -> dict[str, float]:
    """The share of runs whose interval holds the percentile of all runs of that length."""
    generator = np.random.default_rng([int(100 * load), count])
    settling = count // 10
    true = float(np.quantile(simulated(load, count, 4000, generator)[0][:, settling:], SHARE))
    every, service = simulated(load, count, runs, generator)
    hits = dict.fromkeys(("order_statistics", "blocks", "sections", "queue_again"), 0)
    for run in range(runs):
        observed = every[run, settling:]
        (again,) = with_intervals(
            observed, service[run], 1, load, "poisson", settling, (SHARE,), run
        )
        assert again.low is not None
        assert again.high is not None
        intervals = {
            "order_statistics": by_order(observed),
            "blocks": by_blocks(observed, generator),
            "sections": by_sections(observed),
            "queue_again": (again.low, again.high),
        }
        for name, (low, high) in intervals.items():
            hits[name] += low <= true <= high
    return {"load": load, "queries": count} | {name: hit / runs for name, hit in hits.items()}


def main(arguments: list[str]) -> None:
    runs = int(arguments[0]) if arguments else RUNS
    rows = [coverage(load, count, runs) for load, count in product(LOADS, LENGTHS)]
    report("load_intervals", {"runs": runs, "rows": rows})


if __name__ == "__main__":
    main(sys.argv[1:])
