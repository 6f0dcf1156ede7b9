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
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace

from rerank_lab.components.aliases import first_spec
from rerank_lab.core.context import Context, Progress
from rerank_lab.core.errors import (
    BackendError,
    Cancelled,
    InvalidInput,
    LabError,
    MissingExtra,
    MissingKey,
    ModelUnavailable,
    SpendLimit,
    StorageError,
)
from rerank_lab.core.judgment_basis import JudgmentBasis
from rerank_lab.core.spec import Node, PipelineSpec
from rerank_lab.core.types import Qrels, Query, Status, Trace
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.evaluation.experiments.cells import Cell, Design, Failure
from rerank_lab.evaluation.experiments.environment import (
    Environment,
    environment_now,
    served_models,
)
from rerank_lab.evaluation.experiments.evaluation import Evaluation, score
from rerank_lab.evaluation.experiments.store import CellKey, CellWriter, ExperimentRecord
from rerank_lab.evaluation.measure_names import check_grades, parse_measures
from rerank_lab.evaluation.measures import DEFAULT_MEASURES
from rerank_lab.pipeline.engine import Engine, default_engine
from rerank_lab.pipeline.pipeline import Pipeline, pipelines
from rerank_lab.rerankers.base import Reranker
from rerank_lab.retrievers.base import Retriever

OnCell = Callable[[Cell], None]
OnPipeline = Callable[[Pipeline], AbstractContextManager[None]]
_HOPELESS = (MissingExtra, MissingKey, ModelUnavailable, SpendLimit)
"""Errors that the next query would meet as well."""
_LOOK_S = 0.05
"""So often, at most, a run looks for what other processes have answered."""
_TOGETHER_S = 0.02
"""Answers that are made within this time are written together."""
_SAME_FAILURES = 3
"""A pipeline whose first so many queries fail alike, and not for a passing reason, is given up."""


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
) -> Evaluation:
    """Run every cell that has no answer yet, keeping each as it finishes.

    A context without a score cache measures everything afresh and takes over no earlier cell. A
    failing pipeline fails alone.

    Args:
        must_keep: raise StorageError when results cannot be kept; by default the run goes on
            without keeping them, and `Evaluation.unkept` says why.
        turn: entered for each cell that is run, for who must share this machine with others.

    Raises:
        Cancelled, DeadlineExceeded: cells run by then are kept, and running the same plan again
            goes on from there.
    """
    engine = engine or default_engine()
    ctx = engine.context(ctx)
    record = _Kept(ExperimentRecord(experiment.id, engine.home), must_keep, on_cell)
    design = record.open(experiment.design)
    work = _Work(Experiment(experiment.corpus, design), engine, ctx)
    ran: list[Trace] = []
    try:
        for cell in _ran(work, record, turn):
            if not ran:
                record.note(_environment(experiment, engine, [cell.trace]))
            ran.append(cell.trace)
            record.add(cell)
            ctx.report("evaluating", len(work.cells), design.size)
    finally:
        record.flush()
    if ran:
        alone = len(ran) == design.size
        record.note(_environment(experiment, engine, ran), alone=alone)
    in_order = (work.cells.get((q.id, spec)) for q in design.queries for spec in design.pipelines)
    cells = [cell for cell in in_order if cell is not None]
    return replace(score(design, cells), unkept=record.problem)


def _ran(work: _Work, record: _Kept, turn: OnPipeline) -> Iterator[Cell]:
    """Every cell that has no answer yet, once it has been run."""
    design = work.experiment.design
    with record.turn() as first:
        parsed = [(spec, Pipeline(spec)) for spec in design.pipelines]
        # Two processes meet in the middle, and take over what the other has answered.
        for query in design.queries if first else design.queries[::-1]:
            for spec, pipeline in parsed:
                if work.ctx.cache is not None:
                    work.cells |= record.answered_since()
                if (query.id, spec) not in work.cells:
                    record.before(spec)
                    with turn(pipeline):
                        cell = work.cell(query, pipeline)
                    yield cell


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
    _began_at: float = 0.0
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
        self._began_at = time.monotonic()

    def add(self, cell: Cell) -> None:
        """Keep the answer that was made."""
        now = time.monotonic()
        self._seconds[cell.pipeline] = now - self._began_at
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
    cells: dict[CellKey, Cell] = field(default_factory=dict)
    given_up: dict[str, Failure] = field(default_factory=dict)
    failures: dict[str, list[Failure]] = field(default_factory=dict)

    def cell(self, query: Query, pipeline: Pipeline) -> Cell:
        spec = str(pipeline)
        self.ctx.checkpoint()
        if spec in self.given_up:
            cell = Cell(query.id, spec, Status.SKIPPED, failure=self.given_up[spec])
        else:
            cell = self._asked(query, pipeline)
        self.cells[query.id, spec] = cell
        return cell

    def _asked(self, query: Query, pipeline: Pipeline) -> Cell:
        ctx = replace(self.ctx, progress=self._nested)
        result = pipeline.run(query, self.experiment.corpus, ctx, self.engine)
        if result.status is Status.CANCELLED:
            raise Cancelled("Cancelled.", hint="Run it again to go on from here.")
        cell = Cell.of(result)
        self._watch(cell, result.error)
        return cell

    def _watch(self, cell: Cell, error: LabError | None) -> None:
        """Give a pipeline up when every further query would fail as this one did."""
        if error is None or cell.failure is None:
            self.failures[cell.pipeline] = []
            return
        if isinstance(error, _HOPELESS):
            self.given_up[cell.pipeline] = cell.failure
        elif not (isinstance(error, BackendError) and error.retryable):
            alike = self.failures.setdefault(cell.pipeline, [])
            alike.append(cell.failure)
            only = sum(spec == cell.pipeline for _, spec in self.cells) + 1 == len(alike)
            if only and len(alike) >= _SAME_FAILURES and len(set(alike)) == 1:
                self.given_up[cell.pipeline] = cell.failure

    def _nested(self, now: Progress) -> None:
        """What a stage reports, under the progress of the whole."""
        done, total = len(self.cells), self.experiment.design.size
        self.ctx.report(f"evaluating: {now.message}", done, total)


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
        [(first_spec(pipeline.spec), _fingerprints(pipeline, engine)) for pipeline in parsed],
    ]


def _fingerprints(pipeline: Pipeline, engine: Engine) -> list[str]:
    """Of every component and of fusions that were trained.

    "" stands for one that cannot be made here, which fails when it is run.
    """
    fingerprints: list[str] = []
    for node, kind in pipeline.leaves:
        make: Callable[[Node], Retriever | Reranker]
        make = engine.reranker if kind == "reranker" else engine.retriever
        try:
            fingerprints.append(make(node).fingerprint())
        except LabError:
            fingerprints.append("")
    for fusion in pipeline.fusions:
        try:
            fingerprints += [one for one in [fusion.fingerprint()] if one]
        except LabError:
            fingerprints.append("")
    return fingerprints
