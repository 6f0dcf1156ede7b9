"""Plan an experiment, run it cell by cell, resume it.

Cells are run query by query, all pipelines of a query one after the other, so that pipelines with a
common beginning share its work.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from itertools import chain

from rerank_lab.components.aliases import first_spec
from rerank_lab.core.context import Context, Progress
from rerank_lab.core.errors import InvalidInput, LabError, StorageError
from rerank_lab.core.judgment_basis import JudgmentBasis
from rerank_lab.core.spec import Node, PipelineSpec
from rerank_lab.core.types import Qrels, Query, Trace
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.evaluation.experiments.cell_work import (
    AnsweredCell,
    CellTask,
    CellWork,
    OnPipeline,
    fingerprints,
)
from rerank_lab.evaluation.experiments.cells import Cell, Design
from rerank_lab.evaluation.experiments.environment import (
    Environment,
    environment_now,
    served_models,
)
from rerank_lab.evaluation.experiments.evaluation import Evaluation, score
from rerank_lab.evaluation.experiments.giving_up import GivingUp
from rerank_lab.evaluation.experiments.store import CellKey, CellWriter, ExperimentRecord
from rerank_lab.evaluation.measure_names import check_grades, parse_measures
from rerank_lab.evaluation.measures import DEFAULT_MEASURES
from rerank_lab.jobs.workers import InThisThread, Workers, answers
from rerank_lab.pipeline.engine import Engine, default_engine
from rerank_lab.pipeline.pipeline import Pipeline, pipelines

OnCell = Callable[[Cell], None]
_LOOK_S = 0.05
"""So often, at most, a run looks for what other processes have answered."""
_TOGETHER_S = 0.02
"""Answers that are made within this time are written together."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """A design and the corpus to run it on."""

    corpus: Corpus
    design: Design

    @property
    def id(self) -> str:
        """The same for the same documents, queries and pipelines, whichever process asks.

        With labels of the lab, they and their policy belong to it as well.
        """
        return self.design.id


def plan(
    corpus: Corpus,
    specs: Sequence[str | Node | PipelineSpec | Pipeline],
    *,
    queries: Sequence[Query] | None = None,
    qrels: Qrels | None = None,
    measures: Sequence[str] | None = None,
    engine: Engine | None = None,
) -> Experiment:
    """Check everything and name the experiment, without any work.

    Queries and judgments default to those of the corpus. Where there are judgments, judged queries
    are asked and the others left out. Raises InvalidInput.
    """
    judged = dict(corpus.qrels if qrels is None else qrels)
    basis = corpus.basis
    if qrels is not None or not basis.with_labels:
        basis = JudgmentBasis(own=sum(map(len, judged.values())))
    all_queries = corpus.queries if queries is None else tuple(queries)
    judged_queries = asked_queries(all_queries, judged)
    if not judged_queries:
        raise InvalidInput(
            f"There is no query to ask of {corpus.name!r}.",
            hint="Give a query file, or choose a corpus that has queries.",
        )
    if not specs:
        raise InvalidInput("No pipeline is given.", hint='Give at least one, such as "bm25".')
    names = tuple(measures or DEFAULT_MEASURES)
    check_grades(
        {query.id: judged.get(query.id, {}) for query in judged_queries}, parse_measures(names)
    )
    parsed = list(dict.fromkeys(pipelines([str(spec) for spec in specs])))
    with_text = {query.id for query in (*corpus.queries, *all_queries)}
    asked_qrels = {query.id: judged[query.id] for query in judged_queries if judged.get(query.id)}
    parts = _answer_parts(corpus, judged_queries, parsed, engine or default_engine())
    design = Design(
        id=_identity([*parts, *_label_parts(basis, asked_qrels)]),
        corpus=corpus.name,
        corpus_hash=corpus.content_hash,
        pipelines=tuple(map(str, parsed)),
        queries=judged_queries,
        qrels=asked_qrels,
        measures=tuple(dict.fromkeys(name.strip() for name in names)),
        unasked=tuple(q for q, grades in judged.items() if grades and q not in with_text),
        created_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        basis=basis,
    )
    return Experiment(corpus, design)


def asked_queries(queries: Iterable[Query], qrels: Qrels) -> tuple[Query, ...]:
    """The judged queries; all of them when none is judged. An id given twice is an error."""
    every = tuple(queries)
    ids = [query.id for query in every]
    if len(set(ids)) < len(ids):
        twice = next(one for one in ids if ids.count(one) > 1)
        raise InvalidInput(
            f"The query id {twice!r} is given more than once.",
            hint="Give each query an id of its own.",
        )
    return tuple(query for query in every if qrels.get(query.id)) or every


def evaluate(
    corpus: Corpus,
    specs: Sequence[str | Node | PipelineSpec | Pipeline],
    *,
    queries: Sequence[Query] | None = None,
    qrels: Qrels | None = None,
    measures: Sequence[str] | None = None,
    ctx: Context | None = None,
) -> Evaluation:
    """Plan and run in one step, with the engine of this process."""
    return run(plan(corpus, specs, queries=queries, qrels=qrels, measures=measures), ctx)


def run(
    experiment: Experiment,
    ctx: Context | None = None,
    engine: Engine | None = None,
    on_cell: OnCell | None = None,
    *,
    must_keep: bool = False,
    turn: OnPipeline = lambda _: nullcontext(),
    workers: Workers | None = None,
) -> Evaluation:
    """Run every cell that has no answer yet, keeping each as it finishes.

    A context without a score cache measures everything afresh and takes over no earlier cell. A
    failing pipeline fails alone.

    Args:
        must_keep: raise StorageError when results cannot be kept; by default the run goes on
            without keeping them, and `Evaluation.unkept` says why.
        turn: entered for each cell that is run in this process, for who must share this machine
            with others.
        workers: who runs the cells; by default this thread. Rankings are the same whoever it is,
            times are those of where the cells were run.

    Raises:
        Cancelled, DeadlineExceeded: cells run by then are kept, and running the same plan again
            goes on from there.
    """
    engine = engine or default_engine()
    ctx = engine.context(ctx)
    record = _Kept(ExperimentRecord(experiment.id, engine.home), must_keep, on_cell)
    design = record.open(experiment.design)
    work = _Work(Experiment(experiment.corpus, design), engine, ctx, record, turn)
    ran: list[Trace] = []
    try:
        for answer in work.answers(workers or InThisThread()):
            cell = answer.cell
            if not ran:
                record.note(_environment(experiment, engine, [cell.trace]))
            ran.append(cell.trace)
            record.add(cell, answer.seconds)
            ctx.report("evaluating", len(work.cells), design.size)
    finally:
        record.flush()
    if ran:
        alone = len(ran) == design.size
        record.note(_environment(experiment, engine, ran), alone=alone)
    in_order = (work.cells.get((q.id, spec)) for q in design.queries for spec in design.pipelines)
    cells = [cell for cell in in_order if cell is not None]
    return replace(score(design, cells), unkept=record.problem)


def _environment(experiment: Experiment, engine: Engine, traces: Sequence[Trace]) -> Environment:
    """Where these answers came from."""
    design = experiment.design
    of_corpus = all(
        dict(experiment.corpus.qrels.get(query.id, {})) == dict(design.qrels.get(query.id, {}))
        for query in design.queries
    )
    return replace(environment_now(design, engine, of_corpus), served=served_models(traces))


@dataclass(slots=True)
class _Kept:
    """Keeps cells in their record; after the first failure it stops trying, unless `must_keep`.

    Quick answers are written together, `_TOGETHER_S` of them at a time; nothing waits while an
    answer is made that may take longer. `on_cell` hears of a cell when it is written.
    """

    record: ExperimentRecord
    must_keep: bool
    on_cell: OnCell | None = None
    problem: str = ""
    _design: Design | None = None
    _writer: CellWriter | None = None
    _changes: int = 0
    _looked_at: float = -math.inf
    _waiting: list[Cell] = field(default_factory=list)
    _written_at: float = -math.inf
    _seconds: dict[str, float] = field(default_factory=dict)

    def open(self, design: Design) -> Design:
        try:
            self._design = self.record.open(design)
            self._writer = self.record.writer(self._design)
        except LabError as error:
            self._failed(error)
            return design
        return self._design

    @contextmanager
    def turn(self) -> Iterator[bool]:
        """As `ExperimentRecord.turn`; whoever keeps nothing is alone."""
        if self.problem:
            yield True
            return
        with self.record.turn() as first:
            yield first

    def answered_since(self) -> dict[CellKey, Cell]:
        """Cells that were answered since it was called last, by whatever process."""
        if self.problem or self._design is None or time.monotonic() < self._looked_at + _LOOK_S:
            return {}
        self._looked_at = time.monotonic()
        try:
            if self.record.state().changes == self._changes:
                return {}
            cells, self._changes = self.record.cells_since(self._design, self._changes)
        except StorageError as error:
            self._failed(error)
            return {}
        return {key: one for key, one in cells.items() if one.answered}

    def note(self, environment: Environment, *, alone: bool = False) -> None:
        """Keep where answers come from now."""
        if self.problem:
            return
        try:
            self.record.add_environment(environment, alone=alone)
        except StorageError as error:
            self._failed(error)

    def before(self, spec: str) -> None:
        """An answer of this pipeline is about to be made."""
        if self._waiting and self._seconds.get(spec, math.inf) > _TOGETHER_S:
            self.flush()

    def add(self, cell: Cell, seconds: float) -> None:
        """Keep the answer that was made, in so many seconds."""
        now = time.monotonic()
        self._seconds[cell.pipeline] = seconds
        self._waiting.append(cell)
        if now >= self._written_at + _TOGETHER_S:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        cells, self._waiting = self._waiting, []
        if not cells:
            return
        if not self.problem and self._writer is not None:
            try:
                changes = self._writer.add_all(cells)
            except StorageError as error:
                self._failed(error)
            else:
                if changes == self._changes + len(cells):  # nobody else wrote in between
                    self._changes = changes
        self._written_at = time.monotonic()
        if self.on_cell is not None:
            for cell in cells:
                self.on_cell(cell)

    def _failed(self, error: LabError) -> None:
        if self.must_keep:
            raise error
        self.problem = error.message


@dataclass(slots=True)
class _Work:
    """A run in progress: the cells so far, and which pipelines were given up."""

    experiment: Experiment
    engine: Engine
    ctx: Context
    record: _Kept
    turn: OnPipeline
    cells: dict[CellKey, Cell] = field(default_factory=dict)
    giving_up: GivingUp = field(default_factory=GivingUp)

    def answers(self, workers: Workers) -> Iterator[AnsweredCell]:
        """Every cell that has no answer yet, once it has been run or its pipeline given up."""
        ctx = replace(self.ctx, progress=self._nested)
        work = CellWork.of(self.experiment.corpus, self.experiment.design, self.engine, self.turn)
        with self.record.turn() as first:
            lots = self._lots(first)
            head = next(lots, None)
            if head is None:
                return
            with workers.pool(work, ctx, self.engine) as pool:
                for task, answer in answers(work, pool, chain([head], lots), self.ctx):
                    yield from self._taken(self.giving_up.answered(task.place, answer))
        yield from self._taken(self.giving_up.rest())

    def _taken(self, answered: Iterable[AnsweredCell]) -> Iterator[AnsweredCell]:
        for one in answered:
            self.cells[one.cell.query_id, one.cell.pipeline] = one.cell
            yield one

    def _lots(self, first: bool) -> Iterator[Iterator[CellTask]]:
        """The cells of each query; queries without an open one are left out."""
        queries = self.experiment.design.queries
        # Two processes meet in the middle, and take over what the other has answered.
        for place, query in enumerate(queries if first else queries[::-1]):
            self.giving_up.turn(place, self.experiment.design.pipelines)
            tasks = self._tasks(place, query)
            task = next(tasks, None)
            if task is not None:
                yield chain([task], tasks)

    def _tasks(self, place: int, query: Query) -> Iterator[CellTask]:
        for number, spec in enumerate(self.experiment.design.pipelines):
            if self.ctx.cache is not None:
                self._take_over()
            if (query.id, spec) in self.cells:
                self.giving_up.taken_over(place, spec)
            elif not self.giving_up.skips(place, query, spec):
                self.record.before(spec)
                yield CellTask(place, query, number)

    def _take_over(self) -> None:
        """Cells that have been answered by other processes, or by earlier runs."""
        answered = self.record.answered_since()
        self.cells |= answered
        self.giving_up.working(spec for _, spec in answered)

    def _nested(self, now: Progress) -> None:
        """What a stage reports, under the progress of the whole."""
        done, total = len(self.cells), self.experiment.design.size
        inside = f" {now.done:,} of {now.total:,}" if now.total > 1 else ""
        self.ctx.report(f"evaluating ({now.message}{inside})", done, total)


def _identity(parts: Sequence[object]) -> str:
    digest = hashlib.sha256(json.dumps(parts, ensure_ascii=True).encode())
    return digest.hexdigest()[:20]


def _label_parts(basis: JudgmentBasis, qrels: Qrels) -> list[object]:
    """What tells evaluations by labels of the lab apart; nothing for the corpus' own judgments."""
    if not basis.with_labels:
        return []
    grades = sorted((q, sorted(of_query.items())) for q, of_query in qrels.items())
    return [[basis.source, basis.winner, basis.policy, *sorted(basis.llm_judges)], grades]


def _answer_parts(
    corpus: Corpus, queries: Sequence[Query], parsed: Sequence[Pipeline], engine: Engine
) -> list[object]:
    """What answers depend on: documents, queries, and pipelines with their models."""
    return [
        corpus.content_hash,
        [(query.id, query.text, *sorted(query.excluded)) for query in queries],
        [(first_spec(pipeline.spec), fingerprints(pipeline, engine)) for pipeline in parsed],
    ]
