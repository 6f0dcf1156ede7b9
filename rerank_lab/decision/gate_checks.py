"""Gates held against an evaluation: passed, failed, or not to be decided by what is known.

A threshold is about what was measured: `nDCG@10 >= 0.45` passes when the mean of these queries is
that high. With `at 95 %` the whole interval must lie on the right side. Queries without an answer
are no zeros: where they could turn the result either way, the gate cannot be decided. A claim
against another pipeline passes only when the test of `evaluation/margins.py` shows it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import msgspec
import numpy as np

from rerank_lab.core.errors import InvalidInput, nearest
from rerank_lab.core.text import dollars, duration_words
from rerank_lab.decision.cost import PipelineCost
from rerank_lab.decision.gates import BASELINE, ClaimGate, Gate, Quantity, ThresholdGate
from rerank_lab.decision.latency import PipelineLatency
from rerank_lab.decision.wording import signed
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.evaluation.margins import Claim, MarginTest, Verdict, margin_tests
from rerank_lab.evaluation.statistics import (
    Settings,
    differences,
    mean_interval,
    queries_needed,
)


class GateResult(StrEnum):
    """What became of a gate."""

    PASSED = "passed"
    FAILED = "failed"
    UNDECIDED = "cannot be decided"


@dataclass(frozen=True, slots=True)
class GateEvidence:
    """What gates are held against.

    Attributes:
        evaluation: With every measure that a gate names.
        pipelines: Name -> spec, in the order of the experiment.
        baseline: The spec of the baseline, "" where there is none.
        primary: The measure of claims that name none.
        latencies: By spec.
        costs: By spec.
        settings: Of tests and intervals.
    """

    evaluation: Evaluation
    pipelines: Mapping[str, str]
    baseline: str
    primary: str
    latencies: Mapping[str, PipelineLatency]
    costs: Mapping[str, PipelineCost]
    settings: Settings = field(default_factory=Settings)

    def name(self, spec: str) -> str:
        """How a pipeline is called."""
        return next((name for name, one in self.pipelines.items() if one == spec), spec)


@dataclass(frozen=True, slots=True)
class CheckedGate:
    """A gate held against one pipeline.

    Attributes:
        gate: The gate.
        name: How the pipeline is called.
        pipeline: Its spec.
        result: What became of it.
        sentence: What was measured and, where it did not pass, why.
        value: The mean, seconds, USD or share that was held against the threshold, or the
            difference of a claim; None when there is none.
        low: The lower end of its interval, where one was made.
        high: The upper end.
    """

    gate: Gate
    name: str
    pipeline: str
    result: GateResult
    sentence: str
    value: float | None = None
    low: float | None = None
    high: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Its fields by name; the gate as its line."""
        written: dict[str, Any] = msgspec.to_builtins(self)
        return written | {"gate": self.gate.line, "result": self.result.value}


def checked_names(gates: Sequence[Gate], names: Sequence[str], baseline: str) -> None:
    """Check that gates speak of pipelines that there are.

    Args:
        gates: Those of an experiment.
        names: Of its pipelines.
        baseline: The name of the baseline, "" where there is none.

    Raises:
        InvalidInput: A gate names no pipeline of the experiment, or is about none.
    """
    for gate in gates:
        if gate.pipeline and gate.pipeline not in names:
            raise _unknown(gate, gate.pipeline, names)
        if isinstance(gate, ClaimGate):
            if gate.reference == BASELINE and not baseline:
                raise InvalidInput(
                    f"The gate {gate.line!r} needs a baseline, and there is none.",
                    hint="Name it with the key baseline.",
                )
            if gate.reference not in (*names, BASELINE):
                raise _unknown(gate, gate.reference, names)
        if not _subjects(gate, names, baseline):
            raise InvalidInput(
                f"The gate {gate.line!r} is about no pipeline: there is none beside the one that "
                "it compares with.",
                hint="Add a pipeline to the experiment, or leave the gate out.",
            )


def check_gates(gates: Sequence[Gate], evidence: GateEvidence) -> tuple[CheckedGate, ...]:
    """Hold every gate against every pipeline that it is about. Raises as `checked_names`."""
    names = list(evidence.pipelines)
    baseline = evidence.name(evidence.baseline) if evidence.baseline else ""
    checked_names(gates, names, baseline)
    checked: list[CheckedGate] = []
    for gate in gates:
        subjects = _subjects(gate, names, baseline)
        if isinstance(gate, ClaimGate):
            checked += _claims(gate, subjects, evidence)
        else:
            checked += [_threshold(gate, name, evidence) for name in subjects]
    return tuple(checked)


