"""Is one pipeline better than another, or was it luck? Tests and intervals on paired queries.

Every function takes per-query values of one measure by query id and looks at the queries that both
sides have. Methods: the sign-flip (Fisher's paired randomisation) test and the paired t-test, as
compared by Smucker, Allan and Carterette (CIKM 2007); bootstrap intervals of the mean difference
after Efron ("Better bootstrap confidence intervals", JASA 82, 1987), with tails widened for the
spread that a sample understates (Hesterberg, "What teachers should know about the bootstrap",
American Statistician 69, 2015), and Student's interval for fewer than 100 values, where resampling
covers less often than it states (docs/decisions/0037-intervals-of-few-queries.md); Holm's step-down
correction (Scandinavian Journal of Statistics 6, 1979). Everything is seeded: same input, same
numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rerank_lab.core.errors import InvalidInput

Values = Mapping[str, float]
"""Query id -> value of a measure."""
Floats = NDArray[np.float64]

RESAMPLED_FROM = 100
"""Values from which an interval is resampled; that of fewer is Student's."""
EXACT_UP_TO = 16
"""Queries up to which the sign-flip test takes all sign patterns."""
_CHUNK = 2_000_000
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Settings:
    """level: of intervals and tests. tolerance: differences up to it are ties. seed: of resampling.

    power: the chance to find the smallest detectable difference. interval: "adjusted" is Student's
    below `RESAMPLED_FROM` values and BCa with widened tails from there; "bca" and "percentile" are
    those of the books for any number.
    """

    level: float = 0.95
    resamples: int = 10_000
    seed: int = 0
    tolerance: float = 1e-9
    interval: Literal["adjusted", "bca", "percentile"] = "adjusted"
    power: float = 0.8


@dataclass(frozen=True, slots=True)
class Paired:
    """`b` against `a` over the queries that both have: differences are b - a.

    `p` is of the randomisation test, `p_holm` the same corrected for the number of comparisons it
    was made with (equal to `p` for one alone), `p_t` of the t-test. `detectable` is the smallest
    true mean difference that this many queries, differing as these do, would have found with the
    power asked for. Values that cannot be had (fewer than two queries) are None.
    """

    a: str
    b: str
    queries: int
    mean_a: float
    mean_b: float
    difference: float
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None
    p_t: float | None
    wins: int
    losses: int
    ties: int
    detectable: float | None


def differences(a: Values, b: Values) -> dict[str, float]:
    """b - a for each query that both have, in the order of `a`."""
    return {query_id: b[query_id] - value for query_id, value in a.items() if query_id in b}


def paired(
    a: Values, b: Values, names: tuple[str, str] = ("a", "b"), settings: Settings = Settings()
) -> Paired:
    """Compare two pipelines on the queries they share. Raises InvalidInput when they share none."""
    return paired_all([(names, a, b)], settings)[0]


def paired_all(
    comparisons: Sequence[tuple[tuple[str, str], Values, Values]], settings: Settings = Settings()
) -> list[Paired]:
    """`paired` for many pairs at once: the same numbers, from samples that are drawn once.

    Args:
        comparisons: Of each the names, and the values of `a` and of `b`.

    Raises:
        InvalidInput: A pair shares no query.
    """
    columns: list[Floats] = []
    for names, a, b in comparisons:
        deltas = np.array(list(differences(a, b).values()), dtype=np.float64)
        if not len(deltas):
            raise InvalidInput(
                f"{names[0]} and {names[1]} have no query in common to compare them on.",
                hint="Let both answer the same queries.",
            )
        columns.append(deltas)
    results: dict[int, Paired] = {}
    for length in dict.fromkeys(map(len, columns)):
        places = [place for place, deltas in enumerate(columns) if len(deltas) == length]
        together = np.stack([columns[place] for place in places], axis=1)
        intervals = bootstrap_intervals(together, settings)
        p_values = randomisation_tests(together, settings)
        for place, interval, p in zip(places, intervals, p_values, strict=True):
            names, a, b = comparisons[place]
            results[place] = _paired(names, (a, b), columns[place], (*interval, p), settings)
    return [results[place] for place in range(len(columns))]


def _paired(
    names: tuple[str, str],
    sides: tuple[Values, Values],
    deltas: Floats,
    resampled: tuple[float | None, float | None, float | None],
    settings: Settings,
) -> Paired:
    """The comparison of one pair; `resampled` are the ends of its interval, and p."""
    (a, b), (low, high, p) = sides, resampled
    low, high = within_bounds((low, high), a, b)
    common = [query_id for query_id in a if query_id in b]
    wins = int(np.count_nonzero(deltas > settings.tolerance))
    losses = int(np.count_nonzero(deltas < -settings.tolerance))
    return Paired(
        a=names[0],
        b=names[1],
        queries=len(deltas),
        mean_a=float(np.mean([a[q] for q in common])),
        mean_b=float(np.mean([b[q] for q in common])),
        difference=float(deltas.mean()),
        low=low,
        high=high,
        p=p,
        p_holm=p,
        p_t=t_test(deltas),
        wins=wins,
        losses=losses,
        ties=len(deltas) - wins - losses,
        detectable=detectable_difference(deltas, settings),
    )


