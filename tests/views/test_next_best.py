"""What is said of the leader: with care where its lead is small."""

from __future__ import annotations

from rerank_lab.judging.next_best import Decision
from rerank_lab.views.next_best import decision_sentences


def words(means: dict[str, float]) -> str:
    decision = Decision("a", 0.84, 0.9, {"a": 0.84, "b": 0.16}, means, 40, ())
    return " ".join(decision_sentences(decision, "nDCG@10"))


def test_a_lead_of_a_few_thousandths_is_called_too_small() -> None:
    assert "b is only 0.004 away" in words({"a": 0.705, "b": 0.701})
    assert "away" not in words({"a": 0.75, "b": 0.65})
