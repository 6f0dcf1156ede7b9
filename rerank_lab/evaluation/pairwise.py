"""Every pipeline against every other one: which differences are significant.

The test is that of `rerank_lab.evaluation.statistics`, its p-values Holm-corrected over all pairs
of one measure. Papers print the outcome as letters behind a value: the pipelines that it beats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from rerank_lab.evaluation.statistics import (
    Floats,
    Settings,
    Values,
    differences,
    holm,
    randomisation_tests,
)

_SETTINGS = Settings()


@dataclass(frozen=True, slots=True)
class PairTest:
    """Two pipelines on the queries that both have; `difference` is the mean of b - a.

    `p` is of the randomisation test, `p_holm` corrected over all pairs; None for fewer than two
    queries.
    """

    a: str
    b: str
    queries: int
    difference: float
    p: float | None
    p_holm: float | None

    def beaten(self, alpha: float) -> tuple[str, str] | None:
        """The better and the worse one; None where the difference is not significant."""
        if self.p_holm is None or self.p_holm >= alpha or not self.difference:
            return None
        return (self.b, self.a) if self.difference > 0 else (self.a, self.b)


def all_pairs(values: Mapping[str, Values], settings: Settings = _SETTINGS) -> list[PairTest]:
    """Every two pipelines in their order, those without a common query left out.

    Args:
        values: by pipeline, query id -> value of a measure.
        settings: number and seed of random sign patterns.
    """
    pairs = [
        (a, b, np.array(list(deltas.values()), dtype=np.float64))
        for a, b in combinations(values, 2)
        if (deltas := differences(values[a], values[b]))
    ]
    p_values = _p_values([deltas for _, _, deltas in pairs], settings)
    corrected = iter(holm([p for p in p_values if p is not None]))
    return [
        PairTest(a, b, len(deltas), float(deltas.mean()), p, None if p is None else next(corrected))
        for (a, b, deltas), p in zip(pairs, p_values, strict=True)
    ]


def beats(
    values: Mapping[str, Values], settings: Settings = _SETTINGS
) -> dict[str, tuple[str, ...]]:
    """By pipeline, those that it significantly beats, in the order of `values`."""
    outcomes = {one.beaten(1 - settings.level) for one in all_pairs(values, settings)}
    return {
        better: tuple(worse for worse in values if (better, worse) in outcomes) for better in values
    }


def _p_values(samples: list[Floats], settings: Settings) -> list[float | None]:
    """The randomisation test of each; sign patterns are drawn once for those of one size."""
    p_values: list[float | None] = [None] * len(samples)
    by_size: dict[int, list[int]] = {}
    for place, deltas in enumerate(samples):
        by_size.setdefault(len(deltas), []).append(place)
    for places in by_size.values():
        columns = np.stack([samples[place] for place in places], axis=1)
        for place, p in zip(places, randomisation_tests(columns, settings), strict=True):
            p_values[place] = p
    return p_values
