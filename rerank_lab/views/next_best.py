"""What next-best judgement says of the leader, in sentences: one wording for every door."""

from __future__ import annotations

from rerank_lab.judging.next_best import Decision

_ENOUGH = 0.95
_CLOSE = 0.01
"""Leads below this, in the measure, were often stated too surely (benchmarks/next_best.py)."""


def decision_sentences(decision: Decision, measure: str) -> list[str]:
    """Who leads, how sure that is, and what would make it surer."""
    leader = decision.leader
    lines = [
        f"{leader} leads with an expected {measure} of {decision.means[leader]:.3f}, from "
        f"{decision.labels:,} labels.",
        f"The chance that it is the best of {len(decision.means)} for queries like these: "
        f"{decision.confidence:.2f}; {_here(decision)}: {decision.settled:.2f}.",
    ]
    if decision.settled >= _ENOUGH > decision.confidence:
        lines.append("More labels of these queries would not change much; more queries would.")
    rival = max((m for m in decision.means if m != leader), key=decision.means.__getitem__)
    lead = decision.means[leader] - decision.means[rival]
    if lead < _CLOSE:
        lines.append(
            f"{rival} is only {abs(lead):.3f} away, and in close races such chances have proved "
            "too high. Take the two for equal until a test of the difference says otherwise."
        )
    return lines


def _here(decision: Decision) -> str:
    """What `settled` is the chance of."""
    if not decision.candidates:
        return "that it is ahead on these queries, if all that pipelines rank high were judged"
    pairs = f"{len(decision.candidates):,} unjudged pair{'s' * (len(decision.candidates) > 1)}"
    judged = "is" if len(decision.candidates) == 1 else "are all"
    return f"that it stays ahead on these queries when the {pairs} {judged} judged"
