"""What to know of an evaluation beside its figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.evaluation.experiments.columns import ResultRow
from rerank_lab.views.formatting import counted

_WARNINGS = 3
"""So many warnings of a pipeline are told, those of most queries first."""


def notes(evaluation: Evaluation, labels: Mapping[str, str]) -> tuple[str, ...]:
    """Unanswered queries, what answers warn of, and queries that were not asked."""
    sentences = []
    for outcome in evaluation.outcomes:
        lost = outcome.queries - outcome.answered - max(0, outcome.pending)
        if lost and not outcome.answered:
            sentences.append(
                f"{labels[outcome.pipeline]} answered no query; it has no figures and takes no "
                "part in the comparison."
            )
        elif lost:
            sentences.append(
                f"{labels[outcome.pipeline]} gave no answer of its own to {lost:,} of "
                f"{counted(outcome.queries, 'query', 'queries')}; its means are over the others."
            )
        warned = Counter(outcome.warnings).most_common(_WARNINGS)
        query_count = counted(outcome.queries, "query", "queries")
        sentences += [
            f"{labels[outcome.pipeline]}, on {count:,} of {query_count}: {text}"
            for text, count in warned
        ]
    unasked = len(evaluation.design.unasked)
    if unasked:
        sentences.append(
            f"{counted(unasked, 'judged query has', 'judged queries have')} no text here and "
            f"{'was' if unasked == 1 else 'were'} not asked."
        )
    return tuple(sentences)


def basis(evaluation: Evaluation, labels: Mapping[str, str]) -> str:
    """On how few queries pipelines are compared, and through whom; "" when on all of them.

    `Compared on 5 of 60 queries, because dense answered 5: ...`
    """
    common, every = len(evaluation.common), evaluation.judged_asked
    if not evaluation.comparable or common == every:
        return ""
    short = [
        f"{labels[outcome.pipeline]} answered {outcome.measured:,}"
        for outcome in evaluation.outcomes
        if 0 < outcome.measured < every
    ]
    return (
        f"Pipelines are compared on {common:,} of {counted(every, 'query', 'queries')}, because "
        f"{' and '.join(short)}: differences, intervals and the best group stand on these alone."
    )


def shallow(rows: Sequence[ResultRow], label: Mapping[str, str]) -> tuple[str, ...]:
    """Measures that look deeper than the candidates that a pipeline has, and how many it has."""
    pipelines: dict[tuple[tuple[str, ...], int], list[str]] = {}
    for row in rows:
        if row.beyond and row.candidates:
            pipelines.setdefault((row.beyond, row.candidates), []).append(label[row.spec])
    return tuple(
        f"{', '.join(names)} of {', '.join(members)} "
        f"{'is' if len(names) == 1 else 'are'} from at most "
        f"{counted(limit, 'candidate')}: what stands below cannot count."
        for (names, limit), members in pipelines.items()
    )
