"""What is said of a language model's answers."""

from __future__ import annotations

from rerank_lab.core.types import Trace
from rerank_lab.rerankers.parsing import Fault
from rerank_lab.views.answers import fault_words, manner_words
from tests.views.made import corpus, ids, outcome_of, result, view


def test_each_kind_of_fault_is_told_with_its_number() -> None:
    counts = {"answers": 9.0, "refused": 2.0, "invented": 1.0, "repetition": 1.0, "unusable": 2.0}
    assert fault_words(counts) == (
        "Of 9 answers: 2 refused, 1 with repeated identifiers, 1 with invented identifiers; "
        "2 could not be used"
    )
    assert fault_words({"answers": 1.0, "missing": 1.0}) == (
        "Of 1 answer: 1 with documents missing"
    )
    assert fault_words({"answers": 9.0}) == ""
    assert all(fault_words({fault.value: 1.0}) for fault in Fault)


def test_reasoning_and_position_bias_are_told() -> None:
    counts = {"reasoning": 1.0, "shuffled_orders": 5.0, "position_bias_sum": 2.1}
    assert (
        manner_words(counts) == "1 answer with a reasoning trace, position bias 0.42 over 5 orders"
    )
    assert manner_words({}) == ""


def test_a_column_tells_faults_among_its_warnings_and_bias_among_its_facts() -> None:
    counts = {"answers": 3.0, "refused": 1.0, "shuffled_orders": 2.0, "position_bias_sum": 1.0}
    spec = "bm25 >> identity"
    done = result(spec, [ids(1, 2), ids(2, 1)], [Trace(), Trace(repairs=1, counts=counts)])
    (column,) = view([outcome_of(spec, done)], corpus()).columns
    assert "Of 3 answers: 1 refused" in column.warnings
    assert "1 repair of the model's answers" in column.warnings
    assert "position bias 0.50 over 2 orders" in column.calls
