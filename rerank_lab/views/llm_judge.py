"""LLM judges in words: what judging came to, and how a judge compares with people."""

from __future__ import annotations

from rerank_lab.judging.llm_judge.trust import Consistency, JudgeTrust
from rerank_lab.services.llm_judging import JudgingOutcome
from rerank_lab.views.formatting import counted

AGAINST = {"lab": "people's labels in the lab", "corpus": "the corpus' own judgments"}


def outcome_lines(outcome: JudgingOutcome, allowed: bool) -> list[str]:
    """What judging came to, a sentence a line."""
    lines = [
        f"{outcome.judge}: {counted(outcome.graded, 'document')} graded, "
        f"{outcome.abstained:,} left without a grade, {outcome.failed:,} failed; "
        f"{outcome.before:,} of {outcome.pool:,} were judged before."
    ]
    if outcome.cost:
        lines.append(f"It cost ${outcome.cost:.4f} by the prices known.")
    lines += [f"Failed: {failure}" for failure in outcome.failures]
    if not allowed:
        lines.append(
            "Its labels enter no qrels until it was compared with people: see labels judge --trust."
        )
    return lines


def trust_lines(trust: JudgeTrust) -> list[str]:
    """The comparison with people, a sentence or a row of the table a line."""
    lines = [
        verdict(trust),
        f"Compared with {AGAINST[trust.against]} on {counted(trust.pairs, 'document')} of "
        f"{counted(trust.queries, 'query', 'queries')}; it abstained on {trust.abstained:,}.",
        kappa_words(trust),
        bias_words(trust),
        "",
        "people \\ judge " + "".join(f"{grade:>7}" for grade in trust.grades) + "   bias",
    ]
    for bias, row in zip(trust.bias_by_grade, trust.confusion, strict=True):
        mean = "    –" if bias.mean is None else f"{bias.mean:+.2f}"
        lines.append(f"{bias.grade:>14} " + "".join(f"{n:>7}" for n in row) + f"  {mean}")
    lines.append("")
    lines += [f"{what}: {words}" for what, words in probe_words(trust)]
    return lines + [f"Warning: {warning}" for warning in trust.vendors]


def verdict(trust: JudgeTrust) -> str:
    """Whether its labels may enter qrels, and why not."""
    if trust.refusal:
        return f"The labels of {trust.judge} may not enter qrels: {trust.refusal}."
    return f"The labels of {trust.judge} may enter qrels where no person gave a grade."


def kappa_words(trust: JudgeTrust) -> str:
    """Agreement beyond chance with its interval."""
    if trust.kappa is None:
        return "Weighted kappa has no value: all documents have one grade."
    between = "" if trust.low is None else f" [{trust.low:.2f}, {trust.high:.2f}]"
    return (
        f"Weighted kappa {trust.kappa:.2f}{between} (quadratic; 95 % by resampled queries); "
        f"{trust.exact or 0:.0%} of the grades are the same."
    )


def bias_words(trust: JudgeTrust) -> str:
    """Whether it is kinder or stricter than people."""
    if trust.bias is None:
        return "No bias can be told."
    if abs(trust.bias) < 0.005:
        return "On average it grades as people do."
    manner = "kinder" if trust.bias > 0 else "stricter"
    return f"On average it is {manner} than people by {abs(trust.bias):.2f} grades."


def probe_words(trust: JudgeTrust) -> list[tuple[str, str]]:
    """What was probed and how often the judge held, as (name, words)."""
    return [
        ("Asked the same again", _share(trust.repeat, "got the same grade")),
        ("Two documents in turned order", _share(trust.swap, "got the same answer")),
        ("Ordered as people do", _share(trust.swap_right, "of the decided pairs")),
        ("With a plea for the best grade", _share(trust.plea, "got no better grade")),
    ]


def _share(consistency: Consistency, words: str) -> str:
    if consistency.interval is None:
        return "not asked"
    low, high = consistency.interval
    return f"{consistency.same} of {consistency.asked} {words} [{low:.0%}, {high:.0%}]"
