"""The usual measures for many queries at once, as arrays; equal to ir_measures' values.

What trec_eval sums document by document is summed here in the same order, so that values agree to
the last digits (tests compare them within 1e-12). Everything else is left to ir_measures: options
beyond a cutoff and a relevance level, and measures that are not in `_FORMULAS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_UNJUDGED = -(2**31)
_NOTHING = _UNJUDGED + 1
"""Below the last document of a shorter ranking."""
_PLACES = 4_000_000
"""So many places of documents are worked on at once; each takes some 40 bytes."""


def computable(measure: Any) -> bool:
    """Whether this measure of ir_measures is computed here."""
    formula = _FORMULAS.get(measure.NAME)
    return formula is not None and measure.params.keys() <= formula.options


def measured_together(
    measures: Sequence[Any],
    grades: Sequence[Mapping[str, int]],
    rankings: Sequence[Sequence[str]],
) -> list[list[float]]:
    """The values of each measure, for each query.

    Args:
        measures: of ir_measures; all of them computable.
        grades: of each query, by document.
        rankings: of each query the documents, best first; not empty.

    Returns:
        By measure in the order given, one value a query.
    """
    values: list[list[float]] = [[] for _ in measures]
    deepest = max(map(len, rankings), default=1)
    step = max(1, _PLACES // deepest)
    for start in range(0, len(rankings), step):
        part = _Levels.of(grades[start : start + step], rankings[start : start + step])
        for column, measure in zip(values, measures, strict=True):
            column += _FORMULAS[measure.NAME].values(part, measure).tolist()
    return values


@dataclass(frozen=True)
class _Levels:
    """The judgments of some queries as arrays.

    Attributes:
        retrieved: shape (queries, deepest ranking), the grade at each place.
        judged: shape (queries, most positive grades), these grades, highest first, then zeros.
        lengths: shape (queries,), of the rankings.
    """

    retrieved: NDArray[np.int32]
    judged: NDArray[np.int32]
    lengths: NDArray[np.int64]

    @classmethod
    def of(cls, grades: Sequence[Mapping[str, int]], rankings: Sequence[Sequence[str]]) -> _Levels:
        retrieved = [
            [of_query.get(doc_id, _UNJUDGED) for doc_id in ranking]
            for of_query, ranking in zip(grades, rankings, strict=True)
        ]
        positive = [
            sorted([grade for grade in of_query.values() if grade > 0], reverse=True)
            for of_query in grades
        ]
        lengths = np.fromiter(map(len, retrieved), np.int64, len(retrieved))
        return cls(_padded(retrieved, _NOTHING), _padded(positive, 0), lengths)

    @cached_property
    def ranks(self) -> Floats:
        """Shape (deepest,): 1, 2, ..."""
        return np.arange(1, self.retrieved.shape[1] + 1, dtype=np.float64)

    @cached_property
    def _relevant(self) -> dict[int, NDArray[np.bool_]]:
        return {}

    def relevant(self, level: int) -> NDArray[np.bool_]:
        """Shape of `retrieved`: whether the grade there is at least `level` (1 or more)."""
        if level not in self._relevant:
            self._relevant[level] = self.retrieved >= level
        return self._relevant[level]

    def found(self, level: int, cutoff: int) -> Floats:
        """Shape (queries,): how many of the first documents are relevant."""
        return _counts(self.relevant(level)[:, :cutoff])

    def known(self, level: int) -> Floats:
        """Shape (queries,): how many documents are judged relevant at all."""
        return _counts(self.judged >= level)


def _padded(rows: Sequence[Sequence[int]], filler: int) -> NDArray[np.int32]:
    """Rows of different lengths as one array of their largest, at least 1."""
    lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    width = max(1, int(lengths.max(initial=0)))
    array = np.full((len(rows), width), filler, dtype=np.int32)
    flat = np.fromiter(chain.from_iterable(rows), np.int32, int(lengths.sum()))
    array[np.arange(width) < lengths[:, None]] = flat
    return array


def _counts(places: NDArray[np.bool_]) -> Floats:
    """Shape (queries,): how many are true."""
    counts: Floats = np.count_nonzero(places, axis=1).astype(np.float64)
    return counts


def _ratio(parts: Floats, wholes: Floats) -> Floats:
    """0 where there is no whole, as in trec_eval."""
    return np.divide(parts, wholes, out=np.zeros_like(parts), where=wholes > 0)


def _in_order(columns: Floats) -> Floats:
    """Sums of rows, added from the left as trec_eval does; numpy's own sum goes another way."""
    return np.asarray(np.cumsum(columns, axis=1)[:, -1])


def _gain(levels: NDArray[np.int32], cutoff: int) -> Floats:
    gains = np.maximum(levels[:, :cutoff], 0).astype(np.float64)
    return _in_order(gains / np.log2(np.arange(2, gains.shape[1] + 2)))


def _ndcg(levels: _Levels, measure: Any) -> Floats:
    cutoff = _cutoff(levels, measure)
    ideal = _gain(levels.judged, cutoff if "cutoff" in measure.params else levels.judged.shape[1])
    return _ratio(_gain(levels.retrieved, cutoff), ideal)


def _average_precision(levels: _Levels, measure: Any) -> Floats:
    level, cutoff = measure["rel"], _cutoff(levels, measure)
    relevant = levels.relevant(level)[:, :cutoff]
    precisions = np.cumsum(relevant, axis=1) / levels.ranks[:cutoff]
    return _ratio(_in_order(np.where(relevant, precisions, 0.0)), levels.known(level))


def _reciprocal_rank(levels: _Levels, measure: Any) -> Floats:
    relevant = levels.relevant(measure["rel"])[:, : _cutoff(levels, measure)]
    first = 1.0 / (relevant.argmax(axis=1) + 1)
    values: Floats = np.where(relevant.any(axis=1), first, 0.0)
    return values


def _precision(levels: _Levels, measure: Any) -> Floats:
    return levels.found(measure["rel"], measure["cutoff"]) / float(measure["cutoff"])


def _recall(levels: _Levels, measure: Any) -> Floats:
    return _ratio(levels.found(measure["rel"], measure["cutoff"]), levels.known(measure["rel"]))


def _success(levels: _Levels, measure: Any) -> Floats:
    return (levels.found(measure["rel"], measure["cutoff"]) > 0).astype(np.float64)


def _judged(levels: _Levels, measure: Any) -> Floats:
    cutoff = _cutoff(levels, measure)
    grades = levels.retrieved[:, :cutoff]
    judged = _counts((grades != _UNJUDGED) & (grades != _NOTHING))
    return judged / np.minimum(levels.lengths, cutoff)


def _cutoff(levels: _Levels, measure: Any) -> int:
    """The cutoff of a measure; without one, the deepest ranking."""
    return int(measure.params.get("cutoff", levels.retrieved.shape[1]))


@dataclass(frozen=True, slots=True)
class _Formula:
    """How a measure is computed, and with which options that is so."""

    values: Callable[[_Levels, Any], Floats]
    options: frozenset[str]


_CUTOFF, _LEVEL = frozenset({"cutoff"}), frozenset({"cutoff", "rel"})
_FORMULAS = {
    "nDCG": _Formula(_ndcg, _CUTOFF),
    "AP": _Formula(_average_precision, _LEVEL),
    "RR": _Formula(_reciprocal_rank, _LEVEL),
    "P": _Formula(_precision, _LEVEL),
    "R": _Formula(_recall, _CUTOFF),
    "Success": _Formula(_success, _LEVEL),
    "Judged": _Formula(_judged, _CUTOFF),
}
