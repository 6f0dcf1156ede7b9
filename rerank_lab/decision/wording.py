"""A decision in one sentence, the same on the page, in the terminal and in the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rerank_lab.core.text import dollars, duration_words
from rerank_lab.decision.choice import PipelineDecision
from rerank_lab.decision.comparisons import ComparedPair


def headline(decision: PipelineDecision, names: Mapping[str, str]) -> str:
    """What to do: take a pipeline, or why the data cannot say which.

    Args:
        decision: Any.
        names: How pipelines are called, by spec.
    """
    decisive = [one.sentence for one in decision.objections if one.decisive]
    if decisive:
        return f"The data cannot decide. {decisive[0]}"
    if decision.verdict == "none":
        return "No pipeline meets all of these requirements."
    name = names[decision.pipeline]
    if decision.verdict == "undecided":
        rivals = joined([names[rival] for rival in decision.rivals])
        return f"The data cannot decide between {name} and {rivals}."
    return f"Take {name}."


def reasons(decision: PipelineDecision, names: Mapping[str, str]) -> tuple[str, ...]:
    """Why, a sentence each: against each other pipeline that remains, then speed and price."""
    notes = tuple(one.sentence for one in decision.objections if not one.decisive)
    if not decision.pipeline:
        return notes
    if not decision.comparisons:
        lines = ["It is the only pipeline that meets the requirements; nothing is left to compare."]
    else:
        lines = [_comparison_line(decision, one, names) for one in decision.comparisons]
    facts = decision.contender(decision.pipeline).facts
    costs = []
    if facts.p95.value is not None:
        costs.append(f"answers 95 of 100 queries within {duration_words(facts.p95.value.value)}")
    if facts.price.value is not None:
        costs.append(f"costs {dollars(facts.price.value)} for 1,000 queries")
    if costs:
        subject = "It" if decision.verdict == "recommended" else names[decision.pipeline]
        lines.append(f"{subject} {' and '.join(costs)}.")
    return (*lines, *_insensitive(decision, names), *notes)


def _insensitive(decision: PipelineDecision, names: Mapping[str, str]) -> tuple[str, ...]:
    """That a pipeline "not worse than another" is not recommended for it, since neither is good."""
    quality = decision.contender(decision.pipeline).facts.quality.value
    margin = decision.required.margin
    claimed = any(one.result == "not worse" for one in decision.comparisons)
    if not claimed or decision.verdict == "recommended" or quality is None:
        return ()
    if quality.low is None or quality.low > margin:
        return ()
    return (
        f"{names[decision.pipeline]} itself is not shown to reach more than {margin:g} "
        f"{decision.measure}: that it is not worse than another recommends nothing.",
    )


def _comparison_line(
    decision: PipelineDecision, pair: ComparedPair, names: Mapping[str, str]
) -> str:
    """`+0.021 nDCG@10 [−0.004, +0.046] against bm25: too close to call (p = 0.210).`"""
    one = pair.paired
    interval = ""
    if one.low is not None and one.high is not None:
        interval = f" [{signed(one.low)}, {signed(one.high)}]"
    p = "" if one.p_holm is None else f" (p {_p(one.p_holm)})"
    result = {
        "better": f"shown to be better{p}",
        "worse": f"shown to be worse{p}",
        "not worse": f"shown not to be worse by more than {decision.required.margin:g}",
        "open": f"too close to call{p}",
    }[pair.result]
    if pair.result == "not worse" and decision.verdict == "recommended":
        # Without a price of either, only speed speaks for it.
        priced = decision.contender(decision.pipeline).facts.price.known
        result += ", and neither slower nor dearer" if priced else ", and not slower"
    subject = "" if decision.verdict == "recommended" else f"{names[one.b]}: "
    lead = f"{subject}{signed(one.difference)} {decision.measure}{interval}"
    return f"{lead} against {names[one.a]}: {result}."


def joined(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def signed(value: float) -> str:
    """`+0.021`, `−0.004`, `0.000`: three decimals, with a true minus."""
    digits = f"{abs(value):.3f}"
    if not float(digits):
        return digits
    return f"+{digits}" if value > 0 else f"−{digits}"


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"
