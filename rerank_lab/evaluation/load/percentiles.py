"""Percentiles of latency with intervals that need no assumption about its distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from rerank_lab.evaluation.load.study import Percentile

LEVEL = 0.95
"""The chance that an interval holds the true percentile."""


def percentile(seconds: Sequence[float], share: float) -> Percentile | None:
    """The percentile at `share` (0 to 1) of independent times, interpolated as numpy does.

    The interval is between two order statistics: the number of times below the true percentile is
    binomial, whatever their distribution (David and Nagaraja, Order Statistics, 2003, section 7.1).
    An end that so few times cannot give is None. None without any time.
    """
    if not seconds:
        return None
    ordered = np.sort(np.asarray(seconds, dtype=np.float64))
    low, high = order_interval(len(ordered), share)
    return Percentile(
        float(np.quantile(ordered, share)),
        None if low is None else float(ordered[low]),
        None if high is None else float(ordered[high]),
    )


def order_interval(n: int, share: float) -> tuple[int | None, int | None]:
    """Places (from 0) of the order statistics that enclose a percentile with `LEVEL` confidence.

    Each end leaves out at most half of 1 - LEVEL; None where even the outermost value leaves more.
    """
    tail = (1 - LEVEL) / 2
    below = [0.0]
    """Chance that fewer than i times are below the percentile, for i = 0, 1, ..."""
    for count in range(n + 1):
        log_chance = (
            math.lgamma(n + 1) - math.lgamma(count + 1) - math.lgamma(n - count + 1)
            + count * math.log(share) + (n - count) * math.log1p(-share)
        )  # fmt: skip
        below.append(below[-1] + math.exp(log_chance))
    # The i-th smallest lies above the percentile when fewer than i times lie below it.
    low = max((i for i in range(1, n + 1) if below[i] <= tail), default=None)
    high = min((i for i in range(1, n + 1) if 1 - below[i] <= tail), default=None)
    return None if low is None else low - 1, None if high is None else high - 1
