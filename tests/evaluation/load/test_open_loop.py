"""The load generator against queues whose waiting times are known."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from rerank_lab.evaluation.load.arrivals import schedule
from rerank_lab.evaluation.load.generator import Answer, TimedCall, drive, saturate
from rerank_lab.evaluation.load.queueing import (
    bottleneck,
    latencies,
    wait_behind_each_other,
    with_intervals,
)
from rerank_lab.evaluation.load.search import keeps, largest_load
from rerank_lab.evaluation.load.steps import summarise
from rerank_lab.evaluation.load.study import LoadStep

Floats = NDArray[np.float64]


class CountedClock:
    """Time that passes only when somebody waits or works."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def wait_until(self, moment: float, stopped: Callable[[], bool]) -> None:
        self.time = max(self.time, moment)


def driven(moments: Floats, service: Floats, grace_s: float = 1e9) -> list[TimedCall]:
    """One worker at a server that takes exactly these times."""
    clock = CountedClock()

    def call(index: int) -> Answer:
        clock.time += float(service[index])
        return Answer(True, 10, 100)

    return drive(call, [float(m) for m in moments], 1, grace_s=grace_s, clock=clock)


def service_times(kind: str, n: int) -> Floats:
    if kind == "deterministic":
        return np.ones(n)
    return np.random.default_rng(7).exponential(size=n)


@pytest.mark.parametrize("kind", ["deterministic", "exponential"])
@pytest.mark.parametrize("load", [0.3, 0.6, 0.9])
def test_waiting_times_are_those_of_the_queue(kind: str, load: float) -> None:
    moments = schedule(load, 8000, "poisson", seed=1)
    service = service_times(kind, len(moments))
    calls = driven(moments, service)
    waits = np.array([one.started or 0.0 for one in calls]) - moments
    expected = latencies(moments, service, 1) - service
    assert np.allclose(waits, expected)


@pytest.mark.parametrize(("kind", "variance"), [("deterministic", 0.0), ("exponential", 1.0)])
@pytest.mark.parametrize("load", [0.9])
def test_worked_out_queues_agree_with_pollaczek_and_khinchine(
    kind: str, variance: float, load: float
) -> None:
    generator = np.random.default_rng(3)
    shape, settling = (1500, 1500), 800
    moments = np.cumsum(generator.exponential(1 / load, shape), axis=1)
    service = np.ones(shape) if kind == "deterministic" else generator.exponential(size=shape)
    waits = (latencies(moments, service, 1) - service)[:, settling:]
    expected = load * (1 + variance) / (2 * (1 - load))
    assert waits.mean() == pytest.approx(expected, rel=0.05)


def test_a_stall_counts_for_everybody_who_was_due_meanwhile() -> None:
    service = np.full(100, 0.001)
    service[10] = 2.0
    calls = driven(schedule(20, 5, "fixed"), service)
    step = summarise(calls, 20, 5, 1, "fixed", grace_s=1e9)
    assert step.p95 is not None
    assert step.p95.seconds > 1.5  # a closed loop would have timed a single slow query
    assert step.curve[50] > 0.001


def test_queries_that_never_began_are_no_fast_ones() -> None:
    calls = driven(schedule(10, 10, "fixed"), np.ones(100), grace_s=2.0)
    step = summarise(calls, 10, 10, 1, "fixed", grace_s=2.0)
    assert (step.due, step.answered + step.unfinished) == (100, 100)
    assert step.unfinished > 80
    assert step.p95 is not None
    assert step.p95.at_least
    assert not keeps(step, 1000.0)
    assert step.mean_s is None


def test_arrivals_come_at_their_rate_and_before_the_end() -> None:
    moments = schedule(50, 200, "poisson", seed=4)
    assert len(moments) == pytest.approx(10_000, rel=0.03)
    assert moments[-1] < 200
    assert np.std(np.diff(moments)) == pytest.approx(0.02, rel=0.05)
    assert np.allclose(np.diff(schedule(50, 2, "fixed")), 0.02)
    faster = schedule(100, 200, "poisson", seed=4)
    assert np.allclose(faster[:10_000], moments[:10_000][: len(faster)] / 2, atol=1e-9)


def test_intervals_hold_the_true_percentile_where_queries_wait_for_each_other() -> None:
    load, n, runs = 0.8, 300, 40
    generator = np.random.default_rng(0)
    moments = np.cumsum(generator.exponential(1 / load, (3000, n)), axis=1)
    service = generator.exponential(size=(3000, n))
    every = latencies(moments, service, 1)[:, 30:]
    true = float(np.quantile(every, 0.95))
    hits = 0
    for run in range(runs):
        (one,) = with_intervals(every[run], service[run], 1, load, "poisson", 30, (0.95,), run)
        assert one.low is not None
        assert one.high is not None
        hits += one.low <= true <= one.high
    assert hits >= 0.8 * runs


def test_a_queue_behind_the_workers_is_recognised() -> None:
    moments = schedule(0.9, 2000, "poisson", seed=2)
    service = service_times("exponential", len(moments))
    seconds = latencies(moments, service, 1)
    assert wait_behind_each_other(seconds)
    assert not wait_behind_each_other(service)
    assert np.allclose(bottleneck(moments, moments + seconds), service)


def step_of(rate: float, p95_of: Callable[[float], float]) -> LoadStep:
    service = np.full(40, p95_of(rate))
    calls = driven(np.arange(40) * 1e6, service)
    return summarise(calls, rate, 1.0, 1, "fixed", grace_s=1e9)


def test_the_largest_load_is_found_by_halving() -> None:
    tried: list[float] = []

    def measure(rate: float) -> LoadStep:
        tried.append(rate)
        return step_of(rate, lambda r: 0.1 if r <= 7.3 else 0.9)

    largest = largest_load(measure, 0.3, measure(2.0), 16.0, tries=8)
    assert largest.sustained is not None
    assert largest.broken is not None
    assert largest.sustained <= 7.3 < largest.broken
    assert largest.broken / largest.sustained < 1.06
    assert len(tried) <= 9
    assert [step.rate for step in largest.steps] == sorted(tried)
    few = summarise(driven(np.arange(9) * 1e6, np.ones(9)), 1, 1.0, 1, "fixed", grace_s=1e9)
    assert not keeps(few, 1000.0)
    none = largest_load(measure, 0.01, measure(2.0), 16.0, tries=3)
    assert none.sustained is None


def test_real_time_is_kept_to_the_millisecond_and_errors_reach_whoever_waits() -> None:
    def call(index: int) -> Answer:
        time.sleep(0.004)
        return Answer(True)

    calls = drive(call, [float(m) for m in schedule(100, 0.5, "fixed")], 4, grace_s=5)
    late = [(one.started or 0.0) - one.due for one in calls]
    assert len(calls) == 50
    assert min(late) >= 0
    assert float(np.median(late)) < 0.003

    def broken(index: int) -> Answer:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        drive(broken, [0.0, 0.01], 2, grace_s=1)
    done, lasted = saturate(call, 2, 0.1)
    assert 20 <= len(done) <= 60
    assert lasted >= 0.1
