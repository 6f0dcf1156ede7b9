"""When queries are due: a schedule made beforehand, which no answer can hold up."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rerank_lab.evaluation.load.study import Arrivals

Floats = NDArray[np.float64]


def schedule(rate: float, seconds: float, arrivals: Arrivals, seed: int = 0) -> Floats:
    """Moments in seconds from the start, in order, all of them before `seconds`.

    Args:
        rate: Queries a second.
        seconds: For how long they arrive.
        arrivals: "fixed" for equal gaps, "poisson" for independent exponential ones, as of many
            visitors who know nothing of each other.
        seed: Of the gaps. One seed at two rates gives the same gaps, stretched, so that rates are
            compared on the same luck.

    Returns:
        Shape `[n_queries]`; at least one.
    """
    if arrivals == "fixed":
        return np.arange(max(1, round(rate * seconds)), dtype=np.float64) / rate
    generator = np.random.default_rng(seed)
    moments = np.cumsum(_gaps(generator, rate * seconds)) / rate
    return moments[: max(1, int(np.searchsorted(moments, seconds)))]


def _gaps(generator: np.random.Generator, expected: float) -> Floats:
    """Enough gaps of mean 1 for a little more than the expected number of arrivals."""
    return generator.exponential(size=int(expected + 6 * expected**0.5 + 10))
