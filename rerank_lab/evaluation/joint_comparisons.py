"""One pipeline against several others at once: intervals and p-values that never contradict.

Both are of one test, the paired sign-flip test, and carry one correction, Bonferroni's, over the
whole family: an interval leaves out 0 exactly where its p-value is below 1 - level. The interval
holds the differences that the test would not reject; its ends are means of subsets of the
differences (Hartigan, "Using subsample values as typical values", JASA 64, 1969).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rerank_lab.evaluation.statistics import (
    EXACT_UP_TO,
    Floats,
    Settings,
    Values,
    differences,
    sign_patterns,
)

_SETTINGS = Settings()


@dataclass(frozen=True, slots=True)
class JointComparison:
    """`b` against `a`, as one of `family` comparisons: differences of means are b - a.

    `low`, `high` and `p` are corrected for the family; an end that so few queries leave open is
    None, and so is `p` for fewer than two queries.
    """

    a: str
    b: str
    family: int
    queries: int
    mean_a: float
    mean_b: float
    difference: float
    low: float | None
    high: float | None
    p: float | None

    def verdict(self, alpha: float = 0.05) -> int:
        """1 where `b` is better, -1 where it is worse, 0 where that is not shown."""
        if self.p is None or self.p >= alpha or not self.difference:
            return 0
        return 1 if self.difference > 0 else -1


def compare_jointly(
    b: str, values: Mapping[str, Values], settings: Settings = _SETTINGS
) -> list[JointComparison]:
    """`b` against each of the others, in their order, as one family.

    Args:
        b: a key of `values`.
        values: by pipeline, query id -> value of a measure. Pairs are compared on the queries that
            both have; those that share none with `b` are left out, and are none of the family.
        settings: level of the whole family, number and seed of random sign patterns.
    """
    others = {
        name: pairs
        for name, of_a in values.items()
        if name != b and (pairs := differences(of_a, values[b]))
    }
    comparisons = []
    for name, pairs in others.items():
        deltas = np.array(list(pairs.values()), dtype=np.float64)
        low, high, p = _corrected(deltas, len(others), settings)
        mean_a = float(np.mean([values[name][query] for query in pairs]))
        mean_b = float(np.mean([values[b][query] for query in pairs]))
        comparisons.append(
            JointComparison(
                name, b, len(others), len(pairs), mean_a, mean_b, float(deltas.mean()), low, high, p
            )
        )
    return comparisons


def _corrected(
    deltas: Floats, family: int, settings: Settings
) -> tuple[float | None, float | None, float | None]:
    """Ends of the interval and the p-value of `deltas` (shape (n,)), corrected for the family."""
    if len(deltas) < 2:
        return None, None, None
    lower, upper = _bounds(deltas, settings)
    tolerance = 1e-12 * float(np.abs(deltas).max())
    # The observed pattern counts among random ones, so that p is never 0; all patterns hold it.
    extra = 0 if len(deltas) <= EXACT_UP_TO else 1
    total = len(lower) + extra
    alike = int(np.count_nonzero((lower <= tolerance) & (upper >= -tolerance))) + extra
    # 1 - 0.95 is a little over 0.05, which must not count as one more.
    least = max(1, math.ceil((1 - settings.level) / family * total - 1e-9) - extra)
    low, high = float(np.sort(lower)[least - 1]), float(np.sort(upper)[-least])
    ends = [0.0 if abs(end) <= tolerance else end for end in (low, high)]
    low_end, high_end = (end if math.isfinite(end) else None for end in ends)
    return low_end, high_end, min(1.0, family * alike / total)


def _bounds(deltas: Floats, settings: Settings) -> tuple[Floats, Floats]:
    """By sign pattern, from which to which true difference it is as extreme as the observed one.

    These are the means of the differences whose sign it keeps and of those that it flips; without
    bounds where it keeps or flips all of them.
    """
    lower, upper = [], []
    for signs in sign_patterns(len(deltas), settings):
        positive = (signs > 0).astype(np.float64)
        number = positive.sum(axis=1)
        sums = positive @ deltas
        with np.errstate(divide="ignore", invalid="ignore"):
            means = np.stack([sums / number, (deltas.sum() - sums) / (len(deltas) - number)])
        whole = (number == 0) | (number == len(deltas))
        lower.append(np.where(whole, -np.inf, means.min(axis=0)))
        upper.append(np.where(whole, np.inf, means.max(axis=0)))
    return np.concatenate(lower), np.concatenate(upper)
