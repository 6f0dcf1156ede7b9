"""How good probabilities are: reliability, Brier score, and what a threshold would keep."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from rerank_lab.evaluation.calibration.curves import Floats, Method

BINS = 10
MIN_KEPT = 10
"""Candidates that a threshold must keep before its precision is believed."""

_Z = 1.96


@dataclass(frozen=True, slots=True)
class Bin:
    """Candidates of like probability.

    `predicted` is their mean probability, `observed` the share that is relevant, `low` and `high`
    its 95 % Wilson interval.
    """

    predicted: float
    observed: float
    low: float
    high: float
    count: int

    def to_json(self) -> dict[str, Any]:
        """The figures under the names of the command line's JSON: `said` is the probability."""
        values = asdict(self)
        return {"said": values.pop("predicted"), **values}


@dataclass(frozen=True, slots=True)
class Cut:
    """What a threshold on the probability keeps: `count` candidates in all; None for no precision.

    `precision_low` is the lower end of its 95 % Wilson interval; `empty` the share of queries that
    keep nothing, `rightly_empty` that share among queries without a relevant candidate and
    `wrongly_empty` among those with one (None where there is no such query).
    """

    threshold: float
    count: int
    precision: float | None
    precision_low: float
    recall: float
    kept_a_query: float
    empty: float
    rightly_empty: float | None
    wrongly_empty: float | None

    def to_json(self) -> dict[str, Any]:
        """The figures under the names of the command line's JSON, which calls the count `kept`."""
        values = asdict(self)
        return {"threshold": values.pop("threshold"), "kept": values.pop("count"), **values}

    @property
    def empties_most(self) -> bool:
        """Whether more than half of the queries with a relevant candidate keep nothing."""
        return self.wrongly_empty is not None and self.wrongly_empty > 0.5


@dataclass(frozen=True, slots=True)
class Fitted:
    """One curve, as the stage that applies it, with out-of-fold figures.

    `brier` (0 is perfect) and `log_loss` are means a candidate; `ece` is the expected calibration
    error over `bins` of equal count (Guo et al. 2017). `highest` is the largest probability;
    `beyond` candidates have a larger one than the highest bin has on average.
    """

    method: Method
    stage: str
    brier: float
    log_loss: float
    ece: float
    bins: tuple[Bin, ...]
    cuts: tuple[Cut, ...]
    highest: float
    beyond: int

    def to_json(self) -> dict[str, Any]:
        """All of it, bins and thresholds under the names of their own JSON."""
        return asdict(self) | {
            "bins": [one.to_json() for one in self.bins],
            "cuts": [one.to_json() for one in self.cuts],
        }

    @property
    def covered(self) -> tuple[float, float]:
        """From which to which probability the bins lie: outside nothing is tested."""
        return self.bins[0].predicted, self.bins[-1].predicted

    @property
    def worst(self) -> float:
        """The largest distance between probability and truth of a bin."""
        return max((abs(one.predicted - one.observed) for one in self.bins), default=0.0)


def measured(
    method: Method, stage: str, probabilities: Floats, truth: Floats, queries: Sequence[str]
) -> Fitted:
    """A fitted curve with its figures, all of held-out probabilities."""
    clipped = np.clip(probabilities, 1e-6, 1 - 1e-6)
    loss = -(truth * np.log(clipped) + (1 - truth) * np.log(1 - clipped))
    bins = reliability(probabilities, truth)
    weight = [one.count / len(probabilities) for one in bins]
    gaps = (abs(one.predicted - one.observed) for one in bins)
    ece = math.fsum(w * gap for w, gap in zip(weight, gaps, strict=True))
    cuts = tuple(cut_at(t / 100, probabilities, truth, queries) for t in range(0, 100, 1))
    brier = float(np.mean((probabilities - truth) ** 2))
    highest = float(probabilities.max())
    beyond = int(np.count_nonzero(probabilities > bins[-1].predicted))
    return Fitted(method, stage, brier, float(loss.mean()), ece, bins, cuts, highest, beyond)


def reliability(probabilities: Floats, truth: Floats, bins: int = BINS) -> tuple[Bin, ...]:
    """Bins of equal count by probability; equal probabilities stay in one bin."""
    order = np.argsort(probabilities, kind="stable")
    edges = [round(len(probabilities) * part / bins) for part in range(1, bins)]
    reliability_bins: list[Bin] = []
    start = 0
    for end in [*edges, len(probabilities)]:
        while (
            0 < end < len(probabilities)
            and probabilities[order[end]] == probabilities[order[end - 1]]
        ):
            end += 1
        if end > start:
            chosen = order[start:end]
            observed = float(truth[chosen].mean())
            low, high = wilson(float(truth[chosen].sum()), end - start)
            reliability_bins.append(
                Bin(float(probabilities[chosen].mean()), observed, low, high, end - start)
            )
            start = end
    return tuple(reliability_bins)


def cut_at(threshold: float, probabilities: Floats, truth: Floats, queries: Sequence[str]) -> Cut:
    """What keeping candidates of at least that probability would have meant."""
    above = probabilities >= threshold
    right = float(truth[above].sum())
    total = int(above.sum())
    names = sorted(set(queries))
    by_query = {name: [False, False] for name in names}  # anything kept, anything relevant
    for query, keep, true in zip(queries, above, truth, strict=True):
        by_query[query][0] |= bool(keep)
        by_query[query][1] |= bool(true)
    hopeless = [any_kept for any_kept, any_true in by_query.values() if not any_true]
    hopeful = [any_kept for any_kept, any_true in by_query.values() if any_true]
    return Cut(
        threshold,
        total,
        right / total if total else None,
        wilson(right, total)[0],
        right / max(1.0, float(truth.sum())),
        total / len(names),
        sum(not any_kept for any_kept, _ in by_query.values()) / len(names),
        1 - sum(hopeless) / len(hopeless) if hopeless else None,
        1 - sum(hopeful) / len(hopeful) if hopeful else None,
    )


def threshold_for(fitted: Fitted, precision: float, least: int = MIN_KEPT) -> Cut | None:
    """The lowest threshold from which on precision reaches the target; None when none does.

    From there on, not merely there: a curve that dips below the target again is not trusted.
    Thresholds that keep fewer than `least` candidates in all say too little to count.
    """
    chosen = None
    for cut in reversed(fitted.cuts):
        if cut.count < least or cut.precision is None:
            continue
        if cut.precision < precision:
            break
        chosen = cut
    return chosen


def wilson(right: float, total: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927); 0 to 1 when there is nothing."""
    if not total:
        return 0.0, 1.0
    share, square = right / total, _Z**2
    middle = (share + square / (2 * total)) / (1 + square / total)
    half = _Z * math.sqrt(share * (1 - share) / total + square / (4 * total**2))
    half /= 1 + square / total
    return max(0.0, middle - half), min(1.0, middle + half)
