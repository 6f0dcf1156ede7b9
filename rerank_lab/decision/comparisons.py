"""Every pipeline of an evaluation against every other: what a decision rests on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Literal

import numpy as np

from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.evaluation.margins import Claim, Verdict, margin_test
from rerank_lab.evaluation.statistics import (
    Paired,
    Values,
    bootstrap_interval,
    differences,
    holm,
    paired_all,
    queries_needed,
)

ALPHA = 0.05
ComparisonResult = Literal["better", "not worse", "worse", "open"]
"""What is shown of a pipeline against another; open: neither better nor worse, by these queries."""


@dataclass(frozen=True, slots=True)
class ComparedPair:
    """A pipeline (`b`) against another (`a`), and what is shown by it."""

    paired: Paired
    result: ComparisonResult


@dataclass(frozen=True, slots=True)
class Comparisons:
    """All pairs by one measure, on the queries that all pipelines answered.

    p-values are Holm-corrected over all pairs of the evaluation, so that no requirement of the
    team, and no choice of the best after a look at the results, changes one.

    Attributes:
        measure: Its name.
        values: By pipeline and query.
        pairs: (a, b) -> b against a, both ways round.
        log_seconds: By pipeline and query, the logarithm of the seconds that were measured.
        memo: What was worked out when it was first asked for; no requirement changes it.
    """

    measure: str
    values: Mapping[str, Values]
    pairs: Mapping[tuple[str, str], Paired]
    log_seconds: Mapping[str, Values]
    memo: dict[tuple[object, ...], object] = field(default_factory=dict, compare=False, repr=False)

    def against(self, a: str, b: str, margin: float) -> ComparedPair:
        """`b` against `a`. Raises KeyError for a pipeline that answered none of the queries."""
        if self.better(b, a):
            return ComparedPair(self.pairs[a, b], "better")
        if self.better(a, b):
            return ComparedPair(self.pairs[a, b], "worse")
        result: ComparisonResult = "not worse" if self.not_worse(b, a, margin) else "open"
        return ComparedPair(self.pairs[a, b], result)

    def better(self, b: str, a: str) -> bool:
        """Whether `b` is shown to be better than `a`, by the corrected randomisation test."""
        one = self.pairs[a, b]
        return one.p_holm is not None and one.p_holm < ALPHA and one.difference > 0

    def not_worse(self, b: str, a: str, margin: float) -> bool:
        """Whether `b` is shown not to be worse than `a` by more than the margin, or better.

        A claim that all others must meet needs no correction for their number (an
        intersection-union test: Berger, Technometrics 24, 1982).
        """
        if self.better(b, a):
            return True
        low = self.pairs[a, b].low
        if low is None or low <= -margin:
            return False  # as the test below would find, without resampling
        key = (a, b, margin)
        if key not in self.memo:
            test = margin_test(self.values[a], self.values[b], Claim.NOT_WORSE, margin, (a, b))
            self.memo[key] = test.verdict is Verdict.SHOWN
        return bool(self.memo[key])

    def faster(self, a: str, b: str) -> bool:
        """Whether `a` is shown to take less time than `b` for the queries both were timed on."""
        key = ("faster", a, b)
        if key not in self.memo:
            ratios = differences(self.log_seconds[b], self.log_seconds[a])
            high = bootstrap_interval(np.array(list(ratios.values()), dtype=np.float64))[1]
            self.memo[key] = high is not None and high < 0
        return bool(self.memo[key])

    def queries_needed(self, a: str, b: str) -> int | None:
        """How many queries like these would tell the observed difference from chance.

        None where there is no difference to find.
        """
        deltas = np.array(list(differences(self.values[a], self.values[b]).values()))
        return queries_needed(deltas, comparisons=max(1, len(self.pairs) // 2))


def all_pairs(evaluation: Evaluation, measure: str) -> Comparisons:
    """Compare the pipelines of an evaluation that answered any of the judged queries."""
    values = {
        spec: by_query
        for spec in evaluation.design.pipelines
        if (by_query := evaluation.values(spec, measure, common=True))
    }
    results = paired_all([((a, b), values[a], values[b]) for a, b in combinations(values, 2)])
    adjusted = iter(holm([one.p for one in results if one.p is not None]))
    corrected = [one if one.p is None else replace(one, p_holm=next(adjusted)) for one in results]
    pairs = {
        (each.a, each.b): each for one in corrected for each in (one, _the_other_way_round(one))
    }
    return Comparisons(measure, values, pairs, _log_seconds(evaluation))


def _log_seconds(evaluation: Evaluation) -> dict[str, Values]:
    by_pipeline: dict[str, dict[str, float]] = {spec: {} for spec in evaluation.design.pipelines}
    for (query_id, spec), cell in evaluation.cells.items():
        if cell.seconds:
            by_pipeline[spec][query_id] = math.log(cell.seconds)
    return dict(by_pipeline)


def _the_other_way_round(one: Paired) -> Paired:
    return replace(
        one,
        a=one.b,
        b=one.a,
        mean_a=one.mean_b,
        mean_b=one.mean_a,
        difference=-one.difference,
        low=None if one.high is None else -one.high,
        high=None if one.low is None else -one.low,
        wins=one.losses,
        losses=one.wins,
    )
