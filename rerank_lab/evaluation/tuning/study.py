"""What a search over options found, as values that are kept and shown."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec

from rerank_lab.components.registry import current_spec
from rerank_lab.evaluation.statistics import Paired
from rerank_lab.evaluation.tuning.options import OptionRange

SEARCH_KIND = "search"
"""Under which it is kept among the studies of an experiment."""
_ALPHA = 0.05

Verdict = Literal["better", "worse", "open", "start"]
"""On the held-out queries; "start" where nothing was better than the start on the train queries."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One setting of the options: its pipeline and its mean on the train queries, None if failed.

    `settings` are the options that were set, in the order of the ranges.
    """

    pipeline: str
    settings: tuple[tuple[str, str | int | float | bool], ...]
    train: float | None


@dataclass(frozen=True, slots=True)
class SearchStudy:
    """A search over options of one pipeline.

    Attributes:
        start: the pipeline as it was.
        best: the one with the best mean on the train queries; the start where none is better.
        train_queries, held_out_queries: how many queries chose, and how many judged the choice.
        seed: of the split, and of the sample of combinations.
        combinations: how many the ranges allow; `trials` are those tried, best first.
        held_out: start (a) and best (b) on the held-out queries, None where they are the same.
    """

    corpus: str
    corpus_hash: str
    measure: str
    start: str
    best: str
    ranges: tuple[OptionRange, ...]
    train_queries: int
    held_out_queries: int
    seed: int
    combinations: int
    trials: tuple[Trial, ...]
    held_out: Paired | None

    @property
    def verdict(self) -> Verdict:
        """What the held-out queries show of the best setting."""
        if self.held_out is None:
            return "start"
        p = self.held_out.p
        if p is None or p >= _ALPHA:
            return "open"
        return "better" if self.held_out.difference > 0 else "worse"

    def train_of(self, pipeline: str) -> float | None:
        """The mean of a tried pipeline on the train queries."""
        return next((one.train for one in self.trials if one.pipeline == pipeline), None)

    @property
    def train_gain(self) -> float | None:
        """Best less start on the train queries: flattering, for these queries made the choice."""
        start, best = self.train_of(self.start), self.train_of(self.best)
        return None if start is None or best is None else best - start

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values, and the verdict; `from_json` reads it back."""
        written: dict[str, Any] = msgspec.to_builtins(self)
        return written | {"verdict": self.verdict, "train_gain": self.train_gain}

    @classmethod
    def from_json(cls, written: object) -> SearchStudy:
        """The study that `to_json` wrote. Raises ValueError for anything else."""
        study = msgspec.convert(written, cls)
        trials = (replace(one, pipeline=current_spec(one.pipeline)) for one in study.trials)
        return replace(
            study,
            start=current_spec(study.start),
            best=current_spec(study.best),
            trials=tuple(trials),
        )
