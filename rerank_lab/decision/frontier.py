"""The Pareto front of quality, p95 and price, as far as the data shows it.

One pipeline is dominated by another only when all of this is shown:

* quality: the other is better by the corrected randomisation test, or not worse by more than a
  margin that the team states;
* speed: the other takes less time for the same queries (the 95 % interval of the mean log ratio of
  their times lies below 0), and its measured p95 is not higher;
* price: the other's is not higher; or the price of neither is known.

What is not shown does not dominate: pipelines that cannot be told apart all stay on the front.
"""

from __future__ import annotations

from collections.abc import Mapping

from rerank_lab.decision.comparisons import Comparisons
from rerank_lab.decision.facts import PipelineFacts


def dominated(
    facts: Mapping[str, PipelineFacts],
    comparisons: Comparisons,
    margin: float,
) -> dict[str, tuple[str, ...]]:
    """By pipeline, those that dominate it, by the rule of this module; () for the front.

    Args:
        facts: Of the pipelines of an evaluation, by spec.
        comparisons: Of the same evaluation.
        margin: A difference of the measure up to this does not matter.
    """
    return {
        b: tuple(
            a
            for a in facts
            if (b, a) in comparisons.pairs
            and not_slower(facts[a], facts[b])
            and not_dearer(facts[a], facts[b])
            and comparisons.faster(a, b)
            and comparisons.not_worse(a, b, margin)
        )
        for b in facts
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
