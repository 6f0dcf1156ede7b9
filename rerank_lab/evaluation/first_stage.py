"""What the first stage leaves to gain: recall of its candidates, and their best possible order.

A reranker cannot find what it was not given. The oracle here is the best order of the very
candidates that a pipeline ranked, by their judgments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from rerank_lab.core.context import Context
from rerank_lab.core.types import Ranking
from rerank_lab.evaluation.experiments.cells import DEEPEST
from rerank_lab.evaluation.experiments.evaluation import Evaluation
from rerank_lab.evaluation.measure_names import cutoff_of
from rerank_lab.evaluation.measures import average, measure


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


def first_stage_headroom(
    evaluation: Evaluation, primary: str = "", ctx: Context | None = None
) -> tuple[Headroom, ...]:
    """The headroom of every pipeline that answered, in the order of the design."""
    name = evaluation.compared_by(primary)[0]
    specs = evaluation.design.pipelines
    rows: list[Headroom] = []
    oracles: dict[tuple[frozenset[str], ...], dict[str, float]] = {}
    for place, pipeline in enumerate(specs):
        if ctx is not None:
            ctx.checkpoint()
            ctx.report("ordering candidates by their judgments", place, len(specs))
        if not (rankings := common_rankings(evaluation, pipeline)):
            continue
        # Rerankers of the same first stage have the same candidates, and the same best order.
        candidates = tuple(frozenset(one.doc_ids) for one in rankings.values())
        if candidates not in oracles:
            oracles[candidates] = _oracle(evaluation, name, rankings)
        rows.append(_headroom(evaluation, pipeline, name, rankings, oracles[candidates]))
    return tuple(rows)


def common_rankings(evaluation: Evaluation, pipeline: str) -> dict[str, Ranking]:
    """Query id -> ranking of a pipeline, for the queries that all pipelines answered."""
    cells = {query_id: evaluation.cells.get((query_id, pipeline)) for query_id in evaluation.common}
    return {
        query_id: cell.ranking
        for query_id, cell in cells.items()
        if cell is not None and cell.answered and cell.ranking is not None
    }


def _headroom(
    evaluation: Evaluation,
    pipeline: str,
    name: str,
    rankings: Mapping[str, Ranking],
    oracle: Mapping[str, float],
) -> Headroom:
    recalls = [_recall(evaluation.design.qrels[q], one) for q, one in rankings.items()]
    return Headroom(
        pipeline,
        name,
        len(rankings),
        sum(map(len, rankings.values())) / len(rankings),
        sum(recalls) / len(recalls),
        recalls.count(0.0),
        _mean(name, {q: evaluation.per_query[q][pipeline][name] for q in rankings}),
        _mean(name, oracle),
    )


def _oracle(evaluation: Evaluation, name: str, rankings: Mapping[str, Ranking]) -> dict[str, float]:
    """By query the value of the candidates in order of their grades."""
    qrels = {query_id: evaluation.design.qrels[query_id] for query_id in rankings}
    depth = cutoff_of(name) or DEEPEST
    ideal = {q: ideal_order(one, qrels[q]).top(depth) for q, one in rankings.items()}
    return {q: row[name] for q, row in measure(qrels, ideal, [name]).per_query.items()}


def ideal_order(ranking: Ranking, grades: Mapping[str, int]) -> Ranking:
    """The documents of a ranking by their grades; unjudged ones count as not relevant."""
    order = sorted(ranking.doc_ids, key=lambda doc_id: -grades.get(doc_id, 0))
    return Ranking.from_order(ranking.query_id, order)


def _recall(grades: Mapping[str, int], ranking: Ranking) -> float:
    """The share of the relevant documents (grade 1 or more) among the candidates; 0 without any."""
    relevant = {doc_id for doc_id, grade in grades.items() if grade > 0}
    return len(relevant.intersection(ranking.doc_ids)) / len(relevant) if relevant else 0.0


def _mean(name: str, values: Mapping[str, float]) -> float:
    return average({q: {name: value} for q, value in values.items()}, [name])[name]
