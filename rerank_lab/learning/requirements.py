"""What training needs of the judgments, checked before any work."""

from __future__ import annotations

from collections.abc import Sequence

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Qrels, Query

MIN_QUERIES = 10
"""With fewer queries to learn from, folds of a few queries each say nothing."""


def usable(queries: Sequence[Query], qrels: Qrels) -> tuple[Query, ...]:
    """The queries with at least one relevant document, each id once."""
    relevant = {q.id for q in queries if any(grade > 0 for grade in qrels.get(q.id, {}).values())}
    return tuple({query.id: query for query in queries if query.id in relevant}.values())


def require_queries(queries: Sequence[Query], qrels: Qrels, folds: int) -> tuple[Query, ...]:
    """The queries that can be learned from. Raises InvalidInput when they or the folds do not do.

    Args:
        queries: every query that may be learned from, judged or not.
        qrels: grades by query and document.
        folds: how many parts the queries are to be split into for validation.
    """
    useful = usable(queries, qrels)
    judged = sum(bool(qrels.get(query.id)) for query in queries)
    if len(useful) < MIN_QUERIES:
        raise InvalidInput(
            f"Only {len(useful):,} of {judged:,} judged queries have a relevant document; learning "
            f"needs {MIN_QUERIES} such queries at the very least, and 50 or more to be of use.",
            hint="Judge more queries, or choose a corpus that has judgments.",
        )
    if not 2 <= folds <= len(useful):
        raise InvalidInput(
            f"{folds} folds are not possible with {len(useful):,} queries.",
            hint=f"Choose 2 to {min(10, len(useful))} folds.",
        )
    return useful
