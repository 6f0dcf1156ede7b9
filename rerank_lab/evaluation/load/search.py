"""The largest rate of arrivals that keeps p95 under a bound, by bisection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rerank_lab.evaluation.load.study import LoadStep

MOST_FAILED = 0.01
"""Share of failed queries up to which a rate can count as sustained."""
RESOLUTION = 0.05
"""The search ends when the two rates it stands between are this close, as a share."""


FEWEST_ANSWERS = 20
"""Fewer answers than this have no 95th percentile to speak of."""


def keeps(step: LoadStep, bound: float) -> bool:
    """Whether p95 is at most `bound` seconds, by enough answers, with none given up.

    At most 1 % of the queries may have failed.
    """
    return (
        step.p95 is not None
        and step.answered >= FEWEST_ANSWERS
        and step.p95.seconds <= bound
        and not step.unfinished
        and step.failed <= MOST_FAILED * step.due
    )


@dataclass(frozen=True, slots=True)
class LargestLoad:
    """Between which rates p95 passes the bound.

    `sustained` is the largest rate tried that kept it, below every rate that did not; `broken` the
    smallest that did not. None where there is no such rate.
    """

    sustained: float | None
    broken: float | None
    steps: tuple[LoadStep, ...]


def largest_load(
    measure: Callable[[float], LoadStep],
    bound: float,
    first: LoadStep,
    highest: float,
    tries: int,
) -> LargestLoad:
    """Look for it with at most `tries` further rates.

    Args:
        measure: Measures one rate.
        bound: Seconds that p95 may take.
        first: A rate that was measured already; the search goes on from there.
        highest: The rate above which the workers cannot keep up even in theory.
        tries: How many more rates may be measured.
    """
    steps = [first]
    low, high = (first.rate, None) if keeps(first, bound) else (0.0, first.rate)
    for _ in range(tries):
        if high is None:
            rate = highest if low < highest * (1 - RESOLUTION) else low * 1.5
        elif high - low <= RESOLUTION * high:
            break
        else:
            rate = (low + high) / 2
        step = measure(rate)
        steps.append(step)
        if keeps(step, bound):
            low = rate
        else:
            high = rate
    in_order = tuple(sorted(steps, key=lambda step: step.rate))
    return LargestLoad(low or None, high, in_order)
