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
    EXACT_UP_TO,
    Floats,
    Settings,
    Values,
    differences,
    holm,
    sign_patterns,
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
    p_values = _randomisation_tests([deltas for _, _, deltas in pairs], settings)
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


def _randomisation_tests(samples: list[Floats], settings: Settings) -> list[float | None]:
    """What `statistics.randomisation_test` says of each; sign patterns are drawn once a size."""
    p_values: list[float | None] = [None] * len(samples)
    by_size: dict[int, list[int]] = {}
    for place, deltas in enumerate(samples):
        if len(deltas) > 1:
            by_size.setdefault(len(deltas), []).append(place)
    for size, places in by_size.items():
        deltas = np.stack([samples[place] for place in places], axis=1)
        sizes = np.abs(deltas).sum(axis=0)
        near = np.abs(deltas.sum(axis=0)) - 1e-12 * np.maximum(1.0, sizes)
        hits, total = np.zeros(len(places), dtype=np.int64), 0
        for signs in sign_patterns(size, settings):
            hits += np.count_nonzero(np.abs(signs @ deltas) >= near, axis=0)
            total += len(signs)
        extra = 0 if size <= EXACT_UP_TO else 1
        for place, count, spread in zip(places, hits, sizes, strict=True):
            p_values[place] = (int(count) + extra) / (total + extra) if spread else 1.0
    return p_values
