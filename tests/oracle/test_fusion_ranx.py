"""Fusion against ranx, which is fed sorted runs: it takes the order it is given for the rank."""

from __future__ import annotations

import random
from typing import Any

import pytest

from rerank_lab.core.types import Ranking
from rerank_lab.fusion.rrf import reciprocal_rank
from rerank_lab.fusion.weighted import weighted


def make(seed: int) -> list[dict[str, float]]:
    rng = random.Random(seed)
    names = [f"d{i}" for i in range(30)]
    lists = []
    for _ in range(rng.randint(2, 4)):
        chosen = rng.sample(names, rng.randint(2, 20))
        lists.append({name: rng.uniform(-5, 20) for name in chosen})
    return lists


def sorted_runs(lists: list[dict[str, float]]) -> list[Any]:
    from ranx import Run

    return [Run({"q": dict(sorted(scores.items(), key=lambda item: -item[1]))}) for scores in lists]


def rankings(lists: list[dict[str, float]]) -> list[Ranking]:
    return [Ranking.from_scores("q", scores, "bm25") for scores in lists]


def fused(made: Ranking) -> dict[str, float | None]:
    return {hit.doc_id: hit.score for hit in made}


@pytest.mark.parametrize("seed", range(4))
def test_rrf(seed: int) -> None:
    from ranx import fuse

    lists = make(seed)
    theirs = fuse(sorted_runs(lists), norm=None, method="rrf", params={"k": 60}).to_dict()["q"]
    assert fused(reciprocal_rank(rankings(lists))) == pytest.approx(theirs)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("ours", "norm"), [("min-max", "min-max"), ("z-score", "zmuv")])
def test_weighted_sum(seed: int, ours: str, norm: str) -> None:
    from ranx import fuse

    lists = make(seed)
    weights = [i + 1.0 for i in range(len(lists))]
    shares = [weight / sum(weights) for weight in weights]
    theirs = fuse(
        sorted_runs(lists), norm=norm, method="wsum", params={"weights": shares}
    ).to_dict()["q"]
    assert fused(weighted(rankings(lists), weights, ours)) == pytest.approx(theirs, abs=1e-9)
