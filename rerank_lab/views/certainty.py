"""How sure a verdict is: other measures, queries that would be needed, claims with a margin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.evaluation.margins import Claim, MarginTest, Verdict, margin_tests
from rerank_lab.evaluation.sensitivity import MeasureWinner, Sensitivity
from rerank_lab.evaluation.statistics import Paired, against, differences, queries_needed
from rerank_lab.views.evaluate import ALPHA, interval
from rerank_lab.views.formatting import counted
from rerank_lab.views.results_table import p_words, signed

MARGIN = 0.02
"""The margin at first: on screen, two points of a measure."""
FEW_QUERIES = 60
"""From so many queries on, simulated intervals hold the truth about as often as they say."""
_VERDICTS = {
    Verdict.SHOWN: "shown",
    Verdict.NOT_SHOWN: "not shown",
    Verdict.SHOWN_OTHERWISE: "no: the opposite is shown",
}


def sensitivity_sentence(result: Sensitivity, labels: Mapping[str, str]) -> str:
    """Whether the winner depends on the measure."""
    primary = result.primary
    winner = labels[primary.winner]
    count, others = len(result.winners), result.others
    if not others:
        return f"{winner} wins by all {counted(count, 'measure')} looked at."
    by_winner: dict[str, list[str]] = {}
    for one in others:
        by_winner.setdefault(one.winner, []).append(one.measure)
    names = "; ".join(f"{labels[spec]} by {', '.join(m)}" for spec, m in by_winner.items())
    sentence = f"{winner} wins by {count - len(others):,} of {counted(count, 'measure')}; {names}."
    if not result.contradicting:
        return f"{sentence} By none of those is {winner} shown to be worse."
    against_it = ", ".join(one.measure for one in result.contradicting)
    return f"{sentence} By {against_it}, {winner} is shown to be worse: choose the measure first."


def sensitivity_table(result: Sensitivity, labels: Mapping[str, str]) -> dict[str, list[object]]:
    """A row a measure: winner, lead, who cannot be told from it, and how much is judged."""
    rows = result.winners
    table: dict[str, list[object]] = {
        "Measure": [row.measure for row in rows],
        "Winner": [labels[row.winner] for row in rows],
        "Ahead by": [row.lead for row in rows],
        "Not shown to differ": [_rest(row, labels) for row in rows],
        "Judged, at least": [f"{row.judged:.0%} of the top {row.judging_depth}" for row in rows],
    }
    if any(row.beyond for row in rows):
        fewer = [", ".join(labels[spec] for spec in row.beyond) for row in rows]
        table["Too few candidates for it"] = list(fewer)
    return table


def needed_table(
    evaluation: Evaluation, primary: str, baseline: str, labels: Mapping[str, str]
) -> dict[str, list[object]]:
    """A row a pipeline: its difference to the baseline, and the queries that would show it."""
    primary, baseline = evaluation.compared_by(primary, baseline)
    values = _values(evaluation, primary)
    comparisons = against(baseline, values) if baseline in values else []
    needed: list[int | None] = [
        queries_needed(
            np.array(list(differences(values[baseline], values[one.b]).values())),
            comparisons=len(comparisons),
        )
        for one in comparisons
    ]
    return {
        "Pipeline": [labels[one.b] for one in comparisons],
        "Against the baseline": [
            f"{signed(one.difference)} {interval(one)}".rstrip() for one in comparisons
        ],
        "Holm p": [p_words(one.p_holm) for one in comparisons],
        "Queries here": [one.queries for one in comparisons],
        "Queries for this difference": list(needed),
        "To find out": [_more(one, n) for one, n in zip(comparisons, needed, strict=True)],
    }


def margin_table(
    evaluation: Evaluation, primary: str, baseline: str, margin: float, labels: Mapping[str, str]
) -> dict[str, list[object]]:
    """A row a pipeline: is it not worse, and is it better, than the baseline by the margin?

    Raises InvalidInput for a margin below 0.
    """
    primary, baseline = evaluation.compared_by(primary, baseline)
    values = _values(evaluation, primary)
    if baseline not in values:
        return {}
    claims = {claim: margin_tests(baseline, values, claim, margin) for claim in Claim}
    tests = claims[Claim.NOT_WORSE]
    return {
        "Pipeline": [labels[one.b] for one in tests],
        "Against the baseline": [_bounded(one) for one in tests],
        f"Not worse by more than {margin:g}": [_VERDICTS[one.verdict] for one in tests],
        f"Better by more than {margin:g}": [_VERDICTS[x.verdict] for x in claims[Claim.BETTER]],
    }


def few_words(queries: int) -> str:
    """That intervals from few queries are too narrow; "" where they are not."""
    if queries >= FEW_QUERIES:
        return ""
    return (
        f"With fewer than {FEW_QUERIES} queries, 95 % intervals hold the truth less often than "
        "that, and claims near a margin may pass too easily."
    )


def _values(evaluation: Evaluation, primary: str) -> dict[str, dict[str, float]]:
    specs: Sequence[str] = evaluation.design.pipelines
    values = {spec: evaluation.values(spec, primary, common=True) for spec in specs}
    return {spec: by_query for spec, by_query in values.items() if by_query}


def _rest(row: MeasureWinner, labels: Mapping[str, str]) -> str:
    return ", ".join(labels[spec] for spec in row.group if spec != row.winner)


def _more(one: Paired, needed: int | None) -> str:
    """`80 more queries`, `shown already`, or that there is nothing to find."""
    if one.p_holm is not None and one.p_holm < ALPHA:
        return "shown already"
    if needed is None:
        return "no difference seen"
    more = needed - one.queries
    return f"about {counted(more, 'more query', 'more queries')}" if more > 0 else "a few more"


def _bounded(one: MarginTest) -> str:
    if one.low is None or one.high is None:
        return signed(one.difference)
    return f"{signed(one.difference)} [{signed(one.low)}, {signed(one.high)}]"
