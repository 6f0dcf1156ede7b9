"""Waiting in a queue, worked out: what other arrivals of the same kind would have come to.

Latencies under load depend on each other: one long answer delays all behind it. An interval that
takes them for independent holds the true 95th percentile in 5 to 47 of 100 runs at 60 to 90 % load,
where it should in 95 (docs/decisions/0019-intervals-under-load.md). So the queue is run again.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rerank_lab.evaluation.load.study import Arrivals, Percentile

Floats = NDArray[np.float64]

LEVEL = 0.95
REPLICAS = 300
"""Runs that are worked out for an interval."""
_MOST = 2_000_000
"""Queries in all of these runs together, at most."""
_LONGEST = 20_000
"""Queries of one such run; for longer ones the scatter is taken to shrink with the square root."""
_FEWEST = 20
"""Fewer answers than this say too little about how long one takes."""


def latencies(moments: Floats, service: Floats, servers: int) -> Floats:
    """Seconds from each arrival to its answer, first come first served.

    Args:
        moments: When queries arrive, shape `[..., n_queries]`, ascending along the last axis.
        service: How long each takes, of the same shape.
        servers: How many are answered at once (Kiefer and Wolfowitz, Trans. AMS 78, 1955).
    """
    flat_moments = moments.reshape(-1, moments.shape[-1])
    flat_service = service.reshape(flat_moments.shape)
    rows = np.arange(len(flat_moments))
    free = np.zeros((len(flat_moments), servers))
    seconds = np.empty_like(flat_moments)
    for place in range(flat_moments.shape[1]):
        server = free.argmin(axis=1)
        start = np.maximum(flat_moments[:, place], free[rows, server])
        end = start + flat_service[:, place]
        free[rows, server] = end
        seconds[:, place] = end - flat_moments[:, place]
    return seconds.reshape(moments.shape)


def bottleneck(due: Floats, ended: Floats) -> Floats:
    """The time that each answer took of a single server behind the workers, shape `[n_queries]`.

    Between two answers the server was at work since the later of the last answer and this arrival.
    For one server that takes turns this is exact; for work that runs side by side on one processor
    it is the processor's time, in the order of the answers.
    """
    order = np.argsort(ended, kind="stable")
    before = np.concatenate(([-np.inf], ended[order][:-1]))
    return np.asarray(ended[order] - np.maximum(due[order], before))


def wait_behind_each_other(service: Floats) -> bool:
    """Whether calls that follow each other take alike, as calls do that queue inside.

    By the correlation of neighbours, at two standard errors of none.
    """
    if len(service) < _FEWEST or np.ptp(service) == 0:
        return False
    correlation = float(np.corrcoef(service[:-1], service[1:])[0, 1])
    return bool(correlation > 2 / np.sqrt(len(service)))


def with_intervals(
    observed: Floats,
    service: Floats,
    servers: int,
    rate: float,
    arrivals: Arrivals,
    settling: int,
    shares: tuple[float, ...],
    seed: int = 0,
) -> list[Percentile]:
    """Percentiles of the observed latencies, each with its interval.

    Runs of the same length are worked out with new arrivals of the same kind and service times
    drawn from those measured. How much their percentiles scatter about that of all of them
    together, as a ratio, says how far the observed one may be from the true one.

    Args:
        observed: Latencies in seconds of the queries after the first `settling`.
        service: Seconds that each answered query took of a server.
        servers: How many are answered at once.
        rate: Arrivals a second.
        arrivals: Of which kind.
        settling: Queries at the start of a run that are left out.
        shares: The percentiles wanted, 0 to 1.
        seed: Of the runs worked out.
    """
    values = [float(np.quantile(observed, share)) for share in shares]
    whole = len(observed) + settling
    count = min(whole, _LONGEST)
    settling = settling * count // whole
    if len(service) < _FEWEST:
        return [Percentile(value) for value in values]
    replicas = max(50, min(REPLICAS, _MOST // count))
    generator = np.random.default_rng(seed)
    if arrivals == "fixed":
        moments = np.broadcast_to(np.arange(count) / rate, (replicas, count))
    else:
        moments = np.cumsum(generator.exponential(1 / rate, (replicas, count)), axis=1)
    drawn = generator.choice(service, (replicas, count))
    runs = latencies(moments, drawn, servers)[:, settling:]
    tail = (1 - LEVEL) / 2
    percentiles = []
    for value, share in zip(values, shares, strict=True):
        ratios = np.quantile(runs, share, axis=1) / np.quantile(runs, share)
        low, high = np.quantile(ratios, (tail, 1 - tail)) ** np.sqrt(count / whole)
        percentiles.append(Percentile(value, float(value / high), float(value / low)))
    return percentiles
