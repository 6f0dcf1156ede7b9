"""What calibrating needs of judgments and scores; what judgments lack is refused before scoring."""

from __future__ import annotations

from collections.abc import Sequence

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Query
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.evaluation.calibration.judged_scores import JudgedScores

MIN_QUERIES, MIN_EACH = 10, 20
"""Fewer judged queries, or relevant or other documents, are refused: no curve is that sure."""
FOLDS = 5
"""Parts that the queries are split into unless others are asked for."""
_ONLY_RELEVANT = (
    "hardly any candidate is judged as not relevant, and one without a judgment is not taken for "
    "that. Judge some with grade 0."
)


def require_judgments(
    corpus: Corpus, queries: Sequence[Query], grade: int = 1, folds: int = FOLDS
) -> None:
    """Refuse, before any scoring, what the judgments alone rule out.

    Args:
        corpus: holds the documents and the judgments; those of other documents do not count.
        queries: the queries to be asked.
        grade: from which on a document counts as relevant.
        folds: parts that the queries are to be split into.

    Raises:
        InvalidInput: Even if every judged document became a candidate, they would be too few.
    """
    known = corpus.document_ids
    rows = [
        grades
        for query in queries
        if (grades := [g for d, g in corpus.qrels.get(query.id, {}).items() if d in known])
    ]
    relevant = sum(one >= grade for grades in rows for one in grades)
    others = sum(map(len, rows)) - relevant
    _require(len(rows), relevant, others, folds, "documents")


def require_enough(judged: JudgedScores, folds: int) -> None:
    """Raise InvalidInput when too few of the candidates are judged to fit a curve on."""
    relevant = sum(judged.relevant)
    others = len(judged.relevant) - relevant
    _require(judged.query_count, relevant, others, folds, "candidates")


def _require(queries: int, relevant: int, others: int, folds: int, what: str) -> None:
    if folds < 2:
        raise InvalidInput(
            f"{folds} fold leaves no query to test a curve on.", hint="Choose 2 folds or more."
        )
    if queries >= max(MIN_QUERIES, folds) and min(relevant, others) >= MIN_EACH:
        return
    needed = max(MIN_QUERIES, folds)
    raise InvalidInput(
        f"There is too little to fit a curve on: {queries} judged queries with "
        f"{relevant} relevant and {others} other {what}.",
        hint=f"At least {needed} queries and {MIN_EACH} {what} of each kind are needed: "
        + (_ONLY_RELEVANT if others < MIN_EACH <= relevant else "judge more, or look deeper."),
    )
