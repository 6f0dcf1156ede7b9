"""What the first stage leaves to gain: recall of its candidates, and their best possible order.

A reranker cannot find what it was not given. The oracle here is the best order of the very
candidates that a pipeline ranked, by their judgments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from rerank_lab.core.types import Ranking
from rerank_lab.evaluation.experiments.cells import DEEPEST
from rerank_lab.evaluation.experiments.evaluation import Evaluation
from rerank_lab.evaluation.measures import average, measure

_RECALL = f"R@{DEEPEST}"


@dataclass(frozen=True, slots=True)
class Headroom:
    """One pipeline on the common queries.

    Attributes:
        candidates: documents that it ranked, a query on average.
        recall: the share of the relevant documents among them, mean over queries.
        empty: queries whose candidates hold no relevant document, so that no reranker can help.
        reached: its mean of the measure.
        oracle: the mean of the best order of the same candidates.
    """

    pipeline: str
    measure: str
    queries: int
    candidates: float
    recall: float
    empty: int
    reached: float
    oracle: float

    @property
    def gap(self) -> float:
        """What a perfect reranker of the same candidates would add."""
        return self.oracle - self.reached

    @property
    def missed(self) -> float:
        """What only a better first stage can add: the oracle's distance from 1."""
        return 1.0 - self.oracle

    def to_json(self) -> dict[str, Any]:
        """Its fields by name, and the gap."""
        written: dict[str, Any] = msgspec.to_builtins(self)
        return written | {"gap": self.gap}


def first_stage_headroom(evaluation: Evaluation, primary: str = "") -> tuple[Headroom, ...]:
    """The headroom of every pipeline that answered, in the order of the design."""
    name = evaluation.compared_by(primary)[0]
    return tuple(
        _headroom(evaluation, pipeline, name, rankings)
        for pipeline in evaluation.design.pipelines
        if (rankings := common_rankings(evaluation, pipeline))
    )


def common_rankings(evaluation: Evaluation, pipeline: str) -> dict[str, Ranking]:
    """Query id -> ranking of a pipeline, for the queries that all pipelines answered."""
    cells = {query_id: evaluation.cells.get((query_id, pipeline)) for query_id in evaluation.common}
    return {
        query_id: cell.ranking
        for query_id, cell in cells.items()
        if cell is not None and cell.answered and cell.ranking is not None
    }


def _headroom(
    evaluation: Evaluation, pipeline: str, name: str, rankings: Mapping[str, Ranking]
) -> Headroom:
    qrels = {query_id: evaluation.design.qrels[query_id] for query_id in rankings}
    ideal = {query_id: ideal_order(one, qrels[query_id]) for query_id, one in rankings.items()}
    best = measure(qrels, ideal, list(dict.fromkeys((name, _RECALL)))).per_query
    return Headroom(
        pipeline,
        name,
        len(rankings),
        sum(map(len, rankings.values())) / len(rankings),
        average(best, [_RECALL])[_RECALL],
        sum(values[_RECALL] == 0 for values in best.values()),
        average({q: evaluation.per_query[q][pipeline] for q in rankings}, [name])[name],
        average(best, [name])[name],
    )


def ideal_order(ranking: Ranking, grades: Mapping[str, int]) -> Ranking:
    """The documents of a ranking by their grades; unjudged ones count as not relevant."""
    order = sorted(ranking.doc_ids, key=lambda doc_id: -grades.get(doc_id, 0))
    return Ranking.from_order(ranking.query_id, order)
