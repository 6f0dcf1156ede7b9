"""One rate, measured: from timed calls to latencies, intervals and throughput."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rerank_lab.evaluation.load.generator import TimedCall
from rerank_lab.evaluation.load.queueing import bottleneck, wait_behind_each_other, with_intervals
from rerank_lab.evaluation.load.study import Arrivals, LoadStep, Percentile

Floats = NDArray[np.float64]

SETTLING = 0.1
"""The share of the queries at the start that found the queue emptier than it is later."""
SHARES = (0.5, 0.95, 0.99)


def summarise(
    calls: Sequence[TimedCall],
    rate: float,
    seconds: float,
    workers: int,
    arrivals: Arrivals,
    *,
    grace_s: float,
    seed: int = 0,
) -> LoadStep:
    """What the calls of one schedule came to.

    A query that was given up counts with the time until then, which its latency is at least. One
    that failed has no latency: it is counted apart.
    """
    settling = int(len(calls) * SETTLING)
    ends = (calls[-1].due if calls else 0.0) + grace_s
    later = calls[settling:]
    answered = [one for one in calls if one.answer is not None and one.answer.ok]
    observed = [_latency(one, ends) for one in later if one.answer is None or one.answer.ok]
    given_up = [ends - one.due for one in later if one.answer is None]
    percentiles = _percentiles(
        observed, given_up, answered, (workers, rate, arrivals, settling), seed
    )
    timed = [one for one in calls if one.started is not None]
    last = max([seconds, *(one.ended or 0.0 for one in timed)])
    work_s = sum((one.ended or 0.0) - (one.started or 0.0) for one in timed)
    late = [_wait(one) for one in timed if one.free_at is not None and one.free_at < one.due]
    waits = [_wait(one) for one in later if one.started is not None]
    answers = [one.answer for one in answered if one.answer is not None]
    return LoadStep(
        rate=rate,
        seconds=seconds,
        due=len(calls),
        answered=len(answered),
        failed=sum(one.answer is not None and not one.answer.ok for one in calls),
        unfinished=sum(one.answer is None for one in calls),
        settling=settling,
        mean_s=float(np.mean(observed)) if observed and not given_up else None,
        p50=percentiles[0],
        p95=percentiles[1],
        p99=percentiles[2],
        waiting_s=float(np.mean(waits)) if waits and not given_up else None,
        busy=min(1.0, work_s / (last * workers)) if last else 0.0,
        late_s=float(np.quantile(late, 0.95)) if late else None,
        queries_per_s=len(answered) / last if last else 0.0,
        documents_per_s=sum(one.documents for one in answers) / last if last else 0.0,
        tokens_per_s=sum(one.tokens for one in answers) / last if last else 0.0,
        curve=tuple(map(float, np.quantile(observed, np.arange(101) / 100))) if observed else (),
    )


def _latency(call: TimedCall, ends: float) -> float:
    return (ends if call.ended is None else call.ended) - call.due


def _wait(call: TimedCall) -> float:
    return (call.due if call.started is None else call.started) - call.due


def _percentiles(
    observed: Sequence[float],
    given_up: Sequence[float],
    answered: Sequence[TimedCall],
    queue: tuple[int, float, Arrivals, int],
    seed: int,
) -> list[Percentile] | list[None]:
    """At `SHARES`; with intervals where every query was answered and enough of them were."""
    if not observed:
        return [None] * len(SHARES)
    if given_up:
        least = min(given_up)
        values = [float(np.quantile(observed, share)) for share in SHARES]
        return [Percentile(value, at_least=value >= least) for value in values]
    workers, rate, arrivals, settling = queue
    service = np.array([(one.ended or 0.0) - (one.started or 0.0) for one in answered])
    servers = workers
    if workers > 1 and wait_behind_each_other(service):
        due = np.array([one.due for one in answered])
        service = bottleneck(due, np.array([one.ended for one in answered], dtype=np.float64))
        servers = 1
    return with_intervals(
        np.array(observed), service, servers, rate, arrivals, settling, SHARES, seed
    )
