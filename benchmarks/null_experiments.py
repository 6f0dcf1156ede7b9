"""Do the tests keep their level, and do the intervals cover? Simulated experiments of known truth.

Under a true null no pipeline is better than another. Printed is the share of experiments in which
something is called significant all the same, for one comparison and for families of them, with each
correction; the error rates of claims with a margin where the truth lies exactly on the margin; and
how often intervals hold the true mean, by each method. A rate from 1,000 experiments is sure to
about 1.4 points.

The experiments of a row are columns of one call, which draws the same samples for each as a call of
its own would. What the functions of the lab say of the first experiments of each row, one by one,
must be what is counted of the columns; the script ends with an error where it is not.

    python benchmarks/null_experiments.py --experiments 1000 --resamples 10000
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

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
    bootstrap_intervals,
    holm,
    one_sided_tests,
    randomisation_tests,
    t_test,
)

ALPHA = 0.05
MARGIN = 0.02
PIPELINES = 6
TAGS = 4
LEAST_PER_TAG = 10
QUERIES = (5, 10, 20, 60, 200)
INTERVALS = ("adjusted", "bca", "percentile")
COLUMNS = 1_000
CHECKED = 10
"""So many experiments of each row are checked against single calls."""
LOSS = 0.15 * 0.4 / (0.85 * 0.6)
Draw = Callable[[np.random.Generator, int], np.ndarray]
Rates = dict[str, float]


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


def real_pairs() -> Draw:
    """Differences of random pairs of real pipelines, whose names are swapped at random by query."""
    from rerank_lab.corpora import load_corpus
    from rerank_lab.evaluation.experiments import evaluate

    specs = [
        "bm25",
        "bm25(b=0.1)",
        "bm25 >> overlap",
        "bm25 >> mmr",
        "bm25(k=20) >> overlap(top=5)",
    ]
    evaluation = evaluate(load_corpus("helpdesk"), specs, measures=["nDCG@10"])
    table = np.array(
        [[evaluation.values(one, "nDCG@10", common=True)[q] for one in specs]
         for q in evaluation.common]
    )  # fmt: skip

    def draw(generator: np.random.Generator, queries: int) -> np.ndarray:
        a, b = generator.choice(len(specs), 2, replace=False)
        drawn = table[generator.integers(0, len(table), queries)]
        return (drawn[:, a] - drawn[:, b]) * generator.choice((-1.0, 1.0), queries)

    return draw


def one_measure(generator: np.random.Generator, queries: int) -> np.ndarray:
    """Values of a measure less their true mean, which is 0.5 since nothing leans to either end."""
    return values(generator, queries)[:, 0] - 0.5


def below(p_values: Sequence[float | None], level: float) -> np.ndarray:
    return np.array([p is not None and p < level for p in p_values])


def at_most(p_values: Sequence[float | None], level: float) -> np.ndarray:
    return np.array([p is not None and p <= level + 1e-12 for p in p_values])


def two_sided_p(columns: np.ndarray, settings: Settings) -> list[float | None]:
    """`randomisation_tests`, some columns at a time: all sums at once would take gigabytes."""
    parts = range(0, columns.shape[1], COLUMNS)
    return [p for at in parts for p in randomisation_tests(columns[:, at : at + COLUMNS], settings)]


def one_sided_p(columns: np.ndarray, settings: Settings) -> list[float | None]:
    """`one_sided_tests`, some columns at a time."""
    parts = range(0, columns.shape[1], COLUMNS)
    return [p for at in parts for p in one_sided_tests(columns[:, at : at + COLUMNS], settings)]


def claims(columns: np.ndarray, settings: Settings) -> dict[str, np.ndarray]:
    """Of claims that are false because the truth is on the margin, which are shown.

    Moving all differences moves interval and margin alike, so one interval serves both claims.
    """
    ends = bootstrap_intervals(columns, settings)
    low = np.array([np.nan if end[0] is None else end[0] for end in ends])
    high = np.array([np.nan if end[1] is None else end[1] for end in ends])
    above = at_most(one_sided_p(columns, settings), ALPHA / 2)
    beneath = at_most(one_sided_p(-columns, settings), ALPHA / 2)
    return {"shown": (low > 0) & above, "the opposite shown": (high < 0) & beneath}


def pairs_of_pipelines(draw: Draw, queries: int, experiments: int, settings: Settings) -> Rates:
    """Experiments with two pipelines: what is called significant, what covers."""
    columns = np.stack(
        [draw(np.random.default_rng(seed), queries) for seed in range(experiments)], axis=1
    )
    rates = {"randomisation test": below(two_sided_p(columns, settings), ALPHA).mean()}
    rates["t-test"] = below([t_test(column) for column in columns.T], ALPHA).mean()
    shown = claims(columns, settings)
    rates |= {f"claim on the margin, {name}": hits.mean() for name, hits in shown.items()}
    for number in range(min(CHECKED, experiments)):
        for claim, place in ((Claim.NOT_WORSE, -MARGIN), (Claim.BETTER, MARGIN)):
            base = {f"q{n}": 0.0 for n in range(queries)}
            moved = {f"q{n}": float(one) + place for n, one in enumerate(columns[:, number])}
            verdict = margin_test(base, moved, claim, MARGIN, settings=settings).verdict
            expected = (shown["shown"][number], shown["the opposite shown"][number])
            assert (verdict is Verdict.SHOWN, verdict is Verdict.SHOWN_OTHERWISE) == expected
    return {**rates, **coverage(columns, settings)}


def coverage(columns: np.ndarray, settings: Settings) -> Rates:
    """How often intervals of each method hold 0, the truth."""
    rates = {}
    for method in INTERVALS:
        ends = bootstrap_intervals(columns, replace(settings, interval=method))
        rates[f"interval covers, {method}"] = float(
            np.mean([low - 1e-12 <= 0 <= high + 1e-12 for low, high in ends])
        )
    return rates


def families(queries: int, experiments: int, settings: Settings) -> Rates:
    """Experiments with six equal pipelines: is anything at all called significant?"""
    tables = [values(np.random.default_rng(seed), queries) for seed in range(experiments)]
    every = list(combinations(range(PIPELINES), 2))
    deltas = np.stack([[table[:, b] - table[:, a] for a, b in every] for table in tables])
    flat = deltas.reshape(-1, queries).T  # [queries, experiments * pairs]
    p_values = np.array(two_sided_p(flat, settings)).reshape(experiments, -1)
    baseline = p_values[:, : PIPELINES - 1]  # pairs with pipeline 0 come first
    counted = {
        "no correction": (baseline < ALPHA).any(axis=1),
        "Holm against a baseline": holm_any(baseline),
        "joint intervals": (baseline.min(axis=1) * (PIPELINES - 1) < ALPHA),
        "Holm over all pairs": holm_any(p_values),
        "some pipeline outside the best group": np.array(
            [outside(table, p, every) for table, p in zip(tables, p_values, strict=True)]
        ),
        "not worse, Holm": not_worse(deltas[:, : PIPELINES - 1], settings),
        "a crossover between four tags": crossing(deltas, settings),
    }
    for number in range(min(CHECKED, experiments)):
        expected = {name: bool(hits[number]) for name, hits in counted.items()}
        assert one_family(tables[number], settings) == expected
    return {name: float(hits.mean()) for name, hits in counted.items()}


def holm_any(p_values: np.ndarray) -> np.ndarray:
    return np.array([min(holm(list(row))) < ALPHA for row in p_values])


def outside(table: np.ndarray, p_values: np.ndarray, every: list[tuple[int, int]]) -> bool:
    """Whether the best is shown to differ from any other, corrected over all pairs."""
    best = int(np.argmax(table.sum(axis=0)))
    corrected = dict(zip(every, holm(list(p_values)), strict=True))
    return any(p <= 1 - 0.95 for pair, p in corrected.items() if best in pair)


def not_worse(deltas: np.ndarray, settings: Settings) -> np.ndarray:
    """Whether "not worse" is shown of any of five, the truth being on the margin."""
    experiments, five, queries = deltas.shape
    columns = deltas.reshape(-1, queries).T
    p_values = np.array(one_sided_p(columns, settings)).reshape(experiments, five)
    low = np.array([end[0] for end in bootstrap_intervals(columns, settings)])
    low = low.reshape(experiments, five)
    corrected = np.array([holm(list(row)) for row in p_values])
    return ((low > 0) & (corrected <= ALPHA / 2 + 1e-12)).any(axis=1)


def crossing(deltas: np.ndarray, settings: Settings) -> np.ndarray:
    """Whether some pair is shown to differ in opposite ways between two of four tags."""
    experiments, pairs, queries = deltas.shape
    if queries // TAGS < LEAST_PER_TAG:
        return np.zeros(experiments, dtype=bool)
    p_values, means = [], []
    for tag in range(TAGS):
        part = deltas[:, :, tag::TAGS]
        columns = part.reshape(-1, part.shape[2]).T
        p_values.append(np.array(two_sided_p(columns, settings)).reshape(-1, pairs))
        means.append(part.mean(axis=2))
    corrected = [
        np.array(holm(list(np.concatenate(rows)))).reshape(TAGS, pairs)
        for rows in zip(*p_values, strict=True)
    ]
    shown = np.array(corrected) < ALPHA
    signs = np.sign(np.stack(means, axis=1)) * shown
    return ((signs > 0).any(axis=1) & (signs < 0).any(axis=1)).any(axis=1)


def one_family(table: np.ndarray, settings: Settings) -> dict[str, bool]:
    """What the lab's own functions say of one experiment."""
    ids = [f"q{n}" for n in range(len(table))]
    runs = {f"p{place}": dict(zip(ids, map(float, table[:, place]), strict=True))
            for place in range(PIPELINES)}  # fmt: skip
    compared = against("p0", runs, settings)
    base = {query_id: value + MARGIN for query_id, value in runs["p0"].items()}
    tests = margin_tests("p0", runs | {"p0": base}, Claim.NOT_WORSE, MARGIN, settings)
    group = TagGroup("kind", {f"kind {n}": tuple(ids[n::TAGS]) for n in range(TAGS)})
    return {
        "no correction": any((one.p or 1) < ALPHA for one in compared),
        "Holm against a baseline": any((one.p_holm or 1) < ALPHA for one in compared),
        "joint intervals": any(one.verdict() for one in compare_jointly("p0", runs, settings)),
        "Holm over all pairs": any(one.beaten(ALPHA) for one in all_pairs(runs, settings)),
        "some pipeline outside the best group": len(best_group(runs, settings)) < PIPELINES,
        "not worse, Holm": any(one.verdict is Verdict.SHOWN for one in tests),
        "a crossover between four tags": any(
            one.shown() for one in crossovers(runs, group, settings)
        ),
    }


