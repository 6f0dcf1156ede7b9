"""LLM judges in words: what judging came to, and how a judge compares with people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rerank_lab.judging.llm_judge.trust import Consistency, JudgeTrust
from rerank_lab.judging.records import JudgeKind
from rerank_lab.services.llm_judging import JudgingOutcome, JudgingPlan
from rerank_lab.services.llm_trust import TrustPlan
from rerank_lab.services.qrels import LabLabels
from rerank_lab.views.formatting import counted
from rerank_lab.views.hosted import estimates_words

AGAINST = {"lab": "people's labels in the lab", "corpus": "the corpus' own judgments"}


def outcome_lines(outcome: JudgingOutcome, allowed: bool) -> list[str]:
    """What judging came to, a sentence a line, and whether that may count."""
    lines = judged_lines(outcome)
    if not allowed:
        lines.append(
            "Its labels enter no qrels until it was compared with people: see labels judge --trust."
        )
    return lines


def judged_lines(outcome: JudgingOutcome) -> list[str]:
    """What judging came to, a sentence a line."""
    lines = [
        f"{outcome.judge}: {counted(outcome.graded, 'document')} graded, "
        f"{outcome.abstained:,} left without a grade, {outcome.failed:,} failed; "
        f"{outcome.before:,} of {outcome.pool:,} were judged before."
    ]
    if outcome.cost:
        lines.append(f"It cost ${outcome.cost:.4f} by the prices known.")
    return lines + [f"Failed: {failure}" for failure in outcome.failures]


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


@dataclass(frozen=True, slots=True)
class LLMJudgeLine:
    """One LLM judge of a corpus: what it did, and whether its labels may count.

    `may_count` only where it was compared with people and nothing stands in the way.
    """

    judge: str
    words: str
    trust: JudgeTrust | None
    may_count: bool


def judge_lines(labels: LabLabels, comparisons: Sequence[JudgeTrust]) -> list[LLMJudgeLine]:
    """The LLM judges that graded documents of a corpus, or were compared with people."""
    rows = [row for row in labels.usable if row.kind is JudgeKind.LLM]
    graded = Counter(row.judge for row in rows if row.grade is not None)
    without = Counter(row.judge for row in rows if row.grade is None)
    trusts = {one.judge: one for one in comparisons}
    lines = []
    for judge in sorted({*graded, *without, *trusts}):
        trust = trusts.get(judge)
        words = f"{counted(graded[judge], 'document')} graded, {without[judge]:,} without a grade."
        words += " Not compared with people yet." if trust is None else f" {kappa_words(trust)}"
        lines.append(LLMJudgeLine(judge, words, trust, judge in labels.llm_judges))
    return lines


def plan_words(planned: JudgingPlan) -> str:
    """What judging would take: `40 documents in the pool, 12 judged before. ...`"""
    before = planned.pool - len(planned.keys)
    words = f"{counted(planned.pool, 'document')} in the pool, {before:,} judged before."
    if not planned.keys:
        return f"{words} Nothing is left to ask."
    return f"{words} It is asked for up to {estimates_words((planned.estimate,))}."


def comparison_words(planned: TrustPlan) -> str:
    """What the comparison with people would take."""
    return (
        f"{counted(len(planned.sample), 'document')} that people graded "
        f"({AGAINST[planned.against]}), {len(planned.missing):,} of them to be asked about; with "
        f"repeats, turned orders and pleas up to {estimates_words((planned.estimate,))}."
    )


def confusion_cells(trust: JudgeTrust) -> tuple[list[str], list[list[str]]]:
    """Headings and rows: people's grade, how often the judge gave each grade, and its bias."""
    heads = ["People's grade", *(f"Judge {grade}" for grade in trust.grades), "Mean bias"]
    rows = []
    for bias, counts in zip(trust.bias_by_grade, trust.confusion, strict=True):
        mean = "–" if bias.mean is None else f"{bias.mean:+.2f}"
        rows.append([str(bias.grade), *(f"{count:,}" for count in counts), mean])
    return heads, rows
