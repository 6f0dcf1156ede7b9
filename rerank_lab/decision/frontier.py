"""The Pareto front of quality, p95 and price, as far as the data shows it.

One pipeline is dominated by another only when all of this is shown:

* quality: the other is better by the corrected randomisation test, or not worse by more than a
  margin that the team states (the 95 % interval of the paired difference lies above it);
* speed: the other takes less time for the same queries (the 95 % interval of the mean log ratio of
  their times lies below 0), and its measured p95 is not higher;
* price: the other's is not higher; or the price of neither is known.

What is not shown does not dominate: pipelines that cannot be told apart all stay on the front.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from rerank_lab.decision.facts import PipelineFacts
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.evaluation.statistics import (
    Paired,
    bootstrap_interval,
    differences,
    holm,
    paired,
)

ALPHA = 0.05
Pairs = Mapping[tuple[str, str], Paired]
"""(a, b) -> b against a, both ways round, with p-values corrected for all pairs."""


def all_pairs(evaluation: Evaluation, measure: str) -> Pairs:
    """Every pipeline against every other, on the queries that all of them answered.

    Holm-corrected over all pairs of the evaluation, so that no requirement of the team, and no
    choice of the best after a look at the results, changes a p-value.
    """
    values = {
        spec: by_query
        for spec in evaluation.design.pipelines
        if (by_query := evaluation.values(spec, measure, common=True))
    }
    pairs = [paired(values[a], values[b], (a, b)) for a, b in combinations(values, 2)]
    known = iter(holm([one.p for one in pairs if one.p is not None]))
    corrected = [one if one.p is None else replace(one, p_holm=next(known)) for one in pairs]
    return {
        key: one
        for pair in corrected
        for key, one in (((pair.a, pair.b), pair), ((pair.b, pair.a), reversed_pair(pair)))
    }


def shown_better(one: Paired) -> bool:
    """Whether `b` is better than `a` by the corrected randomisation test."""
    return one.p_holm is not None and one.p_holm < ALPHA and one.difference > 0


def shown_not_worse(one: Paired, margin: float) -> bool:
    """Whether `b` is shown not to be worse than `a` by more than `margin`."""
    return shown_better(one) or (one.low is not None and one.low >= -margin)


def dominated(
    evaluation: Evaluation, facts: Sequence[PipelineFacts], pairs: Pairs, margin: float
) -> dict[str, tuple[str, ...]]:
    """By pipeline, those that dominate it, by the rule of this module; () for the front."""
    known = [one for one in facts if one.quality.known]
    return {
        facts_b.pipeline: tuple(
            facts_a.pipeline
            for facts_a in known
            if facts_a is not facts_b
            and facts_b.quality.known
            and _dominates(evaluation, facts_a, facts_b, pairs, margin)
        )
        for facts_b in facts
    }


def not_slower(a: PipelineFacts, b: PipelineFacts) -> bool:
    """Whether the measured p95 of `a` is not higher than that of `b`; False when one is unknown."""
    return (
        a.p95.value is not None
        and b.p95.value is not None
        and a.p95.value.value <= b.p95.value.value
    )


def not_dearer(a: PipelineFacts, b: PipelineFacts) -> bool:
    """Whether `a` costs no more than `b`, or the price of neither is known."""
    if a.price.value is None or b.price.value is None:
        return a.price.value is None and b.price.value is None
    return a.price.value <= b.price.value


def _dominates(
    evaluation: Evaluation, a: PipelineFacts, b: PipelineFacts, pairs: Pairs, margin: float
) -> bool:
    one = pairs[b.pipeline, a.pipeline]
    return (
        shown_not_worse(one, margin)
        and not_dearer(a, b)
        and not_slower(a, b)
        and _shown_faster(evaluation, a.pipeline, b.pipeline)
    )


def _shown_faster(evaluation: Evaluation, a: str, b: str) -> bool:
    """Whether `a` takes less time than `b` for the queries that both were timed on."""
    times_a, times_b = _log_seconds(evaluation, a), _log_seconds(evaluation, b)
    ratios = np.array(list(differences(times_b, times_a).values()), dtype=np.float64)
    high = bootstrap_interval(ratios)[1]
    return high is not None and high < 0


def _log_seconds(evaluation: Evaluation, spec: str) -> dict[str, float]:
    return {
        query_id: math.log(cell.seconds)
        for (query_id, pipeline), cell in evaluation.cells.items()
        if pipeline == spec and cell.seconds
    }


def reversed_pair(one: Paired) -> Paired:
    """The same comparison the other way round."""
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
