"""What to know of an evaluation beside its figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from rerank_lab.evaluation.experiments import Evaluation
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
