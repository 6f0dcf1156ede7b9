"""Do as many queries as the lab says suffice? And does Holm hold where some pipelines do differ?

    python benchmarks/planned_queries.py --experiments 1000 --resamples 10000

- `power`: the lab is asked how many queries a difference needs (`queries_needed`, from the spread
  and the mean of a large sample). Experiments of that many queries are simulated; printed is in
  which share the randomisation test finds the difference. Stated is 80 %. The same for one of five
  comparisons, held to alpha / 5, as the number is worked out for several pipelines.
- `from a pilot`: the same number worked out from 50 queries, which know the difference badly: its
  10th, 50th and 90th percentile beside the number from the truth.
- `partial null`: five pipelines against a baseline, of which so many are truly better; printed is
  the share of experiments in which a pipeline that is not better is called different all the same,
  after Holm's correction (stated: 5 % at most), and in which all that are better are found.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from _report import report

from rerank_lab.evaluation.statistics import (
    Floats,
    Settings,
    holm,
    queries_needed,
    randomisation_tests,
)

ALPHA = 0.05
LEADS = (0.03, 0.05, 0.1)
PILOT = 50


def pairs(generator: np.random.Generator, queries: int, leads: list[float]) -> Floats:
    """Differences to a baseline, shape (queries, leads): they lead on half of the queries."""
    difficulty = generator.beta(0.6, 0.6, (queries, 1))
    gains = np.array([[0.0, *leads]]) * 2 * (generator.random((queries, 1 + len(leads))) < 0.5)
    shape = gains.shape
    noise = generator.normal(0.0, 0.18, shape) * (generator.random(shape) < 0.6)
    values = np.clip(difficulty + gains + noise, 0.0, 1.0)
    return np.asarray(values[:, 1:] - values[:, :1])


def main() -> None:
    """Print the rates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiments", type=int, default=200)
    parser.add_argument("--resamples", type=int, default=2_000)
    arguments = parser.parse_args()
    settings = Settings(resamples=arguments.resamples)
    begun = time.process_time()
    figures: dict[str, object] = {"experiments": arguments.experiments}
    for lead in LEADS:
        for comparisons in (1, 5):
            figures[f"lead {lead}, {comparisons} comparisons"] = _power(
                lead, comparisons, arguments.experiments, settings
            )
    for better in (0, 1, 3):
        figures[f"partial null, {better} of 5 better, 100 queries"] = _partial_null(
            better, arguments.experiments, settings
        )
    report("planned queries", figures | {"processor_s": time.process_time() - begun})


def _power(lead: float, comparisons: int, experiments: int, settings: Settings) -> object:
    truth = pairs(np.random.default_rng(99), 400_000, [lead])[:, 0]
    needed = queries_needed(truth, settings, comparisons) or 0
    columns = np.concatenate(
        [pairs(np.random.default_rng(seed), needed, [lead]) for seed in range(experiments)], axis=1
    )
    p_values = np.array(_tests(columns, settings))
    small = [pairs(np.random.default_rng(seed), PILOT, [lead]) for seed in range(experiments)]
    pilots = [queries_needed(one[:, 0], settings, comparisons) for one in small]
    known = [pilot for pilot in pilots if pilot is not None]
    return {
        "true difference": float(truth.mean()),
        "queries": needed,
        "power": float((p_values <= ALPHA / comparisons).mean()),
        "from a pilot": [float(q) for q in np.quantile(known, (0.1, 0.5, 0.9))],
    }


def _partial_null(better: int, experiments: int, settings: Settings) -> object:
    leads = [0.08] * better + [0.0] * (5 - better)
    wrong, whole = 0, 0
    columns = np.concatenate(
        [pairs(np.random.default_rng(seed), 100, leads) for seed in range(experiments)], axis=1
    )
    p_values = np.array(_tests(columns, settings)).reshape(experiments, 5)
    for row in p_values:
        corrected = np.array(holm([float(p) for p in row])) <= ALPHA
        wrong += bool(corrected[better:].any())
        whole += bool(corrected[:better].all()) and better > 0
    return {"a false one": wrong / experiments, "all true ones": whole / experiments}


def _tests(columns: Floats, settings: Settings) -> list[float]:
    """p of each column, some columns at a time: all sums at once would take gigabytes."""
    p_values: list[float | None] = []
    for start in range(0, columns.shape[1], 500):
        p_values += randomisation_tests(columns[:, start : start + 500], settings)
    return [1.0 if p is None else p for p in p_values]


if __name__ == "__main__":
    main()
