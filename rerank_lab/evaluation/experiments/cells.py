"""The values of an experiment: its design, and one cell for each query and pipeline."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import msgspec

from rerank_lab.components.registry import current_spec
from rerank_lab.core.errors import LabError
from rerank_lab.core.judgment_basis import OWN_JUDGMENTS, JudgmentBasis
from rerank_lab.core.spec import parse
from rerank_lab.core.types import Hit, Qrels, Query, Ranking, Status, Trace
from rerank_lab.evaluation.query_tags import grouping_columns
from rerank_lab.pipeline.results import Result

DEEPEST = 1000
"""Hits of a ranking that a cell keeps; measures that look deeper see this many."""
_WITH_RANKING = frozenset(status for status in Status if status.answered) | {Status.FALLBACK}


@dataclass(frozen=True, slots=True)
class Design:
    """What an experiment is about, without the documents.

    `queries` are those asked, `pipelines` canonical specs. `unasked` are ids of judged queries
    whose text nobody gave. `created_at` is an ISO 8601 time in UTC. `basis` says where the
    judgments come from.
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
    basis: JudgmentBasis = OWN_JUDGMENTS

    @property
    def excluding(self) -> int:
        """How many queries exclude documents, such as themselves."""
        return sum(bool(query.excluded) for query in self.queries)

    @property
    def size(self) -> int:
        """How many cells it has."""
        return len(self.queries) * len(self.pipelines)

    def to_json(self) -> dict[str, Any]:
        """The manifest of the experiment; of its queries' columns, those that may group them."""
        written: dict[str, Any] = msgspec.to_builtins(self)
        queries = [
            {"id": query.id, "text": query.text}
            | ({"excluded": sorted(query.excluded)} if query.excluded else {})
            | ({"meta": columns} if (columns := grouping_columns(query)) else {})
            for query in self.queries
        ]
        return written | {"queries": queries}

    @classmethod
    def from_json(cls, written: object) -> Design:
        """The design of a manifest. Raises ValueError for anything else."""
        design = msgspec.convert(written, cls)
        return replace(design, pipelines=tuple(map(current_spec, design.pipelines)))


@lru_cache(maxsize=1024)
def of_another_system(pipeline: str) -> bool:
    """Whether a pipeline is a run file alone: looked up here, so that its time is not known."""
    try:
        spec = parse(pipeline)
    except LabError:
        return False
    return spec.source.name == "run" and not spec.stages


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a cell has no answer: the kind, message and hint of the error."""

    kind: str
    message: str
    hint: str

    @classmethod
    def of(cls, error: LabError) -> Failure:
        """What is kept of an error."""
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
        """What is kept of a result."""
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
        """How long the work took, loading apart; None unless all of it was really done here."""
        if not self.answered or self.status is Status.CACHED or self.trace.cache_hits:
            return None
        if of_another_system(self.pipeline):
            return None
        return self.trace.warm_s

    @classmethod
    def from_json(cls, written: object) -> Cell:
        """The cell of a line of `cells.jsonl`, where earlier versions kept cells.

        Raises ValueError or LabError for anything but such a record.

        Records of earlier versions have no documents where an answer had retrieved none.
        """
        record = msgspec.convert(written, _CellRecord, strict=False)
        doc_ids, scores = record.doc_ids, record.scores
        if doc_ids is None and record.failure is None and record.status in _WITH_RANKING:
            doc_ids, scores = [], []
        ranking = None
        if doc_ids is not None:
            pairs = zip(doc_ids, scores or [], strict=True)
            hits = tuple(Hit(doc_id, rank, score) for rank, (doc_id, score) in enumerate(pairs, 1))
            ranking = Ranking(record.query_id, hits, record.scale or "order")
        pipeline = current_spec(record.pipeline)
        return cls(record.query_id, pipeline, record.status, ranking, record.trace, record.failure)


class _CellRecord(msgspec.Struct):
    """A cell as it is written: the ranking as columns. All three are None without a ranking."""

    query_id: str
    pipeline: str
    status: Status
    scale: str | None = None
    doc_ids: list[str] | None = None
    scores: list[float | None] | None = None
    trace: Trace = Trace()
    failure: Failure | None = None
