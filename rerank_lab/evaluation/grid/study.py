"""What rerankers make of several first stages, as values that are kept and shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from rerank_lab.components.registry import current_spec
from rerank_lab.evaluation.statistics import Paired

GRID_KIND = "grid"
"""Under which it is kept among the studies of an experiment."""
_ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class GridPair:
    """A first stage and what reranks its candidates, as means over the common queries.

    Attributes:
        first: the first stage.
        reranker: the stages behind it, "" for the first stage alone.
        pipeline: both as one spec.
        value: of the measure; `low` and `high` are its 95 % interval, None for one query.
        p95: seconds; None where the answers came from a cache.
        gain: the first stage alone (a) and this pair (b), Holm-corrected over the grid; None for a
            first stage alone.
    """

    first: str
    reranker: str
    pipeline: str
    value: float
    low: float | None
    high: float | None
    p95: float | None = None
    gain: Paired | None = None

    @property
    def adds_up(self) -> bool:
        """Whether the pair is shown to be better than its first stage alone."""
        return self._shown and self.gain is not None and self.gain.difference > 0

    @property
    def harms(self) -> bool:
        """Whether the pair is shown to be worse than its first stage alone."""
        return self._shown and self.gain is not None and self.gain.difference < 0

    @property
    def _shown(self) -> bool:
        p = None if self.gain is None else self.gain.p_holm
        return p is not None and p < _ALPHA


@dataclass(frozen=True, slots=True)
class FirstStageCeiling:
    """What a first stage allows: recall of its candidates, and the measure of their best order."""

    first: str
    candidates: float
    recall: float
    oracle: float


@dataclass(frozen=True, slots=True)
class GridStudy:
    """Rerankers over first stages on the same queries.

    Attributes:
        queries: how many judged queries every pair answered.
        ideal: the measure of a perfect order of all judged documents.
        first_stages, rerankers: rows and columns, in the order asked.
        pairs: those that answered, first stages alone among them.
        best: pipelines with the best mean, and those that are not shown to differ from it.
        problems: by pipeline, why it has no value.
    """

    corpus: str
    corpus_hash: str
    measure: str
    queries: int
    ideal: float
    first_stages: tuple[str, ...]
    rerankers: tuple[str, ...]
    ceilings: tuple[FirstStageCeiling, ...]
    pairs: tuple[GridPair, ...]
    best: tuple[str, ...]
    problems: Mapping[str, str]

    def pair(self, first: str, reranker: str) -> GridPair | None:
        """The pair of these two, None where it has no value."""
        return next(
            (one for one in self.pairs if (one.first, one.reranker) == (first, reranker)), None
        )

    def ceiling(self, first: str) -> FirstStageCeiling | None:
        """What that first stage allows; None where it answered nothing."""
        return next((one for one in self.ceilings if one.first == first), None)

    def limited_by_first_stage(self, pair: GridPair) -> bool:
        """Whether a pair loses more to what its first stage misses than to the order it gives."""
        ceiling = self.ceiling(pair.first)
        if ceiling is None:
            return False
        return self.ideal - ceiling.oracle > ceiling.oracle - pair.value

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values; `from_json` reads it back."""
        written: dict[str, Any] = msgspec.to_builtins(self)
        for pair, of_pair in zip(self.pairs, written["pairs"], strict=True):
            of_pair["limited_by_first_stage"] = self.limited_by_first_stage(pair)
        return written

    @classmethod
    def from_json(cls, written: object) -> GridStudy:
        """The study that `to_json` wrote. Raises ValueError for anything else."""
        study = msgspec.convert(written, cls)
        pairs = (replace(one, pipeline=current_spec(one.pipeline)) for one in study.pairs)
        return replace(study, pairs=tuple(pairs))
