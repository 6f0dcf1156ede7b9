"""From contexts to figures, and reranking against its first stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from rerank_lab.evaluation.rag.contexts import QueryContext, in_the_middle
from rerank_lab.evaluation.rag.study import ContextFigures
from rerank_lab.evaluation.statistics import Paired, Values, paired

Contexts = Mapping[str, QueryContext]
"""Query id -> its context."""
_COMPARED: Mapping[str, Callable[[QueryContext], float | None]] = {
    "precision": lambda one: one.precision,
    "recall": lambda one: one.recall,
    "right_tokens": lambda one: one.right_token_share,
    "tempted": lambda one: float(one.tempting is not None) if one.can_tempt else None,
}


def context_figures(
    contexts: Sequence[QueryContext], reordered: Sequence[QueryContext]
) -> ContextFigures | None:
    """The figures of the judged queries; None without any.

    Args:
        contexts: of judged queries.
        reordered: the same after long-context-reorder.
    """
    if not contexts:
        return None
    document_count = sum(len(one.documents) for one in contexts)
    tokens = [one.tokens for one in contexts]
    recalls = [one.recall for one in contexts if one.recall is not None]
    tempting = [one for one in contexts if one.can_tempt]
    longest = max(len(one.documents) for one in contexts)
    places = [place for one in contexts for place in one.right_places]
    return ContextFigures(
        queries=len(contexts),
        precision=_mean([one.precision for one in contexts]),
        recall=_mean(recalls) if recalls else None,
        holding=_mean([float(bool(one.right_places)) for one in contexts]),
        tempted=_mean([float(one.tempting is not None) for one in tempting]) if tempting else None,
        tempting_queries=len(tempting),
        unjudged=sum(one.unjudged for one in contexts) / document_count if document_count else 0.0,
        tokens=_mean(tokens),
        tokens_p95=float(np.percentile(tokens, 95)),
        right_tokens=_mean([one.right_token_share for one in contexts]),
        places=tuple(places.count(place) for place in range(1, longest + 1)),
        middle=in_the_middle(contexts),
        middle_reordered=in_the_middle(reordered),
    )


def context_differences(first_stage: Contexts, reranked: Contexts) -> dict[str, Paired]:
    """Reranked (b) against first stage (a), on the judged queries that both have."""
    differences = {}
    for name, figure in _COMPARED.items():
        a, b = _values(first_stage, figure), _values(reranked, figure)
        if a.keys() & b.keys():
            differences[name] = paired(a, b, ("first stage", "reranked"))
    return differences


def _values(contexts: Contexts, figure: Callable[[QueryContext], float | None]) -> Values:
    values = {query_id: figure(one) for query_id, one in contexts.items() if one.grades}
    return {query_id: value for query_id, value in values.items() if value is not None}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
