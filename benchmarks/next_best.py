"""Labels that next-best judging needs to find the best of six pipelines, against depth-10 pooling.

    RERANK_LAB_DATA=... python benchmarks/next_best.py [--seeds 11] [--sets dl19 scifact ...]

Judges are simulated by the judgments of each collection, without noise and with: a relevant
document loses a grade with a chance of 0.2, another one gains one with a chance of 0.05. A session
has 60 queries, drawn anew with replacement for each seed, so that the collection is the population
that `confidence` speaks of. Pooling judges one query after another, all of its pool; its leader has
the highest mean over the queries judged so far. "Needed" are the labels after which the leader is
the true winner of the session's queries (by the collection's complete judgments) and stays it;
infinite, printed as null, where the last leader is another. Rankings are made once and kept in the
data folder (`RERANK_LAB_HOME`); the first run takes some minutes for the cross-encoder.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from _report import report

from rerank_lab.core.types import Ranking
from rerank_lab.corpora import load_corpus
from rerank_lab.evaluation.experiments import evaluate
from rerank_lab.evaluation.measures import measure
from rerank_lab.judging.next_best import DecisionSettings, decide
from rerank_lab.judging.pools import PoolPlan, pool_pairs

SETS = ("dl19", "scifact", "cranfield", "trecqa")
BM25 = "bm25(k1=0.9,b=0.4)"
PIPELINES = (
    BM25,
    "bm25(k1=2.0,b=0.9)",
    "rm3",
    f"rrf({BM25},rm3)",
    f"{BM25} >> ms-marco-minilm-l12(top=5)",
    f"{BM25} >> ms-marco-minilm-l12(top=20)",
)
QUERIES, DEPTH, SAMPLES = 60, 10, 300
LOSES, GAINS = 0.2, 0.05
BINS = (0.0, 0.4, 0.6, 0.8, 0.9, 0.97, 1.0001)

Runs = dict[str, dict[str, tuple[str, ...]]]
Grades = dict[str, dict[str, int]]


@dataclass(frozen=True)
class Collection:
    """Complete judgments, rankings of the pipelines, and which of them is the best of all."""

    name: str
    runs: Runs
    qrels: Grades
    winner: str


@dataclass(frozen=True)
class Checkpoint:
    """What is said after so many labels, and whether it is so."""

    labels: int
    settled: float
    confidence: float
    right_here: bool
    right_in_population: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=11)
    parser.add_argument("--sets", nargs="+", default=SETS)
    arguments = parser.parse_args()
    figures: dict[str, Any] = {"seconds_to_decide": _seconds()}
    points: dict[bool, list[Checkpoint]] = {False: [], True: []}
    for name in arguments.sets:
        collection = _collection(name)
        figures[name] = {"true_means": _means(collection.runs, collection.qrels)}
        for noisy in (False, True):
            results = [_session(collection, seed, noisy) for seed in range(arguments.seeds)]
            points[noisy] += [point for _, curve in results for point in curve]
            figures[name]["noisy" if noisy else "exact"] = _summary([row for row, _ in results])
    for noisy, said in points.items():
        figures["reliability of " + ("noisy judges" if noisy else "exact judges")] = {
            "settled": _reliability([(p.settled, p.right_here) for p in said]),
            "confidence": _reliability([(p.confidence, p.right_in_population) for p in said]),
        }
    report("next_best", figures)


def _collection(name: str) -> Collection:
    corpus = load_corpus(str(Path(os.environ["RERANK_LAB_DATA"]) / name))
    done = evaluate(corpus, PIPELINES, measures=["nDCG@10"])
    qrels = {query_id: dict(grades) for query_id, grades in done.design.qrels.items()}
    runs = {
        spec: {q: ranking.doc_ids[:50] for q, ranking in done.run(spec).rankings.items()}
        for spec in done.design.pipelines
    }
    shared = set.intersection(*(set(run) for run in runs.values()))
    runs = {spec: {q: d for q, d in run.items() if q in shared} for spec, run in runs.items()}
    means = _means(runs, qrels)
    return Collection(name, runs, qrels, max(means, key=lambda spec: means[spec]))


def _means(runs: Runs, qrels: Grades) -> dict[str, float]:
    return {
        spec: measure(
            qrels, {q: Ranking.from_order(q, d) for q, d in run.items()}, ["nDCG@10"]
        ).measures["nDCG@10"]
        for spec, run in runs.items()
    }


def _session(
    collection: Collection, seed: int, noisy: bool
) -> tuple[dict[str, float], list[Checkpoint]]:
    """Labels needed by both ways of judging on the queries of one seed, and what was said."""
    generator = np.random.default_rng(seed)
    ids = sorted(next(iter(collection.runs.values())))
    drawn = {
        f"{n}-{ids[i]}": ids[i] for n, i in enumerate(generator.integers(0, len(ids), QUERIES))
    }
    runs = {s: {new: run[old] for new, old in drawn.items()} for s, run in collection.runs.items()}
    truth = {new: collection.qrels.get(old, {}) for new, old in drawn.items()}
    top = 3 if max(g for row in truth.values() for g in row.values()) > 1 else 1
    scale = tuple(range(max(top, *(g for row in truth.values() for g in row.values())) + 1))
    means = _means(runs, truth)
    winner = max(means, key=lambda spec: means[spec])
    pairs = [(p.query_id, p.doc_id) for p in pool_pairs(runs, PoolPlan(DEPTH, seed=seed))]
    said = {pair: _said(truth[pair[0]].get(pair[1], 0), noisy, generator) for pair in pairs}
    curve = list(_next_best(runs, said, scale, (winner, collection.winner), seed))
    needed = _stable([(point.labels, point.right_here) for point in curve])
    sure = next((point for point in curve if point.settled >= 0.95), curve[-1])
    pooling = _stable(_pooling(runs, pairs, said, winner))
    return {
        "pool": len(pairs),
        "next_best": needed,
        "pooling": pooling,
        "labels_until_settled_0.95": sure.labels,
        "right_when_settled_0.95": float(sure.right_here),
    }, curve


def _said(grade: int, noisy: bool, generator: np.random.Generator) -> int:
    luck = generator.random()
    if not noisy:
        return grade
    return grade - (luck < LOSES) if grade > 0 else int(luck < GAINS)


def _next_best(
    runs: Runs,
    said: dict[tuple[str, str], int],
    scale: tuple[int, ...],
    winners: tuple[str, str],
    seed: int,
) -> Iterator[Checkpoint]:
    qrels: Grades = {}
    settings = DecisionSettings(grades=scale, samples=SAMPLES, seed=seed)
    while True:
        decision = decide(runs, qrels, settings)
        yield Checkpoint(
            decision.labels,
            decision.settled,
            decision.confidence,
            decision.leader == winners[0],
            decision.leader == winners[1],
        )
        if not decision.candidates:
            return
        for pair in decision.candidates[: 10 if decision.labels < 150 else 40]:
            qrels.setdefault(pair.query_id, {})[pair.doc_id] = said[pair.query_id, pair.doc_id]


def _pooling(
    runs: Runs, pairs: list[tuple[str, str]], said: dict[tuple[str, str], int], winner: str
) -> list[tuple[int, bool]]:
    qrels: Grades = {}
    for query_id, doc_id in pairs:
        qrels.setdefault(query_id, {})[doc_id] = said[query_id, doc_id]
    values = np.array(
        [
            [per_query[q]["nDCG@10"] for q in qrels]
            for run in runs.values()
            for per_query in [
                measure(
                    qrels, {q: Ranking.from_order(q, d) for q, d in run.items()}, ["nDCG@10"]
                ).per_query
            ]
        ]
    )
    leaders = values.cumsum(axis=1).argmax(axis=0)
    labels = np.cumsum([len(grades) for grades in qrels.values()])
    specs = list(runs)
    return [(int(n), specs[i] == winner) for n, i in zip(labels, leaders, strict=True)]


def _stable(curve: list[tuple[int, bool]]) -> float:
    """The labels from which on every leader is right."""
    if not curve[-1][1]:
        return float("inf")
    wrong = [place for place, (_, right) in enumerate(curve) if not right]
    return curve[wrong[-1] + 1 if wrong else 0][0]


def _summary(rows: list[dict[str, float]]) -> dict[str, Any]:
    column = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    both = np.isfinite(column["next_best"]) & np.isfinite(column["pooling"])
    medians = {f"median_{name}": _number(np.median(values)) for name, values in column.items()}
    return medians | {
        "right_when_settled_0.95": float(column["right_when_settled_0.95"].mean()),
        "next_best_as_share_of_pooling": _number(
            np.median(column["next_best"]) / np.median(column["pooling"])
        ),
        "next_best_as_share_of_the_whole_pool": _number(
            np.median(column["next_best"]) / np.median(column["pool"])
        ),
        "seeds_where_next_best_needs_fewer": int(
            (column["next_best"][both] < column["pooling"][both]).sum()
        ),
        "seeds": len(rows),
        "never_next_best": int(np.isinf(column["next_best"]).sum()),
        "never_pooling": int(np.isinf(column["pooling"]).sum()),
        "each_seed_next_best": [_number(value) for value in column["next_best"]],
        "each_seed_pooling": [_number(value) for value in column["pooling"]],
    }


def _number(value: float) -> float | None:
    return round(float(value), 3) if np.isfinite(value) else None


def _reliability(said: list[tuple[float, bool]]) -> list[dict[str, float]]:
    """By stated chance: how often it was so."""
    chances, right = np.array([p for p, _ in said]), np.array([r for _, r in said])
    rows = []
    for low, high in pairwise(BINS):
        inside = (chances >= low) & (chances < high)
        if inside.any():
            rows.append(
                {
                    "stated": round(float(chances[inside].mean()), 3),
                    "true": round(float(right[inside].mean()), 3),
                    "times": int(inside.sum()),
                }
            )
    return rows


def _seconds() -> float:
    """Of one decision over 60 queries, 6 pipelines and depth 10, half of them judged."""
    generator = np.random.default_rng(0)
    runs = {
        f"p{p}": {f"q{q}": tuple(f"d{n}" for n in generator.permutation(30)) for q in range(60)}
        for p in range(6)
    }
    qrels = {
        f"q{q}": {f"d{n}": int(generator.integers(0, 4)) for n in range(15)} for q in range(60)
    }
    decide(runs, qrels)
    start = time.perf_counter()
    decide(runs, qrels)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