def main() -> None:
    """Print the rates of every kind of experiment and number of queries."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiments", type=int, default=100)
    parser.add_argument("--resamples", type=int, default=2_000)
    parser.add_argument("--queries", type=int, nargs="+", default=QUERIES)
    arguments = parser.parse_args()
    settings = Settings(resamples=arguments.resamples)
    kinds: Mapping[str, Draw] = {
        "symmetric": even,
        "random pairs": real_pairs(),
        "skewed": skewed,
        "same pipeline": tied,
    }
    start, cpu = time.perf_counter(), time.process_time()
    figures: dict[str, object] = {}
    for queries in arguments.queries:
        for kind, draw in kinds.items():
            figures[f"two pipelines, {kind}, {queries} queries"] = pairs_of_pipelines(
                draw, queries, arguments.experiments, settings
            )
        columns = np.stack(
            [one_measure(np.random.default_rng(seed), queries)
             for seed in range(arguments.experiments)], axis=1
        )  # fmt: skip
        figures[f"mean of a measure, {queries} queries"] = coverage(columns, settings)
        figures[f"six pipelines, {queries} queries"] = families(
            queries, arguments.experiments, settings
        )
    report(
        "null experiments",
        {"experiments": arguments.experiments, "resamples": arguments.resamples}
        | {"alpha": ALPHA, "margin": MARGIN, "seconds": round(time.perf_counter() - start)}
        | {"processor_seconds": round(time.process_time() - cpu)}
        | figures,
    )


if __name__ == "__main__":
    main()