def _subjects(gate: Gate, names: Sequence[str], baseline: str) -> list[str]:
    """The names of the pipelines that a gate is about."""
    reference = ""
    if isinstance(gate, ClaimGate):
        reference = baseline if gate.reference == BASELINE else gate.reference
    if gate.pipeline:
        return [gate.pipeline] if gate.pipeline != reference else []
    others = [name for name in names if name not in (baseline, reference)]
    return others or [name for name in names if name != reference]


def _unknown(gate: Gate, name: str, names: Sequence[str]) -> InvalidInput:
    return InvalidInput(
        f"The gate {gate.line!r} names {name!r}, which is no pipeline of this experiment"
        f"{nearest(name, names)}.",
        hint=f"The pipelines are {', '.join(names)}.",
    )


@dataclass(frozen=True, slots=True)
class _Measured:
    """A quantity: its value, its interval, and between what it may lie by all that is known.

    `doubt` says why it may lie anywhere else than at its value.
    """

    value: float | None
    sentence: str
    least: float = -math.inf
    most: float = math.inf
    low: float | None = None
    high: float | None = None
    doubt: str = ""


def _threshold(gate: ThresholdGate, name: str, evidence: GateEvidence) -> CheckedGate:
    spec = evidence.pipelines[name]
    measured = _MEASURED[gate.quantity](gate, spec, evidence)
    ends = {gate.holds(measured.least), gate.holds(measured.most)}
    if measured.value is None or len(ends) > 1:
        result = GateResult.UNDECIDED
    else:
        result = GateResult.PASSED if ends == {True} else GateResult.FAILED
    sentence = measured.sentence
    if result is GateResult.UNDECIDED and measured.doubt:
        sentence = f"{sentence}: {measured.doubt}"
    return CheckedGate(
        gate, name, spec, result, f"{sentence}.", measured.value, measured.low, measured.high
    )


def _mean(gate: ThresholdGate, spec: str, evidence: GateEvidence) -> _Measured:
    """The mean of a measure over the judged queries; those without an answer may have any value."""
    evaluation = evidence.evaluation
    values = list(evaluation.values(spec, gate.measure).values())
    judged = evaluation.judged_asked
    if not values:
        return _Measured(None, f"There is no {gate.measure}: no judged query was answered")
    total, missing = math.fsum(values), judged - len(values)
    highest = 1.0 if max(values) <= 1 else math.inf
    least = total / judged
    most = (total + missing * highest) / judged if missing else least
    mean = total / len(values)
    sentence = f"{gate.measure} is {mean:.4f} on {_queries(len(values))}"
    doubt = f"{_queries(missing)} of {judged:,} have no answer, and could turn it either way"
    if gate.level is None:
        return _Measured(mean, sentence, least, most, doubt=doubt)
    low, high = mean_interval(
        np.array(values, dtype=np.float64), replace(evidence.settings, level=gate.level)
    )
    if low is None or high is None:
        return _Measured(mean, sentence, doubt="one query gives no interval")
    sentence += f", {gate.level * 100:g} % interval [{low:.4f}, {high:.4f}]"
    return _Measured(
        mean,
        sentence,
        min(least, low),
        max(most, high),
        low,
        high,
        doubt if missing else f"the interval holds {gate.threshold:g}; more queries narrow it",
    )


def _p95(gate: ThresholdGate, spec: str, evidence: GateEvidence) -> _Measured:
    latency = evidence.latencies[spec]
    if latency.p95 is None:
        return _Measured(None, f"There is no p95: {latency.why}")
    how = (
        f"under a load of {latency.rate:g} queries a second"
        if latency.source == "load"
        else "one query at a time"
    )
    value = duration_words(latency.p95)
    sentence = f"p95 is {value} over {_queries(latency.queries)}, {how}"
    low, high = latency.low, latency.high
    if gate.level is None:
        most = math.inf if latency.at_least else latency.p95
        doubt = "queries that never finished would have taken longer"
        return _Measured(latency.p95, sentence, latency.p95, most, low, high, doubt)
    ends = f"[{_duration(low)}, {_duration(high)}]"
    return _Measured(
        latency.p95,
        f"{sentence}, 95 % interval {ends}",
        0.0 if low is None else low,
        math.inf if high is None or latency.at_least else high,
        low,
        high,
        f"the interval holds {duration_words(gate.threshold)}; more timed queries narrow it",
    )


