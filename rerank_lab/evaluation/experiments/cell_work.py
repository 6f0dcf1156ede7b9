"""The cells of an experiment as work for workers, in this process or another."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from rerank_lab.components.base import Component
from rerank_lab.components.registry import expand
from rerank_lab.core.context import Context
from rerank_lab.core.errors import Cancelled, InvalidInput, LabError
from rerank_lab.core.spec import Node
from rerank_lab.core.types import Query, Status
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.corpora.sending import SentCorpus
from rerank_lab.evaluation.experiments.cells import Cell, Design, Failure
from rerank_lab.evaluation.experiments.packing import packed_cell, unpacked_cell
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline

OnPipeline = Callable[[Pipeline], AbstractContextManager[None]]
_CORES = ("cpu", "gpu")
"""Lanes of what computes on the machine."""


def no_turn(_: Pipeline) -> AbstractContextManager[None]:
    """Who shares this machine with nobody waits for nothing."""
    return nullcontext()


@dataclass(frozen=True, slots=True)
class CellTask:
    """One query for the pipeline of that number. `place` says when the query's turn comes."""

    place: int
    query: Query
    pipeline: int


@dataclass(frozen=True, slots=True)
class AnsweredCell:
    """A cell, the error where it has no answer, and the seconds until the worker had it."""

    cell: Cell
    error: LabError | None = field(default=None, compare=False)
    seconds: float = 0.0

    def __reduce__(self) -> tuple[Any, ...]:
        cell = self.cell
        packed = packed_cell(cell)
        return _unpacked, (cell.query_id, cell.pipeline, packed, self.error, self.seconds)


def _unpacked(
    query_id: str, pipeline: str, packed: bytes, error: LabError | None, seconds: float
) -> AnsweredCell:
    return AnsweredCell(unpacked_cell(query_id, pipeline, packed), error, seconds)


@dataclass(frozen=True)
class CellWork:
    """Queries through pipelines over one corpus.

    Attributes:
        corpus: what is searched; its queries and judgments are of no use here.
        pipelines: canonical specs.
        fingerprints: of the components of each pipeline, where the work was planned.
        local_models: as `Workload.local_models`.
        turn: entered for each cell; not taken along to another process.
    """

    corpus: Corpus
    pipelines: tuple[str, ...]
    fingerprints: tuple[tuple[str, ...], ...]
    local_models: bool
    turn: OnPipeline = no_turn

    @classmethod
    def of(cls, corpus: Corpus, design: Design, engine: Engine, turn: OnPipeline) -> CellWork:
        """The work of an experiment."""
        parsed = [Pipeline(spec) for spec in design.pipelines]
        prints = tuple(tuple(fingerprints(one, engine)) for one in parsed)
        return cls(corpus, design.pipelines, prints, any(map(_computes, parsed)), turn)

    def __reduce__(self) -> tuple[Any, ...]:
        sent = SentCorpus.of(self.corpus)
        return _received, (sent, self.pipelines, self.fingerprints, self.local_models)

    def open(self, engine: Engine) -> Callable[[CellTask, Context], AnsweredCell]:
        """As `Workload.open`.

        Raises:
            InvalidInput: this machine has another state of a model than the planner's has.
        """
        parsed = [Pipeline(spec) for spec in self.pipelines]
        for pipeline, planned in zip(parsed, self.fingerprints, strict=True):
            _check(pipeline, planned, tuple(fingerprints(pipeline, engine)))

        def answered(task: CellTask, ctx: Context) -> AnsweredCell:
            ctx.checkpoint()
            pipeline = parsed[task.pipeline]
            start = time.monotonic()
            with self.turn(pipeline):
                result = pipeline.run(task.query, self.corpus, ctx, engine)
            seconds = time.monotonic() - start
            if result.status is Status.CANCELLED:
                raise Cancelled("Cancelled.", hint="Run it again to go on from here.")
            return AnsweredCell(Cell.of(result), result.error, seconds)

        return answered

    def failed(self, task: CellTask, error: LabError) -> AnsweredCell:
        """The cell of a query over which workers end."""
        spec = self.pipelines[task.pipeline]
        return AnsweredCell(
            Cell(task.query.id, spec, Status.FAILED, failure=Failure.of(error)), error
        )


def _received(
    sent: SentCorpus,
    specs: tuple[str, ...],
    prints: tuple[tuple[str, ...], ...],
    local_models: bool,
) -> CellWork:
    return CellWork(sent.opened(), specs, prints, local_models)


def _computes(pipeline: Pipeline) -> bool:
    """Whether a reranker runs a model where it is; a first stage takes milliseconds."""
    rerankers = (expand(node, kind) for node, kind in pipeline.leaves if kind == "reranker")
    return any(info.has_model and info.lane_of(options) in _CORES for info, options in rerankers)


def _check(pipeline: Pipeline, planned: tuple[str, ...], here: tuple[str, ...]) -> None:
    for one, other in zip(planned, here, strict=True):
        if one and other and one != other:
            raise InvalidInput(
                f"A worker has another state of a component of {pipeline} than this machine.",
                hint="Bring the same version of Rerank Lab, and of the models, to all machines.",
            )


def fingerprints(pipeline: Pipeline, engine: Engine) -> list[str]:
    """Of every component and of fusions that were trained.

    "" stands for one that cannot be made here, which fails when it is run.
    """
    prints: list[str] = []
    for node, kind in pipeline.leaves:
        make: Callable[[Node], Component]
        make = engine.reranker if kind == "reranker" else engine.retriever
        try:
            prints.append(make(node).fingerprint())
        except LabError:
            prints.append("")
    for fusion in pipeline.fusions:
        try:
            prints += [one for one in [fusion.fingerprint()] if one]
        except LabError:
            prints.append("")
    return prints
