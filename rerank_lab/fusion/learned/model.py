"""A trained model as a value: its trees as text, and the record of what it was trained on."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import msgspec

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.judgment_basis import OWN_JUDGMENTS, JudgmentBasis
from rerank_lab.core.types import Query
from rerank_lab.fusion.learned.features import Features
from rerank_lab.fusion.learned.settings import LearnerSettings

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,59}")
MODEL, FIRST, SIGNAL = "model", "before", "signal"
"""The three that a validation compares: the model, the order before it, the best single feature."""


@dataclass(frozen=True, slots=True)
class Fold:
    """One part of the queries, ranked by a model trained on the others. Means of the measure."""

    queries: int
    model: float
    before: float
    signal: float


@dataclass(frozen=True, slots=True)
class Validation:
    """Cross-validation grouped by query: no query is ranked by a model that saw it.

    `values` are the measure by query id for `model`, `before` (the candidates in their own order)
    and `signal` (the best single feature, named by `best`); `features` the mean of every single
    feature as a ranker.
    """

    measure: str
    folds: tuple[Fold, ...]
    values: Mapping[str, Mapping[str, float]]
    best: str
    features: Mapping[str, float]

    def mean(self, name: str) -> float:
        """Mean of the measure over queries, for "model", "before" or "signal"."""
        by_query = self.values[name]
        return sum(by_query.values()) / len(by_query) if by_query else 0.0


@dataclass(frozen=True, slots=True)
class Importance:
    """How much a feature did in the model that is used: its share of all gain (0 to 1), splits."""

    feature: str
    gain: float
    splits: int


@dataclass(frozen=True, slots=True)
class Origin:
    """What a model was trained on. `scale` is of the scores before it; hashes are SHA-256.

    `basis` says where the judgments come from.
    """

    corpus: str
    corpus_hash: str
    qrels_hash: str
    before: str
    scale: str
    query_ids: tuple[str, ...]
    query_digests: frozenset[str]
    documents: int
    relevant: int
    unjudged: int
    created_at: str
    versions: Mapping[str, str] = field(default_factory=dict)
    basis: JudgmentBasis = OWN_JUDGMENTS


@dataclass(frozen=True, slots=True)
class LearnedModel:
    """A trained model with its record. `trees` is the learner's own text."""

    name: str
    features: Features
    settings: LearnerSettings
    origin: Origin
    validation: Validation
    importances: tuple[Importance, ...]
    trees: str = field(repr=False)

    @property
    def digest(self) -> str:
        """SHA-256 of the trees: what kept results belong to."""
        return _digest(self.trees)

    @property
    def spec(self) -> str:
        """The pipeline that uses it, behind the stages that it was trained after."""
        inside = ",".join((*self.features.sources, f'model="{self.name}"'))
        return f"{self.origin.before} >> ltr({inside})"

    def saw(self, query: Query) -> bool:
        """True when it was trained on this query, whatever its id is here."""
        return query_digest(query) in self.origin.query_digests

    def to_json(self) -> dict[str, Any]:
        """The values of a model file, with the digest of its trees."""
        saved: dict[str, Any] = msgspec.to_builtins(self)
        saved["origin"]["query_digests"].sort()
        return saved | {"digest": self.digest}

    @classmethod
    def from_json(cls, saved: object) -> LearnedModel:
        """The model of a file. Raises ValueError for anything but the JSON of a model."""
        file = msgspec.convert(saved, _ModelFile)
        model = msgspec.convert(saved, cls)
        unknown = file.settings.keys() - msgspec.to_builtins(model.settings).keys()
        if unknown:
            raise ValueError(f"unknown settings: {', '.join(sorted(unknown))}")
        if model.digest != file.digest:
            raise ValueError("the trees are not those that were saved")
        return model


class _ModelFile(msgspec.Struct):
    """What a file holds beside the model, and the names of its settings as they are written."""

    digest: str
    settings: dict[str, Any]


@lru_cache(maxsize=16)
def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def query_digest(query: Query) -> str:
    """SHA-256 of a query's words, blind to case and spacing: ids differ from corpus to corpus."""
    text = " ".join(query.text.casefold().split())
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def checked_name(name: str) -> str:
    """The name, when it can be one. Raises InvalidInput."""
    if not _NAME.fullmatch(name) or name.endswith("."):
        raise InvalidInput(
            f"{name[:80]!r} cannot be the name of a model.",
            hint="Use up to 60 small letters, digits, - and _, such as my-model.",
        )
    return name


def importances(
    names: Sequence[str], gains_and_splits: Sequence[tuple[float, int]]
) -> tuple[Importance, ...]:
    """Shares of the whole gain, the greatest first; features without a split too."""
    whole = sum(gain for gain, _ in gains_and_splits) or 1.0
    # XGBoost forgets features behind the last one that it uses.
    padded = [*gains_and_splits, *[(0.0, 0)] * (len(names) - len(gains_and_splits))]
    shares = [
        Importance(name, gain / whole, splits)
        for name, (gain, splits) in zip(names, padded, strict=True)
    ]
    return tuple(sorted(shares, key=lambda one: (-one.gain, one.feature)))
