"""Runs and grades as arrays, and a measure over many sets of grades of the same documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Qrels
from rerank_lab.judging.pools import PipelineRuns
from rerank_lab.judging.sampled_measures import SampledMeasure

Singles = NDArray[np.float32]
BELOW = 50
"""How deep rankings are read for documents that only the ideal ranking can depend on."""


@dataclass(frozen=True)
class GradedPool:
    """Runs and labels as arrays; queries and documents are numbered.

    measure: what is computed.
    grades: the scale, ascending.
    query_ids: those that every pipeline ranked.
    doc_ids: for each query, those among the first of a pipeline, then those that a pipeline ranks
        among its first 50, then others with a label.
    places: [queries, pipelines, depth], the number of the document at each rank; the number of
        documents where the ranking has ended.
    levels: [queries, documents], the place of the label in the scale; -1 for unjudged.
    ranked: [queries, documents], whether a pipeline ranks it high enough to matter.
    present: [queries, documents], False where a query has fewer documents than others.
    discounts: [queries, documents, pipelines], 1 / log2(1 + rank); 0 for not among the first 50.
    """

    measure: SampledMeasure
    grades: NDArray[np.int16]
    query_ids: tuple[str, ...]
    doc_ids: tuple[tuple[str, ...], ...]
    places: NDArray[np.int64]
    levels: NDArray[np.int8]
    ranked: NDArray[np.bool_]
    present: NDArray[np.bool_]
    discounts: Singles

    @classmethod
    def of(
        cls, runs: PipelineRuns, qrels: Qrels, measure_name: str, scale: Sequence[int]
    ) -> GradedPool:
        """The documents that the measure looks at, and those with a grade.

        Args:
            runs: rankings of two pipelines or more; queries that one of them lacks are left out.
            qrels: grades; one between two of the scale counts as the lower.
            measure_name: as ir_measures writes it.
            scale: the grades there can be, ascending.

        Raises:
            InvalidInput: fewer than two pipelines, no query that all of them ranked, or a measure
                that cannot be reckoned from grades alone.
        """
        measure = SampledMeasure.of(measure_name)
        query_ids = _shared_queries(runs)
        rankings = [
            [run[query_id][: measure.depth] for run in runs.values()] for query_id in query_ids
        ]
        pooled = [list(dict.fromkeys(d for one in many for d in one)) for many in rankings]
        labels = [qrels.get(query_id, {}) for query_id in query_ids]
        deep = [
            [run[query_id][: max(BELOW, measure.depth)] for run in runs.values()]
            for query_id in query_ids
        ]
        doc_ids = [_numbered(*parts) for parts in zip(pooled, deep, labels, strict=True)]
        most = max(1, *map(len, doc_ids))
        depth = max(1, *(len(one) for many in rankings for one in many))
        places = np.full((len(query_ids), len(runs), depth), most, np.int64)
        levels = np.full((len(query_ids), most), -1, np.int8)
        for q, many in enumerate(rankings):
            numbers = {doc_id: number for number, doc_id in enumerate(doc_ids[q])}
            for p, one in enumerate(many):
                places[q, p, : len(one)] = [numbers[doc_id] for doc_id in one]
            for doc_id, grade in labels[q].items():
                levels[q, numbers[doc_id]] = _level(grade, scale)
        sizes, heights = np.array([*map(len, doc_ids)]), np.array([*map(len, pooled)])
        every = np.arange(most)
        return cls(
            measure=measure,
            grades=np.array(scale, np.int16),
            query_ids=query_ids,
            doc_ids=tuple(doc_ids),
            places=places,
            levels=levels,
            ranked=every < heights[:, None],
            present=every < sizes[:, None],
            discounts=_discounts(deep, doc_ids, most),
        )

    def levels_of(self, qrels: Qrels) -> NDArray[np.int8]:
        """The places of other grades in the scale, as `levels`; documents not here are left out."""
        levels = np.full(self.levels.shape, -1, np.int8)
        for q, query_id in enumerate(self.query_ids):
            grades = qrels.get(query_id, {})
            for d, doc_id in enumerate(self.doc_ids[q]):
                if doc_id in grades:
                    levels[q, d] = _level(grades[doc_id], self.grades)
        return levels

    def values(self, sampled: NDArray[np.int8]) -> Singles:
        """The measure under sampled levels: [samples, queries, pipelines].

        Args:
            sampled: places in the scale, [samples, queries, documents].
        """
        every = self.grades[sampled]
        every[:, ~self.present] = 0
        padded = np.concatenate((every, np.zeros((*every.shape[:2], 1), every.dtype)), axis=2)
        queries = np.arange(len(self.query_ids))[:, None, None]
        return self.measure.values(padded[:, queries, self.places].astype(np.float32), every)


def _numbered(
    pooled: Sequence[str], rankings: Sequence[Sequence[str]], labels: Mapping[str, int]
) -> tuple[str, ...]:
    """The documents of a query in their order: pooled ones, those ranked below, labelled ones."""
    ranked = dict.fromkeys((*pooled, *(doc_id for one in rankings for doc_id in one)))
    return (*ranked, *sorted(labels.keys() - ranked.keys()))


def _discounts(
    rankings: Sequence[Sequence[Sequence[str]]], doc_ids: Sequence[Sequence[str]], most: int
) -> Singles:
    """1 / log2(1 + rank) by query, document and pipeline; 0 for not ranked."""
    discounts = np.zeros((len(rankings), most, len(rankings[0])), np.float32)
    for q, (many, ids) in enumerate(zip(rankings, doc_ids, strict=True)):
        numbers = {doc_id: number for number, doc_id in enumerate(ids)}
        for p, one in enumerate(many):
            by_rank = 1 / np.log2(np.arange(2, len(one) + 2))
            discounts[q, [numbers[doc_id] for doc_id in one], p] = by_rank
    return discounts


def _shared_queries(runs: PipelineRuns) -> tuple[str, ...]:
    if len(runs) < 2:
        raise InvalidInput(
            "With fewer than two pipelines there is no winner to find.",
            hint="Choose at least two pipelines.",
        )
    first, *others = runs.values()
    shared = tuple(query_id for query_id in first if all(query_id in run for run in others))
    if not shared:
        raise InvalidInput(
            "There is no query that all of the pipelines answered.",
            hint="See on Evaluate why the queries of one of them failed.",
        )
    return shared


def _level(grade: int, grades: Sequence[int] | NDArray[np.int16]) -> int:
    """The place of the highest grade of the scale that is not above this one."""
    return max(0, sum(bool(grade >= value) for value in grades) - 1)