def within_bounds(
    interval: tuple[float | None, float | None], a: Values, b: Values
) -> tuple[float | None, float | None]:
    """The interval of the mean of b - a, cut to where it can be.

    No difference of values between 0 and 1 lies beyond -1 and 1: that an interval holds the truth
    as often as before, is all that is lost with what reaches beyond.
    """
    low, high = interval
    bounded = all(0 <= a[query_id] <= 1 and 0 <= b[query_id] <= 1 for query_id in a.keys() & b)
    if not bounded or low is None or high is None:
        return interval
    return max(-1.0, low), min(1.0, high)


def against(
    baseline: str, values: Mapping[str, Values], settings: Settings = Settings()
) -> list[Paired]:
    """Every pipeline against `baseline`, with p-values Holm-corrected over these comparisons.

    Pipelines that share no query with the baseline are left out.
    """
    base = values[baseline]
    others = [
        ((baseline, name), base, of_pipeline)
        for name, of_pipeline in values.items()
        if name != baseline and differences(base, of_pipeline)
    ]
    adjusted = paired_all(others, settings)
    known = [one.p for one in adjusted if one.p is not None]
    corrected = iter(holm(known))
    return [one if one.p is None else replace(one, p_holm=next(corrected)) for one in adjusted]


def best_group(values: Mapping[str, Values], settings: Settings = Settings()) -> list[str]:
    """The pipeline with the best mean, first, and those that it is not shown to differ from.

    Means are over the queries that all of them have; "shown" is a randomisation test at 1 - level,
    Holm-corrected over all pairs: which one is the best is seen only after looking at all of them.
    Empty when no query is common to all.
    """
    common = (
        set.intersection(*(set(comparisons) for comparisons in values.values()))
        if values
        else set()
    )
    if not common:
        return []
    shared = {name: {q: v for q, v in f.items() if q in common} for name, f in values.items()}
    best = max(shared, key=lambda name: math.fsum(shared[name].values()))
    pairs = list(combinations(shared, 2))
    differing = _differing(shared, pairs, settings)
    return [best, *(name for name in shared if name != best
                    and not {(best, name), (name, best)} & differing)]  # fmt: skip


def _differing(
    values: Mapping[str, Values], pairs: Sequence[tuple[str, str]], settings: Settings
) -> set[tuple[str, str]]:
    """The pairs that are shown to differ on the same queries, corrected over all pairs."""
    if not pairs:
        return set()
    columns = np.array([list(differences(values[a], values[b]).values()) for a, b in pairs])
    p_values = randomisation_tests(columns.T.astype(np.float64), settings)
    corrected = holm([p for p in p_values if p is not None])
    alpha = 1 - settings.level
    return {pair for pair, p in zip(pairs, corrected, strict=False) if p <= alpha}


def bootstrap_interval(
    deltas: Floats, settings: Settings = Settings(), weights: Floats | None = None
) -> tuple[float | None, float | None]:
    """An interval of the mean of `deltas` (shape (n,)), by the method of the settings.

    (None, None) for fewer than two values. With `weights` (shape (n,), above 0) it is that of the
    weighted mean, whose weights are drawn together with their values.
    """
    columns = deltas[:, None]
    return bootstrap_intervals(columns, settings, weights)[0]


def bootstrap_intervals(
    columns: Floats, settings: Settings = Settings(), weights: Floats | None = None
) -> list[tuple[float | None, float | None]]:
    """As `bootstrap_interval`, for each column of shape (n, k) with the same samples."""
    n, k = columns.shape
    if n < 2:
        return [(None, None)] * k
    spread = np.ptp(columns, axis=0) > 0
    if settings.interval == "adjusted" and n < RESAMPLED_FROM:
        return [
            _student_interval(column, settings, weights)
            if varies
            else (float(column[0]), float(column[0]))
            for column, varies in zip(columns.T, spread, strict=True)
        ]
    means = iter(_resampled_means(columns[:, spread], settings, weights).T)
    return [
        _interval(column, next(means), settings, weights)
        if varies
        else (float(column[0]), float(column[0]))
        for column, varies in zip(columns.T, spread, strict=True)
    ]


