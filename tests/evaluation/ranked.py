"""Small evaluations from rankings and judgments written out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rerank_lab.core.types import Qrels, Query, Ranking, Status
from rerank_lab.evaluation.experiments import Cell, Design, Evaluation, score


def ranked(
    rankings: Mapping[str, Mapping[str, str]],
    qrels: Qrels,
    measures: Sequence[str] = ("nDCG@10",),
) -> Evaluation:
    """`rankings` gives by pipeline and query the documents in order, parted by spaces."""
    query_ids = dict.fromkeys(q for of_pipeline in rankings.values() for q in of_pipeline)
    queries = tuple(Query(query_id, f"question {query_id}") for query_id in query_ids)
    design = Design(
        "0123456789abcdef", "hand made", "hash", tuple(rankings), queries, qrels, tuple(measures)
    )
    return score(
        design,
        [
            Cell(query_id, spec, Status.OK, Ranking.from_order(query_id, doc_ids.split()))
            for spec, of_pipeline in rankings.items()
            for query_id, doc_ids in of_pipeline.items()
        ],
    )
