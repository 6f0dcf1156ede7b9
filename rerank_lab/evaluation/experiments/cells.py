"""The values of an experiment: its design, and one cell for each query and pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from rerank_lab.core.errors import LabError
from rerank_lab.core.types import Hit, Qrels, Query, Ranking, Status, Trace
from rerank_lab.pipeline.results import Result

DEEPEST = 1000
"""Hits of a ranking that a cell keeps; measures that look deeper see this many."""


@dataclass(frozen=True, slots=True)
class Design:
    """What an experiment is about, without the documents.

    `queries` are those asked, `pipelines` canonical specs. `unasked` are ids of judged queries
    whose text nobody gave. `created_at` is an ISO 8601 time in UTC.
    """

    id: str
    corpus: str
    corpus_hash: str
    pipelines: tuple[str, ...]
    queries: tuple[Query, ...]
    qrels: Qrels
    measures: tuple[str, ...]
    unasked: tuple[str, ...] = ()
    created_at: str = ""

    @property
    def excluding(self) -> int:
        """How many queries exclude documents, such as themselves."""
        return sum(bool(query.excluded) for query in self.queries)

    @property
    def size(self) -> int:
        """How many cells it has."""
        return len(self.queries) * len(self.pipelines)

    def to_json(self) -> dict[str, Any]:
        shown = {name: getattr(self, name) for name in self.__dataclass_fields__}
        queries = [
            {"id": query.id, "text": query.text}
            | ({"excluded": sorted(query.excluded)} if query.excluded else {})
            for query in self.queries
        ]
        qrels = {query_id: dict(grades) for query_id, grades in self.qrels.items()}
        return shown | {"queries": queries, "qrels": qrels}

    @classmethod
    def from_json(cls, shown: Mapping[str, Any]) -> Design:
        values = {name: shown[name] for name in cls.__dataclass_fields__}
        for name in ("pipelines", "measures", "unasked"):
            values[name] = tuple(values[name])
        values["queries"] = tuple(
            Query(one["id"], one["text"], excluded=frozenset(one.get("excluded", ())))
            for one in shown["queries"]
        )
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a cell has no answer: the kind, message and hint of the error."""

    kind: str
    message: str
    hint: str

    @classmethod
    def of(cls, error: LabError) -> Failure:
        return cls(error.kind, error.message, error.hint)


@dataclass(frozen=True, slots=True)
class Cell:
    """What one pipeline made of one query. `ranking` speaks of documents, None when it failed."""

    query_id: str
    pipeline: str
    status: Status
    ranking: Ranking | None = None
    trace: Trace = field(default_factory=Trace)
    failure: Failure | None = None

    @classmethod
    def of(cls, result: Result) -> Cell:
        return cls(
            result.query.id,
            result.spec,
            result.status,
            result.ranking.top(DEEPEST) if result.ranking is not None else None,
            result.trace,
            Failure.of(result.error) if result.error is not None else None,
        )

    @property
    def answered(self) -> bool:
        """True when the pipeline itself gave this ranking; only then may it be scored."""
        return self.status.answered and self.ranking is not None

    @property
    def seconds(self) -> float | None:
        """How long the work took, loading apart; None unless all of it was really done."""
        if not self.answered or self.status is Status.CACHED or self.trace.cache_hits:
            return None
        return self.trace.warm_s

    def to_json(self) -> dict[str, Any]:
        ranking = self.ranking
        return {
            "query_id": self.query_id,
            "pipeline": self.pipeline,
            "status": self.status.value,
            "scale": ranking.scale if ranking else None,
            "doc_ids": list(ranking.doc_ids) if ranking else None,
            "scores": [hit.score for hit in ranking.hits] if ranking else None,
            "trace": self.trace.to_json(),
            "failure": asdict(self.failure) if self.failure else None,
        }

    @classmethod
    def from_json(cls, shown: Mapping[str, Any]) -> Cell:
        """Raises KeyError, TypeError, ValueError or LabError for anything but a cell's JSON."""
        ranking = None
        if shown["doc_ids"] is not None:
            pairs = zip(shown["doc_ids"], shown["scores"], strict=True)
            hits = tuple(Hit(str(doc_id), rank, s) for rank, (doc_id, s) in enumerate(pairs, 1))
            ranking = Ranking(shown["query_id"], hits, shown["scale"])
        return cls(
            shown["query_id"],
            shown["pipeline"],
            Status(shown["status"]),
            ranking,
            Trace.from_json(shown["trace"]),
            Failure(**shown["failure"]) if shown["failure"] else None,
        )
