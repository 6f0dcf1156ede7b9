"""Gates: one line of text each, errors that point at a character, and what an evaluation says."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from rerank_lab.core.errors import InvalidInput
from rerank_lab.decision.cost import Capacity, CostTerms, PipelineCost
from rerank_lab.decision.gate_checks import GateEvidence, GateResult, check_gates
from rerank_lab.decision.gates import parse_gate, parse_gates
from rerank_lab.decision.latency import pipeline_latency
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.evaluation.margins import Claim
from tests.decision.timed import timed

SAME, SHIFTED = [1, 2] * 20, [2, 1] * 20


def evidence(evaluation: Evaluation, names: Mapping[str, str], baseline: str = "") -> GateEvidence:
    terms = CostTerms(queries_per_month=1_000_000, usd_per_hour=1.0)
    return GateEvidence(
        evaluation,
        names,
        names.get(baseline, ""),
        evaluation.design.measures[0],
        {spec: pipeline_latency(evaluation, spec) for spec in names.values()},
        {
            spec: PipelineCost(spec, terms, capacity=Capacity(10.0, "typed"))
            for spec in names.values()
        },
    )


def results(line: str, given: GateEvidence) -> dict[str, GateResult]:
    return {one.name: one.result for one in check_gates([parse_gate(line)], given)}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("nDCG@10 >= 0.45", ("measure", "nDCG@10", ">=", 0.45, None)),
        ("P(rel=2)@5 > 30%", ("measure", "P(rel=2)@5", ">", 0.3, None)),
        ("nDCG@10 ≥ 0.45 at 99 %", ("measure", "nDCG@10", ">=", 0.45, 0.99)),
        ("p95 < 300 ms", ("p95", "", "<", 0.3, None)),
        ("p95 <= 1.5s at 95%", ("p95", "", "<=", 1.5, 0.95)),
        ("Cost < 2 USD per 1,000 queries", ("cost", "", "<", 2.0, None)),
        ("answered >= 99 %", ("answered", "", ">=", 0.99, None)),
    ],
)
def test_a_threshold_is_read(line: str, expected: tuple[object, ...]) -> None:
    gate = parse_gate(line)
    read = (gate.quantity, gate.measure, gate.operator, gate.threshold, gate.level)  # type: ignore[union-attr]
    assert read == expected
    assert gate.line == line


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("not worse than baseline by 0.01", ("", "", Claim.NOT_WORSE, "baseline", 0.01)),
        ("better than baseline", ("", "", Claim.BETTER, "baseline", 0.0)),
        ("R@10 not worse than by far by .02", ("", "R@10", Claim.NOT_WORSE, "by far", 0.02)),
        ("my l12: RR better than bm25 by 0.1", ("my l12", "RR", Claim.BETTER, "bm25", 0.1)),
    ],
)
def test_a_claim_is_read(line: str, expected: tuple[object, ...]) -> None:
    gate = parse_gate(line)
    read = (gate.pipeline, gate.measure, gate.claim, gate.reference, gate.margin)  # type: ignore[union-attr]
    assert read == expected


@pytest.mark.parametrize(
    ("line", "place", "expected"),
    [
        ("nDCG@10 => 0.45", 9, ">= or >"),
        ("nDCG@10 <= 0.45", 9, ">= or >"),
        ("nDGC@10 >= 0.45", 1, "did you mean nDCG"),
        ("nDCG@10 >= high", 12, "a number"),
        ("nDCG@10 >= 0.45 please", 17, "the end of the line"),
        ("p95 < 300", 10, '"ms" or "s"'),
        ("p95 > 300 ms", 5, "<= or <"),
        ("cost < 2 EUR", 10, "USD per 1,000"),
        ("answered >= 0.99", 17, '"%"'),
        ("not worse than baseline", 24, '"by" and the margin'),
        ("worse than baseline", 1, '"not worse than"'),
        ("better", 7, '"than"'),
        ("", 1, "a measure, p95, cost or answered"),
    ],
)
def test_an_error_points_at_the_character(line: str, place: int, expected: str) -> None:
    with pytest.raises(InvalidInput) as error:
        parse_gate(line)
    assert f"at character {place}: " in error.value.message
    assert expected in error.value.message
    assert "p95 < 300 ms" in error.value.hint


def test_every_line_at_fault_is_named() -> None:
    with pytest.raises(InvalidInput) as error:
        parse_gates(["p95 < 300", "better than baseline", "hello"])
    assert [one.partition(":")[0] for one in error.value.problems] == ["gate 1", "gate 3"]


def test_a_threshold_holds_what_was_measured() -> None:
    evaluation = timed({"a": [1] * 20 + [2] * 20}, {"a": 0.1})
    alone = evidence(evaluation, {"one": "a"})

    assert results("RR@10 >= 0.75", alone) == {"one": GateResult.PASSED}
    assert results("RR@10 > 0.75", alone) == {"one": GateResult.FAILED}
    assert results("RR@10 >= 0.70 at 95 %", alone) == {"one": GateResult.UNDECIDED}
    assert results("RR@10 >= 0.6 at 95 %", alone) == {"one": GateResult.PASSED}
    assert results("RR@10 >= 0.9 at 95 %", alone) == {"one": GateResult.FAILED}


def test_queries_without_an_answer_are_no_zeros_and_no_passes() -> None:
    evaluation = timed({"a": [1] * 8 + [None] * 2}, {"a": 0.1})
    alone = evidence(evaluation, {"one": "a"})

    assert results("RR@10 >= 0.8", alone) == {"one": GateResult.PASSED}  # even if they were 0
    assert results("RR@10 >= 0.9", alone) == {"one": GateResult.UNDECIDED}
    assert results("answered >= 80 %", alone) == {"one": GateResult.PASSED}
    assert results("answered >= 81 %", alone) == {"one": GateResult.FAILED}
    (check,) = check_gates([parse_gate("RR@10 >= 0.9")], alone)
    assert "2 queries of 10 have no answer" in check.sentence


def test_an_unfinished_run_does_not_fail_what_is_still_to_come() -> None:
    evaluation = timed({"a": [1] * 10, "b": [1] * 5}, {"a": 0.1, "b": 0.1})
    unfinished = evidence(evaluation, {"first": "a", "second": "b"}, "first")

    assert results("answered >= 99 %", unfinished) == {"second": GateResult.UNDECIDED}
    assert results("answered >= 50 %", unfinished) == {"second": GateResult.PASSED}


def test_nothing_measured_cannot_be_decided() -> None:
    evaluation = timed({"a": [None] * 4}, {"a": 0.1})
    alone = evidence(evaluation, {"one": "a"})

    assert results("RR@10 >= 0.1", alone) == {"one": GateResult.UNDECIDED}
    assert results("p95 < 1 s", alone) == {"one": GateResult.UNDECIDED}


def test_latency_and_cost() -> None:
    evaluation = timed({"a": [1] * 10}, {"a": 0.1})
    alone = evidence(evaluation, {"one": "a"})

    assert results("p95 < 300 ms", alone) == {"one": GateResult.PASSED}
    assert results("p95 < 100 ms", alone) == {"one": GateResult.FAILED}
    assert results("p95 < 300 ms at 95 %", alone) == {"one": GateResult.UNDECIDED}
    assert results("cost < 2 USD per 1,000", alone) == {"one": GateResult.PASSED}
    assert results("cost < 0.1 USD per 1,000", alone) == {"one": GateResult.FAILED}

    unpriced = GateEvidence(
        evaluation,
        {"one": "a"},
        "",
        "RR@10",
        alone.latencies,
        {"a": PipelineCost("a", CostTerms())},
    )
    (check,) = check_gates([parse_gate("cost < 2 USD per 1,000")], unpriced)
    assert check.result is GateResult.UNDECIDED
    assert "the price of an hour of your hardware" in check.sentence


def test_a_claim_must_be_shown() -> None:
    places = {"a": [3] * 40, "same": [3] * 40, "better": [1] * 40, "worse": [9] * 40}
    evaluation = timed(places, dict.fromkeys(places, 0.1))
    named = evidence(evaluation, {name: name for name in places}, "a")

    assert results("not worse than baseline by 0.01", named) == {
        "same": GateResult.PASSED, "better": GateResult.PASSED, "worse": GateResult.FAILED,
    }  # fmt: skip
    assert results("better than baseline by 0.1", named) == {
        "same": GateResult.FAILED, "better": GateResult.PASSED, "worse": GateResult.FAILED,
    }  # fmt: skip
    assert results("worse: better than same", named) == {"worse": GateResult.FAILED}
    assert results("nDCG@10 better than worse", named) == {
        "same": GateResult.PASSED, "better": GateResult.PASSED,
    }  # fmt: skip


def test_a_claim_that_the_queries_leave_open_says_how_many_would_show_it() -> None:
    evaluation = timed({"a": SAME, "b": [*SHIFTED[:-2], 1, 1]}, {"a": 0.1, "b": 0.1})
    open_claim = evidence(evaluation, {"old": "a", "new": "b"}, "old")

    (check,) = check_gates([parse_gate("better than baseline")], open_claim)
    assert check.result is GateResult.UNDECIDED
    assert "these queries decide neither way; about " in check.sentence
    assert check.low is not None
    assert check.low < 0 < (check.high or 0)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("tow: p95 < 1 s", "did you mean two"),
        ("better than tow", "did you mean two"),
        ("better than baseline", "needs a baseline"),
        ("two: better than two", "about no pipeline"),
    ],
)
def test_a_gate_about_nothing_is_refused(line: str, words: str) -> None:
    evaluation = timed({"a": [1], "b": [1]}, {"a": 0.1, "b": 0.1})
    with pytest.raises(InvalidInput, match=words):
        check_gates([parse_gate(line)], evidence(evaluation, {"one": "a", "two": "b"}))