def _cost(gate: ThresholdGate, spec: str, evidence: GateEvidence) -> _Measured:
    cost = evidence.costs[spec]
    usd = cost.usd_per_thousand
    if usd is None:
        return _Measured(None, f"The cost is not known. Missing: {'; '.join(cost.unknown)}")
    sentence = (
        f"1,000 queries cost {dollars(usd)} at {cost.terms.queries_per_month:,} queries a month"
    )
    if cost.left_out:
        sentence += ", your own hardware for the first stage not counted"
    return _Measured(usd, sentence, usd, usd)


def _answered(gate: ThresholdGate, spec: str, evidence: GateEvidence) -> _Measured:
    outcome = evidence.evaluation.by_pipeline[spec]
    share = outcome.answered / outcome.queries
    most = (outcome.answered + outcome.pending) / outcome.queries
    return _Measured(
        share,
        f"{outcome.answered:,} of {_queries(outcome.queries)} were answered ({share:.1%})",
        share,
        most,
        doubt=f"{_queries(outcome.pending)} were not asked yet",
    )


_MEASURED: dict[Quantity, Callable[[ThresholdGate, str, GateEvidence], _Measured]] = {
    "measure": _mean,
    "p95": _p95,
    "cost": _cost,
    "answered": _answered,
}


def _claims(gate: ClaimGate, names: Sequence[str], evidence: GateEvidence) -> list[CheckedGate]:
    """A claim of several pipelines, tested together."""
    measure = gate.measure or evidence.primary
    reference = (
        evidence.baseline if gate.reference == BASELINE else evidence.pipelines[gate.reference]
    )
    specs = {name: evidence.pipelines[name] for name in names}
    values = {
        spec: evidence.evaluation.values(spec, measure, common=True)
        for spec in (reference, *specs.values())
    }
    tests = {
        test.b: test
        for test in margin_tests(reference, values, gate.claim, gate.margin, evidence.settings)
    }
    checked = []
    for name, spec in specs.items():
        if spec not in tests:
            why = f"It and {evidence.name(reference)} have no judged query that both answered."
            checked.append(CheckedGate(gate, name, spec, GateResult.UNDECIDED, why))
            continue
        test = tests[spec]
        deltas = list(differences(values[reference], values[spec]).values())
        sentence = _claim_sentence(test, measure, deltas, len(specs), evidence)
        result = _RESULTS[test.verdict]
        checked.append(
            CheckedGate(gate, name, spec, result, sentence, test.difference, test.low, test.high)
        )
    return checked


_RESULTS = {
    Verdict.SHOWN: GateResult.PASSED,
    Verdict.SHOWN_OTHERWISE: GateResult.FAILED,
    Verdict.NOT_SHOWN: GateResult.UNDECIDED,
}


def _claim_sentence(
    test: MarginTest,
    measure: str,
    deltas: Sequence[float],
    comparisons: int,
    evidence: GateEvidence,
) -> str:
    interval = ""
    if test.low is not None and test.high is not None:
        interval = f" [{signed(test.low)}, {signed(test.high)}]"
    judged = evidence.evaluation.judged_asked
    of_judged = "" if test.queries == judged else f" of {judged:,} judged"
    measured = (
        f"{signed(test.difference)} {measure}{interval} against {evidence.name(test.a)} on "
        f"{_queries(test.queries)}{of_judged}"
    )
    if test.verdict is Verdict.SHOWN:
        return f"{measured}: shown."
    claim = (
        f"worse by more than {test.margin:g}"
        if test.claim is Claim.NOT_WORSE
        else f"better by less than {test.margin:g}"
        if test.margin
        else "worse"
    )
    if test.verdict is Verdict.SHOWN_OTHERWISE:
        return f"{measured}: it is shown to be {claim}."
    needed = None
    if test.difference > test.bound:
        moved = np.array(deltas, dtype=np.float64) - test.bound
        needed = queries_needed(moved, evidence.settings, comparisons)
    more = f"; about {needed:,} queries like these would show it" if needed else ""
    return f"{measured}: these queries decide neither way{more}."


def _queries(count: int) -> str:
    return f"{count:,} {'query' if count == 1 else 'queries'}"


def _duration(value: float | None) -> str:
    return "unknown" if value is None else duration_words(value)
