"""The evidence below the columns: latency by stage, agreement between pipelines, one document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rerank_lab.components.registry import source_kind
from rerank_lab.core.similarity import kendall_tau, overlap_at, rbo
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.core.types import Trace
from rerank_lab.pipeline.results import StageResult
from rerank_lab.views.compare import (
    CompareColumn,
    CompareView,
    PipelineOutcome,
    title_of,
)
from rerank_lab.views.input_coverage import CoverageLookup, Read, reads
from rerank_lab.views.labels import score, stage_label
from rerank_lab.views.rank_changes import stage_ranking
from rerank_lab.views.text import Segment, marker
from rerank_lab.views.times import PART_NAMES, PARTS, warmth

_FULL_CHARS = 20_000


@dataclass(frozen=True, slots=True)
class StageTime:
    """Seconds of one stage, by part. `note` says what they stand for: cold, warm, cached, ..."""

    spec: PipelineSpec
    label: str
    stage: str
    load: float
    build: float
    queue: float
    compute: float
    network: float
    documents: int
    cache_hits: int
    note: str

    @property
    def total(self) -> float:
        """Seconds of all parts together."""
        return self.load + self.build + self.queue + self.compute + self.network


def latency(columns: Sequence[CompareColumn]) -> tuple[StageTime, ...]:
    """Each stage of each finished pipeline, in order; the sources of a fusion one by one."""
    rows: list[StageTime] = []
    for column in columns:
        for stage in column.outcome.result.stages if column.outcome.result else ():
            rows += [
                _time(column, part, _part(column.outcome, stage, part)) for part in stage.parts
            ]
            rows.append(_time(column, stage, _stage(column.outcome, stage)))
    return tuple(rows)


def _time(column: CompareColumn, done: StageResult, stage: str) -> StageTime:
    trace = done.trace
    if done.parts:
        parts = sum((part.trace for part in done.parts), Trace())
        trace = Trace(compute_s=max(0.0, trace.compute_s - parts.compute_s))
    return StageTime(
        column.spec,
        column.label,
        stage,
        trace.load_s,
        trace.build_s,
        trace.queue_s,
        trace.compute_s,
        trace.network_s,
        trace.documents,
        trace.cache_hits,
        warmth(done.status, trace, reused=done.reused),
    )


def table(rows: Sequence[StageTime]) -> list[dict[str, Any]]:
    """The latency table: milliseconds by part; parts that took no time anywhere are left out."""
    used = [part for part in PARTS if any(getattr(row, part) >= 0.00005 for row in rows)]
    return [
        {"Pipeline": row.label, "Stage": row.stage}
        | {f"{PART_NAMES[part]} (ms)": getattr(row, part) * 1000 for part in used}
        | {"Total (ms)": row.total * 1000}
        | {"Documents": row.documents, "From cache": row.cache_hits, "State": row.note}
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Square matrices over the finished pipelines; None where a value is not defined.

    overlap in 0..1 over the first k; rbo in 0..1 with p = 0.9; tau in -1..1 over shared documents.
    """

    specs: tuple[PipelineSpec, ...]
    labels: tuple[str, ...]
    k: int
    overlap: tuple[tuple[float | None, ...], ...]
    rbo: tuple[tuple[float | None, ...], ...]
    tau: tuple[tuple[float | None, ...], ...]


def agreement(view: CompareView, k: int = 10) -> Agreement:
    """How alike the finished pipelines' orders are, for every two of them."""
    ready = view.ready
    rankings = [c.outcome.ranking for c in ready if c.outcome.ranking is not None]
    return Agreement(
        tuple(c.spec for c in ready),
        tuple(c.label for c in ready),
        k,
        tuple(tuple(overlap_at(a, b, k) for b in rankings) for a in rankings),
        tuple(tuple(rbo(a, b) for b in rankings) for a in rankings),
        tuple(tuple(kendall_tau(a, b) for b in rankings) for a in rankings),
    )


