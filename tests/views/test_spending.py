"""What is said of money: spent, left, and what a query set would take."""

from __future__ import annotations

from rerank_lab.core.spend import CostEstimate, SpendMeter
from rerank_lab.core.types import Document, Query
from rerank_lab.views.spending import spent_words

DOCS = tuple(Document(str(i), f"text {i}") for i in range(40))
QUERIES = [Query("q1", "short"), Query("q2", "a longer question"), Query("q3", "third")]


def test_what_was_spent_and_what_is_left() -> None:
    meter = SpendMeter()
    meter.settle(meter.reserve(CostEstimate(1, 1, "tokens", 0.2), "a call"), 0.25)
    assert spent_words(meter) == "$0.25 spent so far, by the dated prices."
    meter.limit = 1.0
    assert spent_words(meter) == (
        "$0.25 spent so far, by the dated prices; $0.75 of the limit left."
    )
    meter.limit = 0.1
    assert "$0.00 of the limit left" in spent_words(meter)