def mean_interval(
    values: Floats, settings: Settings = Settings(), weights: Floats | None = None
) -> tuple[float | None, float | None]:
    """As `bootstrap_interval`, for values of a measure rather than differences of them.

    No end lies below 0, nor above 1 where no value does.
    """
    low, high = bootstrap_interval(values, settings, weights)
    if low is None or high is None:
        return low, high
    highest = 1.0 if values.max() <= 1 else math.inf
    return max(0.0, low) if values.min() >= 0 else low, min(highest, high)


def _student_interval(
    values: Floats, settings: Settings, weights: Floats | None
) -> tuple[float, float]:
    """Student's interval of the (weighted) mean; a weighted mean's spread is linearised."""
    from scipy.special import stdtrit

    n = len(values)
    shares = np.full(n, 1 / n) if weights is None else weights / weights.sum()
    mean = float((shares * values).sum())
    error = math.sqrt(float(((shares * (values - mean)) ** 2).sum()) * n / (n - 1))
    reach = float(stdtrit(n - 1, (1 + settings.level) / 2)) * error
    return mean - reach, mean + reach


def _widened(end: float, n: int) -> float:
    """The quantile of resampled means to read for that of the mean of `n` values.

    Resampled means spread as the values do, which is sqrt((n - 1) / n) of what they estimate, and
    that estimate is uncertain itself: Student's quantile stands for the normal one.
    """
    from scipy.special import stdtrit

    return _NORMAL.cdf(float(stdtrit(n - 1, end)) * math.sqrt(n / (n - 1)))


def _interval(
    deltas: Floats, means: Floats, settings: Settings, weights: Floats | None
) -> tuple[float, float]:
    """The interval of the mean of `deltas` from the means of its samples."""
    deltas, means = np.ascontiguousarray(deltas), np.ascontiguousarray(means)
    tail = (1 - settings.level) / 2
    ends = (tail, 1 - tail)
    if settings.interval == "adjusted":
        ends = (_widened(ends[0], len(deltas)), _widened(ends[1], len(deltas)))
    if settings.interval != "percentile":
        ends = _bca_ends(deltas, means, ends, weights)
    low, high = np.quantile(means, ends)
    return float(low), float(high)


def randomisation_test(deltas: Floats, settings: Settings = Settings()) -> float | None:
    """Two-sided p of the sign-flip test on the mean of `deltas`; None for fewer than two.

    All 2^n sign patterns up to n = 16; beyond that `resamples` random ones, counted as (hits + 1) /
    (resamples + 1), so that p is never 0.
    """
    return randomisation_tests(deltas[:, None], settings)[0]


def randomisation_tests(columns: Floats, settings: Settings = Settings()) -> list[float | None]:
    """As `randomisation_test`, for each column of shape (n, k) with the same sign patterns."""
    n, k = columns.shape
    if n < 2:
        return [None] * k
    observed = np.abs(columns.sum(axis=0))
    near = observed - 1e-12 * np.maximum(1.0, np.abs(columns).sum(axis=0))
    hits, total = np.zeros(k, dtype=np.int64), 0
    for signs in sign_patterns(n, settings):
        hits += np.count_nonzero(np.abs(signs @ columns) >= near, axis=0)
        total += len(signs)
    extra = 0 if n <= EXACT_UP_TO else 1
    return [float(count + extra) / (total + extra) for count in hits]


def one_sided_test(deltas: Floats, settings: Settings = Settings()) -> float | None:
    """p of the sign-flip test that the mean of `deltas` is not above 0; None for fewer than two.

    The share of sign patterns with a sum at least as large as the observed one, counted as
    `randomisation_test` does.
    """
    return one_sided_tests(deltas[:, None], settings)[0]


def one_sided_tests(columns: Floats, settings: Settings = Settings()) -> list[float | None]:
    """As `one_sided_test`, for each column of shape (n, k) with the same sign patterns."""
    n, k = columns.shape
    if n < 2:
        return [None] * k
    near = columns.sum(axis=0) - 1e-12 * np.maximum(1.0, np.abs(columns).sum(axis=0))
    hits, total = np.zeros(k, dtype=np.int64), 0
    for signs in sign_patterns(n, settings):
        hits += np.count_nonzero(signs @ columns >= near, axis=0)
        total += len(signs)
    extra = 0 if n <= EXACT_UP_TO else 1
    return [float(count + extra) / (total + extra) for count in hits]


def sign_patterns(n: int, settings: Settings = Settings()) -> Iterator[Floats]:
    """Patterns of 1 and -1 in parts of shape (patterns, n): all 2^n up to n = 16, else random."""
    if n <= EXACT_UP_TO:
        bits = np.arange(2**n, dtype=np.uint32)[:, None] >> np.arange(n, dtype=np.uint32) & 1
        yield (1.0 - 2.0 * bits).astype(np.float64)
        return
    generator = np.random.default_rng(settings.seed)
    for size in _chunks(settings.resamples, n):
        yield 2.0 * generator.integers(0, 2, (size, n), dtype=np.int8).astype(np.float64) - 1.0