@dataclass(frozen=True, slots=True)
class Place:
    """Where one stage of one pipeline put a document; rank None when it is not in the list."""

    spec: PipelineSpec
    label: str
    stage: str
    rank: int | None
    of: int
    score: float | None
    scale: str

    @property
    def rank_words(self) -> str:
        """The rank, or that there is none."""
        return str(self.rank) if self.rank else "not in the list"

    @property
    def score_words(self) -> str:
        """The score with its scale, or a dash."""
        return "–" if self.score is None else f"{score(self.score)} {self.scale}"


@dataclass(frozen=True, slots=True)
class DocumentView:
    """One document in full. `cut_at` is the number of characters shown when there are more.

    `parts` are (passage id, text), the id being "" for a document that is not cut; `reads` tells
    of each reranker that did not read it whole and in one piece.
    """

    doc_id: str
    title: str
    parts: tuple[tuple[str, tuple[Segment, ...]], ...]
    grade: int | None
    judged: bool
    places: tuple[Place, ...]
    meta: tuple[tuple[str, str], ...]
    cut_at: int | None
    reads: tuple[Read, ...] = ()

    def read_by(self, read: Read) -> tuple[tuple[str, tuple[Segment, ...]], ...]:
        """The parts as that reranker read them."""
        return tuple((name, read.shade(name or self.doc_id, text)) for name, text in self.parts)


def document(
    view: CompareView, doc_id: str, coverage_of: CoverageLookup | None = None
) -> DocumentView | None:
    """A document with its rank and score in every stage of every pipeline; None if unknown.

    `coverage_of` tells what each reranker read of it.
    """
    topic = view.topic
    corpus = topic.corpus
    units = [corpus.by_id[doc_id]] if doc_id in corpus.by_id else []
    units = units or list(corpus.passages_of.get(doc_id, ()))
    if not units:
        return None
    mark = marker(topic.query.text, topic.language)
    parts: list[tuple[str, tuple[Segment, ...]]] = []
    left = _FULL_CHARS
    for unit in units:
        if left > 0:
            name = unit.id if unit.parent else ""
            parts.append((name, mark.segments(unit.text[:left])))
            left -= len(unit.text)
    return DocumentView(
        doc_id,
        title_of(units[0]),
        tuple(parts),
        topic.grades.get(doc_id),
        bool(topic.grades),
        tuple(place for column in view.columns for place in _places(view, column, doc_id)),
        tuple((str(key), str(value)[:200]) for key, value in sorted(units[0].meta.items())),
        _FULL_CHARS if left < 0 else None,
        tuple(
            read.with_beyond(units, _FULL_CHARS, mark)
            for read in (reads(view.ready, units, coverage_of) if coverage_of else ())
        ),
    )


def _places(view: CompareView, column: CompareColumn, doc_id: str) -> list[Place]:
    places = []
    for stage in column.outcome.result.stages if column.outcome.result else ():
        for part in stage.parts:
            label = _part(column.outcome, stage, part)
            places.append(_place(view, column, part, label, doc_id))
        places.append(_place(view, column, stage, _stage(column.outcome, stage), doc_id))
    return [place for place in places if place is not None]


def _place(
    view: CompareView, column: CompareColumn, done: StageResult, stage: str, doc_id: str
) -> Place | None:
    ranking = stage_ranking(done, view.topic.corpus)
    if ranking is None:
        return None
    hit = next((hit for hit in ranking if hit.doc_id == doc_id), None)
    rank, score = (hit.rank, hit.score) if hit else (None, None)
    return Place(column.spec, column.label, stage, rank, len(ranking), score, ranking.scale)


def _stage(outcome: PipelineOutcome, stage: StageResult) -> str:
    return stage_label(stage.node, "retriever" if _is_first(outcome, stage) else "reranker")


def _part(outcome: PipelineOutcome, stage: StageResult, part: StageResult) -> str:
    """The label of a fusion's source."""
    kind = "retriever" if _is_first(outcome, stage) else source_kind(part.node)
    return stage_label(part.node, kind)


def _is_first(outcome: PipelineOutcome, stage: StageResult) -> bool:
    return outcome.result is not None and outcome.result.stages[0] is stage
