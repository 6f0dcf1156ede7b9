"""What changed between two runs of the same experiment file: rankings, scores, values, models.

A snapshot holds what a run answered, small enough to keep beside the file. Comparing two says what
moved, even when a provider changed its model without a word.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from rerank_lab.core.types import Qrels
from rerank_lab.evaluation.experiments import Cell, Evaluation

SNAPSHOT_DEPTH = 20
"""So many first documents of each ranking are kept and compared."""
SAME_SCORE = 1e-6
"""Scores that differ by less, relative to their size, are the same."""


@dataclass(frozen=True, slots=True)
class RankedTop:
    """The first documents of one query, best first, and their scores where there are any."""

    doc_ids: tuple[str, ...]
    scores: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class PipelineSnapshot:
    """What one pipeline answered.

    Attributes:
        spec: The canonical spec.
        measures: Means over its measured queries.
        rankings: By query, of the answers of the pipeline itself.
        models: The models that servers say they served.
    """

    spec: str
    measures: Mapping[str, float | None]
    rankings: Mapping[str, RankedTop]
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunSnapshot:
    """What a run of an experiment file came to.

    Attributes:
        experiment_id: Of the run.
        created_at: ISO 8601 in UTC.
        corpus_hash: Of the documents.
        queries: id -> text.
        qrels: The judgments that counted.
        versions: Of the packages that were in use, by name.
        pipelines: By the name that the file gives them.
    """

    experiment_id: str
    created_at: str
    corpus_hash: str
    queries: Mapping[str, str]
    qrels: Qrels
    versions: Mapping[str, str]
    pipelines: Mapping[str, PipelineSnapshot]

    def to_bytes(self) -> bytes:
        """JSON, the same bytes for the same snapshot."""
        return msgspec.json.encode(self, order="deterministic")

    @classmethod
    def from_bytes(cls, data: bytes) -> RunSnapshot:
        """The snapshot that `to_bytes` wrote. Raises ValueError for anything else."""
        return msgspec.json.decode(data, type=cls)


def snapshot(
    evaluation: Evaluation,
    names: Mapping[str, str],
    versions: Mapping[str, str],
    created_at: str,
) -> RunSnapshot:
    """The snapshot of an evaluation.

    Args:
        evaluation: Finished or not.
        names: Spec -> name.
        versions: Of packages.
        created_at: ISO 8601 in UTC.
    """
    design = evaluation.design
    return RunSnapshot(
        design.id,
        created_at,
        design.corpus_hash,
        {query.id: query.text for query in design.queries},
        design.qrels,
        versions,
        {names.get(spec, spec): _of_pipeline(evaluation, spec) for spec in design.pipelines},
    )


def _of_pipeline(evaluation: Evaluation, spec: str) -> PipelineSnapshot:
    cells = [cell for (_, of), cell in evaluation.cells.items() if of == spec and cell.answered]
    return PipelineSnapshot(
        spec,
        evaluation.by_pipeline[spec].measures,
        {cell.query_id: _top(cell) for cell in cells},
        tuple(sorted({cell.trace.model_served for cell in cells} - {""})),
    )


def _top(cell: Cell) -> RankedTop:
    hits = cell.ranking.hits[:SNAPSHOT_DEPTH] if cell.ranking is not None else ()
    return RankedTop(tuple(hit.doc_id for hit in hits), tuple(hit.score for hit in hits))


@dataclass(frozen=True, slots=True)
class PipelineDrift:
    """What changed of one pipeline that both runs have.

    Attributes:
        name: As the file calls it.
        spec_before: Its spec in the last run, "" when it is the same.
        queries: Those that both runs answered.
        reordered: Of these, the ids of those whose first documents or their order changed.
        rescored: Ids of those with the same order and other scores.
        largest: The largest change of a score of the same document, None without scores.
        measures: By measure that changed, the mean before and now.
        models_before: The models that were served in the last run, where they are others now.
        models_now: Those of this run.
        lost: Ids of queries that were answered in the last run and are not now.
    """

    name: str
    spec_before: str
    queries: int
    reordered: tuple[str, ...]
    rescored: tuple[str, ...]
    largest: float | None
    measures: Mapping[str, tuple[float | None, float | None]]
    models_before: tuple[str, ...]
    models_now: tuple[str, ...]
    lost: tuple[str, ...]

    @property
    def moved(self) -> bool:
        """Whether anything changed."""
        return bool(
            self.spec_before
            or self.reordered
            or self.rescored
            or self.measures
            or self.lost
            or self.models_before != self.models_now
        )


@dataclass(frozen=True, slots=True)
class Drift:
    """What changed since the last run of the same file.

    Attributes:
        since: When that was, ISO 8601 in UTC.
        corpus: Whether the documents are others.
        queries_added: Ids, as `queries_removed`; a query with another text is in both.
        queries_removed: Ids.
        judgments: How many judgments are new, gone or changed.
        versions: By package that both runs had in use, the version before and now.
        pipelines: Those that both runs have.
        added: Names of pipelines that are new.
        removed: Names of pipelines that are gone.
    """

    since: str
    corpus: bool
    queries_added: tuple[str, ...]
    queries_removed: tuple[str, ...]
    judgments: int
    versions: Mapping[str, tuple[str, str]]
    pipelines: tuple[PipelineDrift, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]

    @property
    def any(self) -> bool:
        """Whether an answer, a value, a model or what they stand on changed."""
        return bool(
            self.corpus
            or self.queries_added
            or self.queries_removed
            or self.judgments
            or self.added
            or self.removed
            or any(one.moved for one in self.pipelines)
        )

    def to_json(self) -> dict[str, Any]:
        """The fields by name."""
        written: dict[str, Any] = msgspec.to_builtins(self)
        return written


def drift(before: RunSnapshot, now: RunSnapshot) -> Drift:
    """What changed from one run to the next."""
    old, new = set(before.queries.items()), set(now.queries.items())
    versions = {
        name: (before.versions[name], now.versions[name])
        for name in sorted(before.versions.keys() & now.versions.keys())
        if before.versions[name] != now.versions[name]
    }
    return Drift(
        before.created_at,
        before.corpus_hash != now.corpus_hash,
        tuple(sorted(query_id for query_id, _ in new - old)),
        tuple(sorted(query_id for query_id, _ in old - new)),
        len(_judged(before.qrels) ^ _judged(now.qrels)),
        versions,
        tuple(
            _drift_of(name, before.pipelines[name], one)
            for name, one in now.pipelines.items()
            if name in before.pipelines
        ),
        tuple(name for name in now.pipelines if name not in before.pipelines),
        tuple(name for name in before.pipelines if name not in now.pipelines),
    )


def _judged(qrels: Qrels) -> set[tuple[str, str, int]]:
    return {(q, doc_id, grade) for q, grades in qrels.items() for doc_id, grade in grades.items()}


def _drift_of(name: str, before: PipelineSnapshot, now: PipelineSnapshot) -> PipelineDrift:
    both = [query_id for query_id in before.rankings if query_id in now.rankings]
    reordered, rescored = [], []
    largest: float | None = None
    for query_id in both:
        old, new = before.rankings[query_id], now.rankings[query_id]
        changes = _score_changes(old, new)
        if changes:
            largest = max(largest or 0.0, *changes)
        if old.doc_ids != new.doc_ids:
            reordered.append(query_id)
        elif old.scores != new.scores and _differ(old, new):
            rescored.append(query_id)
    return PipelineDrift(
        name,
        before.spec if before.spec != now.spec else "",
        len(both),
        tuple(reordered),
        tuple(rescored),
        largest,
        {
            measure: (before.measures.get(measure), mean)
            for measure, mean in now.measures.items()
            if measure in before.measures and _differs(before.measures[measure], mean)
        },
        before.models,
        now.models,
        tuple(query_id for query_id in before.rankings if query_id not in now.rankings),
    )


def _score_changes(old: RankedTop, new: RankedTop) -> list[float]:
    """By how much the scores of the documents in both changed."""
    before = dict(zip(old.doc_ids, old.scores, strict=True))
    return [
        abs(score - earlier)
        for doc_id, score in zip(new.doc_ids, new.scores, strict=True)
        if score is not None and (earlier := before.get(doc_id)) is not None
    ]


def _differ(old: RankedTop, new: RankedTop) -> bool:
    return any(_differs(a, b) for a, b in zip(old.scores, new.scores, strict=True))


def _differs(a: float | None, b: float | None) -> bool:
    if a is None or b is None:
        return a is not b
    return not math.isclose(a, b, rel_tol=SAME_SCORE, abs_tol=SAME_SCORE)
