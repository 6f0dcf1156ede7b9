"""Do the tests keep their level, and do the intervals cover? Simulated experiments of known truth.

Under a true null no pipeline is better than another. Printed is the share of experiments in which
something is called significant all the same, for one comparison and for families of them, with each
correction; the error rates of claims with a margin where the truth lies exactly on the margin; and
how often intervals hold the true mean. A rate from 1,000 experiments is sure to about 1.4 points.

    python benchmarks/null_experiments.py --experiments 1000 --resamples 10000
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from multiprocessing import get_context

import numpy as np
from _report import report

from rerank_lab.evaluation.by_tag import crossovers
from rerank_lab.evaluation.joint_comparisons import compare_jointly
from rerank_lab.evaluation.margins import Claim, Verdict, margin_test, margin_tests
from rerank_lab.evaluation.pairwise import all_pairs
from rerank_lab.evaluation.query_tags import TagGroup
from rerank_lab.evaluation.statistics import (
    Settings,
    against,
    best_group,
    bootstrap_interval,
    one_sided_test,
    randomisation_test,
)

ALPHA = 0.05
MARGIN = 0.02
PIPELINES = 6
QUERIES = (10, 20, 60, 200)
Draw = Callable[[np.random.Generator, int], np.ndarray]


def values(generator: np.random.Generator, queries: int) -> np.ndarray:
    """Values of a measure, shape (queries, pipelines): hard and easy queries, equal pipelines.

    As nDCG@10 is distributed: many zeros, many ones, anything between, alike within a query.
    """
    difficulty = generator.beta(0.6, 0.6, (queries, 1))
    noise = generator.normal(0.0, 0.18, (queries, PIPELINES))
    changed = generator.random((queries, PIPELINES)) < 0.6
    return np.clip(difficulty + noise * changed, 0.0, 1.0)


def even(generator: np.random.Generator, queries: int) -> np.ndarray:
    """Differences of two equal pipelines: symmetric, with ties."""
    table = values(generator, queries)
    return table[:, 0] - table[:, 1]


def tied(generator: np.random.Generator, queries: int) -> np.ndarray:
    """Differences of one pipeline under two names."""
    return np.zeros(queries)


def skewed(generator: np.random.Generator, queries: int) -> np.ndarray:
    """Differences of mean 0: mostly small losses and ties, few large wins."""
    wins = generator.random(queries) < 0.15
    losses = generator.random(queries) < 0.6
    return np.where(wins, generator.exponential(0.4, queries), np.where(losses, -LOSS, 0.0))


LOSS = 0.15 * 0.4 / (0.85 * 0.6)
KINDS: Mapping[str, Draw] = {"symmetric": even, "skewed": skewed, "same pipeline": tied}


def one_pair(seed: int, kind: str, queries: int, settings: Settings) -> Counter[str]:
    """One experiment with two pipelines: what is called significant, what covers."""
    generator = np.random.default_rng(seed)
    deltas = KINDS[kind](generator, queries)
    counts: Counter[str] = Counter()
    p = randomisation_test(deltas, settings)
    counts["randomisation test"] += p is not None and p < ALPHA
    one_sided = one_sided_test(deltas, settings)
    counts["one-sided test"] += one_sided is not None and one_sided <= ALPHA / 2
    low, high = bootstrap_interval(deltas, settings)
    counts["interval covers"] += low is not None and high is not None and low <= 0 <= high
    # The truth lies exactly on the margin: both claims are false.
    for claim, place in ((Claim.NOT_WORSE, -MARGIN), (Claim.BETTER, MARGIN)):
        base = {f"q{n}": 0.0 for n in range(queries)}
        moved = {f"q{n}": float(delta) + place for n, delta in enumerate(deltas)}
        verdict = margin_test(base, moved, claim, MARGIN, settings=settings).verdict
        counts[claim.value] += verdict is Verdict.SHOWN
        counts[f"{claim.value}, otherwise"] += verdict is Verdict.SHOWN_OTHERWISE
    return counts


def one_family(seed: int, queries: int, settings: Settings) -> Counter[str]:
    """One experiment with six equal pipelines: is anything at all called significant?"""
    generator = np.random.default_rng(seed)
    table = values(generator, queries)
    ids = [f"q{n}" for n in range(queries)]
    runs = {f"p{place}": dict(zip(ids, map(float, table[:, place]), strict=True))
            for place in range(PIPELINES)}  # fmt: skip
    compared = against("p0", runs, settings)
    counts: Counter[str] = Counter()
    counts["no correction"] = any((one.p or 1) < ALPHA for one in compared)
    counts["Holm against a baseline"] = any((one.p_holm or 1) < ALPHA for one in compared)
    counts["joint intervals"] = any(one.verdict() for one in compare_jointly("p0", runs, settings))
    counts["some pipeline outside the best group"] = len(best_group(runs, settings)) < PIPELINES
    counts["Holm over all pairs"] = any(one.beaten(ALPHA) for one in all_pairs(runs, settings))
    base = {query_id: value + MARGIN for query_id, value in runs["p0"].items()}
    tests = margin_tests("p0", runs | {"p0": base}, Claim.NOT_WORSE, MARGIN, settings)
    counts["not worse, Holm"] = any(one.verdict is Verdict.SHOWN for one in tests)
    group = TagGroup("kind", {f"kind {n}": tuple(ids[n::4]) for n in range(4)})
    crossing = crossovers(runs, group, settings)
    counts["a crossover between four tags"] = any(one.shown() for one in crossing)
    return counts


def rates(job: Callable[[int], Counter[str]], experiments: int, workers: int) -> dict[str, float]:
    """The share of experiments by what was counted."""
    total: Counter[str] = Counter()
    with get_context("spawn").Pool(workers) as pool:
        for counts in pool.imap_unordered(job, range(experiments), chunksize=10):
            total.update({name: int(count) for name, count in counts.items()})
    return {name: count / experiments for name, count in total.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiments", type=int, default=100)
    parser.add_argument("--resamples", type=int, default=2_000)
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    settings = Settings(resamples=arguments.resamples)
    start = time.perf_counter()
    figures: dict[str, object] = {}
    for queries in QUERIES:
        for kind in KINDS:
            job = partial(one_pair, kind=kind, queries=queries, settings=settings)
            figures[f"two pipelines, {kind}, {queries} queries"] = rates(
                job, arguments.experiments, arguments.workers
            )
        job = partial(one_family, queries=queries, settings=settings)
        figures[f"six pipelines, {queries} queries"] = rates(
            job, arguments.experiments, arguments.workers
        )
    took = time.perf_counter() - start
    report(
        "null experiments",
        {"experiments": arguments.experiments, "resamples": arguments.resamples}
        | {"alpha": ALPHA, "margin": MARGIN, "seconds": round(took)}
        | figures,
    )


if __name__ == "__main__":
    main()
