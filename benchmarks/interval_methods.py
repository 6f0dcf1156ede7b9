"""Which interval of a mean covers at its stated rate when there are few queries?

Simulated experiments of known truth (see null_experiments.py), 95 % intervals by six methods: the
share that holds the true mean, and the mean width. What the lab uses is decided by it, in
docs/decisions/0037-intervals-of-few-queries.md.

    python benchmarks/interval_methods.py --experiments 1000 --resamples 4000
"""

from __future__ import annotations

import argparse
import math

import numpy as np
from _report import report
from null_experiments import even, real_pairs, skewed, values
from scipy import stats

LEVEL = 0.95
QUERIES = (5, 10, 20, 40, 60, 200)
METHODS = (
    "BCa", "BCa, widened", "percentile, widened", "Student", "studentised bootstrap",
    "Johnson's t",
)  # fmt: skip
Ends = tuple[float, float]


def better(generator: np.random.Generator, queries: int) -> np.ndarray:
    """Differences of two pipelines, one of which is better on half of the queries."""
    difficulty = generator.beta(0.6, 0.6, queries)
    sides = []
    for lead in (0.0, 0.1 * (generator.random(queries) < 0.5)):
        noise = generator.normal(0.0, 0.18, queries) * (generator.random(queries) < 0.6)
        sides.append(np.clip(difficulty + lead + noise, 0.0, 1.0))
    return sides[1] - sides[0]


def measure(generator: np.random.Generator, queries: int) -> np.ndarray:
    """Values of a measure."""
    return values(generator, queries)[:, 0]


def intervals(sample: np.ndarray, drawn: np.ndarray) -> list[Ends]:
    """Those of every method; `drawn` are the places of the samples, shape (resamples, queries)."""
    n, mean = len(sample), float(sample.mean())
    resampled = sample[drawn]
    means = resampled.mean(axis=1)
    normal, student = stats.norm.ppf((1 + LEVEL) / 2), stats.t.ppf((1 + LEVEL) / 2, n - 1)
    wide = student * math.sqrt(n / (n - 1))
    error = float(sample.std(ddof=1)) / math.sqrt(n)
    tail = stats.norm.cdf(-wide)
    errors = resampled.std(axis=1, ddof=1) / math.sqrt(n)
    spread = errors > 1e-12
    ratios = np.quantile(
        (means[spread] - mean) / errors[spread], ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
    )
    skew = float(((sample - mean) ** 3).mean()) / (6 * float(sample.var(ddof=1)) * n)
    shift = skew * (1 + 2 * student**2)
    return [
        bca(sample, means, normal),
        bca(sample, means, wide),
        tuple(np.quantile(means, (tail, 1 - tail))),
        (mean - student * error, mean + student * error),
        (mean - ratios[1] * error, mean - ratios[0] * error),
        (mean + shift - student * error, mean + shift + student * error),
    ]


def bca(sample: np.ndarray, means: np.ndarray, z: float) -> Ends:
    """Efron's interval with `z` in place of the normal quantile."""
    observed = sample.mean()
    below = (np.mean(means < observed) + np.mean(means <= observed)) / 2
    left_out = (sample.sum() - sample) / (len(sample) - 1)
    pull = left_out.mean() - left_out
    skew = (pull**3).sum() / (6 * (pull**2).sum() ** 1.5)
    bias = stats.norm.ppf(below) if 0 < below < 1 else 0.0
    ends = [stats.norm.cdf(bias + (bias + side) / (1 - skew * (bias + side))) for side in (-z, z)]
    return tuple(np.quantile(means, ends))


def main() -> None:
    """Print coverage and width by kind, number of queries and method."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiments", type=int, default=100)
    parser.add_argument("--resamples", type=int, default=1_000)
    parser.add_argument("--queries", type=int, nargs="+", default=QUERIES)
    arguments = parser.parse_args()
    many = np.random.default_rng(99)
    kinds = {"symmetric": even, "random pairs": real_pairs(), "a difference": better}
    kinds |= {"skewed": skewed, "a measure": measure}
    truths = {"symmetric": 0.0, "random pairs": 0.0, "skewed": 0.0, "a measure": 0.5}
    truths["a difference"] = float(better(many, 2_000_000).mean())
    figures: dict[str, object] = {"true difference": truths["a difference"]}
    for queries in arguments.queries:
        drawn = np.random.default_rng(0).integers(0, queries, (arguments.resamples, queries))
        for kind, draw in kinds.items():
            ends = [
                intervals(sample, drawn)
                for seed in range(arguments.experiments)
                if np.ptp(sample := draw(np.random.default_rng(seed), queries)) > 0
            ]
            of_methods = np.array(ends).transpose(1, 2, 0)  # [methods, 2, experiments]
            figures[f"{kind}, {queries} queries"] = {
                method: {
                    "covers": float(((low <= truths[kind]) & (truths[kind] <= high)).mean()),
                    "width": float((high - low).mean()),
                }
                for method, (low, high) in zip(METHODS, of_methods, strict=True)
            }
    settings = {"experiments": arguments.experiments, "resamples": arguments.resamples}
    report("interval methods", settings | figures)


if __name__ == "__main__":
    main()
