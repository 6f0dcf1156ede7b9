"""Claims with a margin: "not worse than X by more than 0.02", "better than X by more than 0.01".

A claim is shown when two things agree: the interval of the difference lies on its side of the
margin, and so does a one-sided sign-flip test of the differences moved by the margin. Both have the
level of one end of a two-sided interval (2.5 % for 95 %), as ICH E9 has it for non-inferiority in
clinical trials, so that no verdict contradicts the interval beside it. A claim that is not shown is
not refuted: that is a verdict of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import msgspec
import numpy as np

from rerank_lab.core.errors import InvalidInput
from rerank_lab.evaluation.statistics import (
    Floats,
    Settings,
    Values,
    bootstrap_interval,
    differences,
    holm,
    one_sided_test,
    within_bounds,
)

_SETTINGS = Settings()


class Claim(StrEnum):
    """What is claimed of a pipeline against a baseline."""

    NOT_WORSE = "not worse"
    """Its mean is not below the baseline's by more than the margin (non-inferiority)."""
    BETTER = "better"
    """Its mean is above the baseline's by more than the margin (superiority)."""


class Verdict(StrEnum):
    """What the queries say of a claim."""

    SHOWN = "shown"
    NOT_SHOWN = "not shown"
    """These queries decide neither way."""
    SHOWN_OTHERWISE = "shown otherwise"
    """The opposite of the claim is shown."""


@dataclass(frozen=True, slots=True)
class MarginTest:
    """A claim of `b` against the baseline `a` on the queries that both have.

    `difference` is mean b - mean a; `low` and `high` are its interval at `level`. `p` is one-sided,
    of the claim; `p_otherwise` of its opposite. Both are Holm-corrected where several pipelines
    make the claim together; a claim holds where its p is at most (1 - level) / 2. They, and the
    ends, are None for fewer than two queries.
    """

    a: str
    b: str
    claim: Claim
    margin: float
    queries: int
    difference: float
    low: float | None
    high: float | None
    p: float | None
    p_otherwise: float | None
    level: float

    @property
    def bound(self) -> float:
        """The difference that the claim speaks of: -margin or +margin."""
        return -self.margin if self.claim is Claim.NOT_WORSE else self.margin

    @property
    def verdict(self) -> Verdict:
        """Shown, not shown, or shown otherwise."""
        alpha = (1 - self.level) / 2 + 1e-12
        if self.low is None or self.high is None or self.p is None or self.p_otherwise is None:
            return Verdict.NOT_SHOWN
        if self.low > self.bound and self.p <= alpha:
            return Verdict.SHOWN
        if self.high < self.bound and self.p_otherwise <= alpha:
            return Verdict.SHOWN_OTHERWISE
        return Verdict.NOT_SHOWN

    def to_json(self) -> dict[str, Any]:
        """Its fields by name, and the verdict."""
        written: dict[str, Any] = msgspec.to_builtins(self)
        return written | {"verdict": self.verdict.value}


def margin_test(
    a: Values,
    b: Values,
    claim: Claim,
    margin: float,
    names: tuple[str, str] = ("a", "b"),
    settings: Settings = _SETTINGS,
) -> MarginTest:
    """Is `b` not worse than the baseline `a` by more than the margin, or better by more than it?

    Args:
        a: query id -> value of a measure for which higher is better.
        margin: in the unit of the measure, 0 or more.
        names: of `a` and `b`.

    Raises:
        InvalidInput: the margin is negative or not finite, or they share no query.
    """
    _check(margin)
    deltas = np.array(list(differences(a, b).values()), dtype=np.float64)
    if not len(deltas):
        raise InvalidInput(
            f"{names[0]} and {names[1]} have no query in common to compare them on.",
            hint="Let both answer the same queries.",
        )
    tested = _tested(deltas, claim, margin, names, settings)
    low, high = within_bounds((tested.low, tested.high), a, b)
    return replace(tested, low=low, high=high)


def margin_tests(
    baseline: str,
    values: Mapping[str, Values],
    claim: Claim,
    margin: float,
    settings: Settings = _SETTINGS,
) -> list[MarginTest]:
    """The same claim of every pipeline against `baseline`, with p-values Holm-corrected over them.

    Pipelines that share no query with the baseline are left out. Raises InvalidInput as
    `margin_test`.
    """
    tests = [
        margin_test(values[baseline], of_pipeline, claim, margin, (baseline, name), settings)
        for name, of_pipeline in values.items()
        if name != baseline and differences(values[baseline], of_pipeline)
    ]
    testable = [one for one in tests if one.p is not None]
    of_claim = iter(holm([one.p for one in testable if one.p is not None]))
    otherwise = iter(holm([one.p_otherwise for one in testable if one.p_otherwise is not None]))
    return [
        one if one.p is None else replace(one, p=next(of_claim), p_otherwise=next(otherwise))
        for one in tests
    ]


def _tested(
    deltas: Floats, claim: Claim, margin: float, names: tuple[str, str], settings: Settings
) -> MarginTest:
    low, high = bootstrap_interval(deltas, settings)
    moved = deltas + (margin if claim is Claim.NOT_WORSE else -margin)
    return MarginTest(
        *names,
        claim=claim,
        margin=margin,
        queries=len(deltas),
        difference=float(deltas.mean()),
        low=low,
        high=high,
        p=one_sided_test(moved, settings),
        p_otherwise=one_sided_test(-moved, settings),
        level=settings.level,
    )


def _check(margin: float) -> None:
    if not (math.isfinite(margin) and margin >= 0):
        raise InvalidInput(
            f"{margin} is no margin.",
            hint="Give the difference that would matter to you, 0 or more, such as 0.02.",
        )