def t_test(deltas: Floats) -> float | None:
    """Two-sided p of the paired t-test; None when it is undefined (n < 2, or no spread)."""
    n = len(deltas)
    if n < 2:
        return None
    spread = float(deltas.std(ddof=1))
    if spread <= 1e-15 * float(np.abs(deltas).max()) or spread == 0:
        return None
    from scipy.special import stdtr

    return float(2 * stdtr(n - 1, -abs(float(deltas.mean())) / (spread / math.sqrt(n))))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values, in the order given."""
    count = len(p_values)
    adjusted = [0.0] * count
    highest = 0.0
    for place, index in enumerate(sorted(range(count), key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, (count - place) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def detectable_difference(deltas: Floats, settings: Settings = Settings()) -> float | None:
    """The smallest true mean difference that a two-sided test would find with the power given.

    (z of 1 - alpha/2 + z of power) * sd / sqrt(n): the normal approximation (Cohen, Statistical
    Power Analysis, 1988). None for fewer than two values.
    """
    if len(deltas) < 2:
        return None
    z = _NORMAL.inv_cdf((1 + settings.level) / 2) + _NORMAL.inv_cdf(settings.power)
    return float(z * deltas.std(ddof=1) / math.sqrt(len(deltas)))


def queries_needed(
    deltas: Floats, settings: Settings = Settings(), comparisons: int = 1
) -> int | None:
    """How many queries a test needs to find a true difference as large as the observed one.

    The number for which `detectable_difference` is the observed mean, with queries that differ as
    these do: ((z of 1 - alpha/2 + z of power) * sd / mean) ** 2 (Cohen, 1988). None for fewer than
    two values, and where there is no difference to find.

    Args:
        deltas: shape (n,).
        comparisons: made at once; each is held to alpha divided by it, as Holm's first step does.
    """
    if len(deltas) < 2 or not (mean := abs(float(deltas.mean()))):
        return None
    z = _NORMAL.inv_cdf(1 - (1 - settings.level) / 2 / comparisons)
    z += _NORMAL.inv_cdf(settings.power)
    needed = (z * float(deltas.std(ddof=1)) / mean) ** 2
    return max(2, math.ceil(needed)) if math.isfinite(needed) else None


def _resampled_means(columns: Floats, settings: Settings, weights: Floats | None) -> Floats:
    """Shape (resamples, k): the mean of each column in each sample, (weighted) by `weights`."""
    generator = np.random.default_rng(settings.seed)
    n, k = columns.shape
    weighted = columns if weights is None else columns * weights[:, None]
    separate = [np.ascontiguousarray(weighted[:, place]) for place in range(k)]
    means = np.empty((settings.resamples, k), dtype=np.float64)
    start = 0
    for size in _chunks(settings.resamples, n) if k else ():
        drawn = generator.integers(0, n, (size, n))
        rows = slice(start, start + size)
        for place, column in enumerate(separate):
            if weights is None:
                means[rows, place] = column[drawn].mean(axis=1)
            else:
                means[rows, place] = column[drawn].sum(axis=1) / weights[drawn].sum(axis=1)
        start += size
    return means


def _bca_ends(
    deltas: Floats, means: Floats, ends: tuple[float, float], weights: Floats | None
) -> tuple[float, float]:
    """The quantiles of `means` to read, corrected for bias and skewness (jackknife)."""
    if weights is None:
        observed = deltas.mean()
        left_out = (deltas.sum() - deltas) / (len(deltas) - 1)
    else:
        weighted = weights * deltas
        observed = weighted.sum() / weights.sum()
        left_out = (weighted.sum() - weighted) / (weights.sum() - weights)
    below = (np.mean(means < observed) + np.mean(means <= observed)) / 2
    if not 0 < below < 1:
        return ends
    bias = _NORMAL.inv_cdf(float(below))
    pull = left_out.mean() - left_out
    spread = float((pull**2).sum() ** 1.5)
    # Values that differ by their last digit alone leave no spread behind.
    skew = float((pull**3).sum()) / (6 * spread) if spread else 0.0

    def corrected(end: float) -> float:
        z = bias + _NORMAL.inv_cdf(end)
        return _NORMAL.cdf(bias + z / (1 - skew * z))

    return corrected(ends[0]), corrected(ends[1])


def _chunks(total: int, width: int) -> list[int]:
    """`total` split so that a part times `width` stays small in memory."""
    size = max(1, _CHUNK // max(1, width))
    return [min(size, total - start) for start in range(0, total, size)]
