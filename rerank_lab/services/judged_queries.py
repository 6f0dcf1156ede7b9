"""The judged queries that a study asks: those of an experiment, else those of the corpus."""

from __future__ import annotations

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Qrels, Query
from rerank_lab.corpora import Corpus
from rerank_lab.evaluation.experiments import Evaluation, asked_queries
from rerank_lab.evaluation.measure_names import check_grades, parse_measures


def judged_queries(
    corpus: Corpus, evaluation: Evaluation | None, measure: str, limit: int | None = None
) -> tuple[tuple[Query, ...], Qrels]:
    """Queries with judgments, and these.

    Args:
        corpus: has the queries where no evaluation is given.
        evaluation: an experiment whose queries and judgments count.
        measure: must be one that can be computed with these grades.
        limit: only the first so many.

    Raises:
        InvalidInput: no query is judged, or the measure is none.
    """
    source = corpus if evaluation is None else evaluation.design
    qrels = source.qrels
    queries = tuple(q for q in asked_queries(source.queries, qrels) if qrels.get(q.id))[:limit]
    if not queries:
        raise InvalidInput(
            f"No query of {corpus.name!r} is judged, so that nothing can be compared.",
            hint="Add judgments to the corpus, or make some on the page Label.",
        )
    check_grades({query.id: qrels[query.id] for query in queries}, parse_measures([measure]))
    return queries, qrels
