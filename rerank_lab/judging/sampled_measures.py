"""Measures over many possible sets of grades at once, as arrays.

`evaluation.measures` measures one set of grades with ir_measures; what to judge next needs the same
values for hundreds of grades that the unjudged documents could have. Both agree where every
document is judged, which a test checks for each measure here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rerank_lab.core.errors import InvalidInput
from rerank_lab.evaluation.measure_names import parse_measures

Floats = NDArray[np.floating[Any]]
_UNCUT = 100
"""How deep a measure without a cutoff looks here: what is below changes it by little."""


@dataclass(frozen=True, slots=True)
class SampledMeasure:
    """A measure that can be computed from grades alone.

    Attributes:
        name: as ir_measures writes it.
        depth: how many documents of a ranking it looks at.
        rel: the lowest grade that counts as relevant; nDCG does not use it.
    """

    name: str
    depth: int
    rel: int
    _kind: str

    @classmethod
    def of(cls, name: str) -> SampledMeasure:
        """The measure of that name.

        Raises:
            InvalidInput: there is none, or it is not one of those computed here.
        """
        (measure,) = parse_measures([name]).values()
        given = {option for option, value in measure.params.items() if value is not None}
        if measure.NAME not in _VALUES or given - {"cutoff", "rel"}:
            raise InvalidInput(
                f"What to judge next cannot be reckoned for {name}.",
                hint="Choose nDCG@10, or another cutoff or level of nDCG, AP, RR, P, R or Success.",
            )
        depth = int(measure.params.get("cutoff") or _UNCUT)
        return cls(name.strip(), depth, int(measure.params.get("rel") or 1), measure.NAME)

    def values(self, ranked: Floats, every: NDArray[np.integer[Any]]) -> Floats:
        """The value of each ranking under each set of grades.

        Args:
            ranked: grades in the order of the rankings, [samples, queries, pipelines, depth]; 0
                where a ranking has ended.
            every: grades of all documents of each query, [samples, queries, documents]; 0 fills up.

        Returns:
            [samples, queries, pipelines]
        """
        return _VALUES[self._kind](ranked, every, self)


def _ndcg(ranked: Floats, every: NDArray[np.integer[Any]], measure: SampledMeasure) -> Floats:
    depth = ranked.shape[-1]
    discounts = (1 / np.log2(np.arange(2, depth + 2))).astype(np.float32)
    ideal = np.expand_dims(_ideal_dcg(every, measure.depth), -1)
    values: Floats = (ranked @ discounts) / np.where(ideal > 0, ideal, np.float32(1))
    return values


def _ideal_dcg(every: NDArray[np.integer[Any]], depth: int) -> Floats:
    """The DCG of the best order. It depends only on how many documents have each grade."""
    most = every.shape[-1]
    discounts = 1 / np.log2(np.arange(2, most + 2))
    discounts[depth:] = 0
    cumulated = np.concatenate(([0.0], np.cumsum(discounts))).astype(np.float32)
    ideal = np.zeros(every.shape[:-1], np.float32)
    for grade in range(1, int(every.max(initial=0)) + 1):
        ideal += cumulated[(every >= grade).sum(axis=-1)]
    return ideal


def _precision(ranked: Floats, every: object, measure: SampledMeasure) -> Floats:
    values: Floats = (ranked >= measure.rel).sum(axis=-1, dtype=np.float32) / measure.depth
    return values


def _recall(ranked: Floats, every: NDArray[np.integer[Any]], measure: SampledMeasure) -> Floats:
    hits = (ranked >= measure.rel).sum(axis=-1, dtype=np.float32)
    values: Floats = hits / _relevant(every, measure)
    return values


def _success(ranked: Floats, every: object, measure: SampledMeasure) -> Floats:
    relevant = (ranked >= measure.rel).astype(np.float32)
    best: Floats = relevant.max(axis=-1)
    return best


def _reciprocal_rank(ranked: Floats, every: object, measure: SampledMeasure) -> Floats:
    relevant = ranked >= measure.rel
    first = relevant.argmax(axis=-1) + 1
    values: Floats = (relevant.any(axis=-1) / first).astype(np.float32)
    return values


def _average_precision(
    ranked: Floats, every: NDArray[np.integer[Any]], measure: SampledMeasure
) -> Floats:
    relevant = (ranked >= measure.rel).astype(np.float32)
    precision = relevant.cumsum(axis=-1) / np.arange(1, ranked.shape[-1] + 1, dtype=np.float32)
    total: Floats = (precision * relevant).sum(axis=-1, dtype=np.float32)
    return total / _relevant(every, measure)


def _relevant(every: NDArray[np.integer[Any]], measure: SampledMeasure) -> Floats:
    count = (every >= measure.rel).sum(axis=-1, dtype=np.float32, keepdims=True)
    at_least_one: Floats = np.maximum(count, 1)
    return at_least_one


_VALUES: dict[str, Callable[[Floats, NDArray[np.integer[Any]], SampledMeasure], Floats]] = {
    "nDCG": _ndcg,
    "P": _precision,
    "R": _recall,
    "Success": _success,
    "RR": _reciprocal_rank,
    "AP": _average_precision,
}
