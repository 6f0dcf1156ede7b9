"""Bulk scoring as a use case: a file of pairs in, Parquet with their scores out.

Memory does not grow with the file. Pairs are scored in parts, and each finished part is written in
one step beside the result; who runs the same again after a kill scores only what is missing.
"""

from __future__ import annotations

import glob
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

from rerank_lab.components.base import digest
from rerank_lab.core.context import CancelToken, Context, Progress
from rerank_lab.core.errors import InvalidInput, LabError, StorageError
from rerank_lab.core.problems import Problem, ProblemLog, Severity
from rerank_lab.core.spec import Node, PipelineSpec
from rerank_lab.core.storage import disk_errors, file_lock
from rerank_lab.core.types import Document, Query, Ranking
from rerank_lab.jobs.keys import JobKey
from rerank_lab.jobs.table import Job
from rerank_lab.jobs.workers import InThisThread, Workers, answers
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.pipeline.reranking import Stages
from rerank_lab.rerankers.base import Reranker
from rerank_lab.services.access import Action, needs
from rerank_lab.services.pair_files import (
    Pair,
    batches,
    join_parts,
    pair_count,
    part_holds,
    read_pairs,
    write_part,
)
from rerank_lab.services.session import Bound, Session

PART_ROWS = 2048
"""Pairs of a part: what a kill can cost at most, and what is in memory at a time."""
QUERIES_AT_A_TIME = 8
"""Queries of a part that are on their way to a server together."""
_LOCK_S = 1.0


@dataclass(frozen=True, slots=True)
class ScorePairsRequest:
    """Score the pairs of a file by one reranker, and write the scores to another file.

    `columns` are (role, column) where the names of columns do not say what they hold. `replace`
    takes the place of a result that is there. `part_rows` pairs are kept at a time.
    """

    pairs: Path
    out: Path
    reranker: str
    columns: tuple[tuple[str, str], ...] = ()
    part_rows: int = PART_ROWS
    replace: bool = False

    @property
    def node(self) -> Node:
        """The canonical reranker. Raises InvalidInput for anything but one reranker."""
        nodes = Stages(self.reranker).spec.nodes
        if len(nodes) != 1 or nodes[0].sources:
            raise InvalidInput(
                f"Pairs are scored by one reranker, not by {self.reranker!r}.",
                hint="Name one that scores each document by itself, such as ms-marco-minilm-l12.",
            )
        return nodes[0]


@dataclass(frozen=True, slots=True)
class ScoredPairs:
    """What was written. `reused` pairs were scored by a run before; `blank` have no text."""

    out: Path
    reranker: str
    scale: str
    pairs: int
    reused: int
    blank: int
    left_out: int
    spent: float
    problems: tuple[Problem, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """The fields by name."""
        return {
            "written": str(self.out),
            "reranker": self.reranker,
            "scale": self.scale,
            "pairs": self.pairs,
            "reused": self.reused,
            "blank": self.blank,
            "left_out": self.left_out,
            "spent_usd": self.spent,
            "problems": [problem.to_json() for problem in self.problems],
        }


def run(
    request: ScorePairsRequest, ctx: Context, engine: Engine, workers: Workers | None = None
) -> ScoredPairs:
    """Score here and now.

    Args:
        request: What to score.
        ctx: Cancel, cache, spend limit.
        engine: Where the reranker comes from.
        workers: Who scores the parts; by default this thread. At most one part a worker is in
            memory, and one more.

    Raises:
        InvalidInput: The pairs, the reranker or the name of the result cannot be used.
        Cancelled, SpendLimit, BackendError: Finished parts are kept; the same request goes on.
        StorageError: Another process scores into the same file, or the disk does not allow it.
    """
    _check_out(request)
    reranker = _reranker_of(request, engine)
    reranker.prepare(ctx)
    total = pair_count(request.pairs)
    parts_folder = _parts_folder(request, reranker)
    with file_lock(parts_folder, timeout_s=_LOCK_S):
        log = ProblemLog()
        pairs = read_pairs(request.pairs, dict(request.columns), log)
        scoring = _Scoring(ctx, parts_folder, total, batches(pairs, request.part_rows))
        scoring.run(PairWork.of(reranker, str(request.node)), workers or InThisThread(), engine)
        if not scoring.parts:
            raise InvalidInput(
                f"{request.pairs.name} holds no pair.",
                hint="Give a row for each query and document.",
                problems=log.lines(),
            )
        ctx.report("writing", scoring.pairs, scoring.pairs)
        about = {"reranker": str(request.node), "scale": reranker.info.scale}
        join_parts(scoring.parts, request.out, about)
        shutil.rmtree(parts_folder, ignore_errors=True)
        _remove_abandoned(request.out)
    parts_folder.with_name(f"{parts_folder.name}.lock").unlink(missing_ok=True)
    return ScoredPairs(
        request.out,
        str(request.node),
        reranker.info.scale,
        scoring.pairs,
        scoring.reused,
        scoring.blank,
        log.count(Severity.ERROR),
        ctx.spend.spent,
        log.problems,
    )


@dataclass(frozen=True, slots=True)
class ScorePairsKey(JobKey[ScoredPairs]):
    """Scoring a file of pairs."""

    request: ScorePairsRequest
    session: Bound


@needs(Action.EDIT)
def start(request: ScorePairsRequest, session: Session) -> Job[ScoredPairs]:
    """The job of a request: the one at work already, else a new one.

    Raises:
        InvalidInput: As `run`, for what can be told before any work.
        NotAllowed: The visitor may run nothing that stays.
    """
    _check_out(request)
    reranker = _reranker_of(request, session.engine)
    pipelines = [Pipeline(PipelineSpec((Node("bm25"), request.node)))]
    key = ScorePairsKey(request, session.bound(pipelines))
    engine = session.engine
    return session.jobs.submit(
        key,
        lambda ctx: run(request, ctx, engine),
        lane=reranker.lane,
        name=f"Scoring {request.pairs.name}",
        ctx=session.context(pipelines),
        waiter=session.waiter,
        detached=True,
    )


@dataclass(frozen=True, slots=True)
class PartTask:
    """The pairs of a part, and the file that their scores go to."""

    path: Path
    pairs: Sequence[Pair]

    @property
    def documents(self) -> list[Document]:
        """The documents, named by their places in the part."""
        return [Document(str(i), p.document, p.title) for i, p in enumerate(self.pairs)]


@dataclass(frozen=True, slots=True)
class PairWork:
    """Scoring parts by one reranker.

    Attributes:
        reranker: its canonical spec.
        fingerprint: of the reranker, where the work was planned.
        local_models: as `Workload.local_models`.
    """

    reranker: str
    fingerprint: str
    local_models: bool

    @classmethod
    def of(cls, reranker: Reranker, spec: str) -> PairWork:
        """The work of a reranker that is prepared."""
        local = reranker.info.has_model and not reranker.calls_out
        return cls(spec, reranker.fingerprint(), local)

    def open(self, engine: Engine) -> Callable[[PartTask, Context], list[float | None]]:
        """As `Workload.open`.

        Raises:
            InvalidInput: this machine has another state of the model than the planner's has.
        """
        reranker = engine.reranker(Stages(self.reranker).spec.nodes[0])
        reranker.prepare(Context())
        if reranker.fingerprint() != self.fingerprint:
            raise InvalidInput(
                f"A worker has another state of {self.reranker} than this machine.",
                hint="Bring the same version of Rerank Lab, and of the model, to all machines.",
            )
        return lambda task, ctx: _scores(reranker, task, ctx)

    def failed(self, task: PartTask, error: LabError) -> list[float | None]:
        """Raises the error: a part without scores is not written."""
        raise error


def _scores(reranker: Reranker, task: PartTask, ctx: Context) -> list[float | None]:
    """Of shape `[n_pairs]`; the pairs of a query are scored together.

    Of a reranker that asks a server, `QUERIES_AT_A_TIME` are on their way together.
    """
    ctx.checkpoint()
    documents = task.documents
    by_query: dict[str, list[Document]] = defaultdict(list)
    for pair, document in zip(task.pairs, documents, strict=True):
        by_query[pair.query].append(document)
    scores: dict[str, float | None] = {}
    token = CancelToken(ctx.cancel)
    inner = replace(ctx, cancel=token)

    def ranked(text: str) -> Ranking:
        reporting = _under_progress(inner, len(scores), len(documents))
        within = reporting.for_remote_stage() if reranker.calls_out else reporting
        return reranker.rerank(Query.of(text), by_query[text], within).ranking

    with ThreadPoolExecutor(QUERIES_AT_A_TIME) as pool:
        try:
            rankings = pool.map(ranked, by_query) if reranker.calls_out else map(ranked, by_query)
            for ranking in rankings:
                scores |= zip(ranking.doc_ids, ranking.scores, strict=True)
        except BaseException:  # the other queries are of no use any more
            token.cancel()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [scores[document.id] for document in documents]


def _under_progress(ctx: Context, done: int, total: int) -> Context:
    """The context of one query, under the progress of its part."""

    def progress(now: Progress) -> None:
        ctx.report(now.message, done, total)

    return replace(ctx, progress=progress)


@dataclass(slots=True)
class _Scoring:
    """A run in progress."""

    ctx: Context
    folder: Path
    total: int
    batches: Iterator[list[Pair]]
    pairs: int = 0
    reused: int = 0
    blank: int = 0
    parts: list[Path] = field(default_factory=list)

    def run(self, work: PairWork, workers: Workers, engine: Engine) -> None:
        """Score every part that no earlier run has finished."""
        lots = (iter([task]) for task in self._tasks())
        head = next(lots, None)
        if head is None:
            return
        ctx = replace(self.ctx, progress=self._nested)
        with workers.pool(work, ctx, engine) as pool:
            for task, scores in answers(work, pool, chain([head], lots), self.ctx):
                write_part(task.path, task.pairs, scores)
                self._count(task)

    def _tasks(self) -> Iterator[PartTask]:
        """The parts that have to be scored; finished ones are taken over on the way."""
        for batch in self.batches:
            self.ctx.checkpoint()
            task = PartTask(self.folder / f"part-{len(self.parts):08d}.parquet", batch)
            self.parts.append(task.path)
            if part_holds(task.path, batch):
                self.reused += len(batch)
                self._count(task)
            else:
                yield task

    def _count(self, task: PartTask) -> None:
        self.blank += sum(document.blank for document in task.documents)
        self.pairs += len(task.pairs)
        self.ctx.report("scoring pairs", self.pairs, self.total)

    def _nested(self, now: Progress) -> None:
        """What happens in a part, under the progress of the whole."""
        self.ctx.report(f"scoring pairs: {now.message}", self.pairs + now.done, self.total)


def _reranker_of(request: ScorePairsRequest, engine: Engine) -> Reranker:
    """The reranker, which must score each document by itself and be able to run here."""
    reranker = engine.reranker(request.node)
    if not reranker.scores_alone:
        raise InvalidInput(
            f"{request.node} gives no score to a pair by itself: it looks at the candidates of a "
            "query together.",
            hint="Name a reranker that scores each document by itself, such as "
            "ms-marco-minilm-l12; use rerank-lab rank or evaluate for this one.",
        )
    for problem in reranker.problems():
        raise problem
    return reranker


def _check_out(request: ScorePairsRequest) -> None:
    """Raises InvalidInput for a result that could not be written in the end."""
    out = request.out
    if out.suffix != ".parquet":
        raise InvalidInput(
            f"The scores are written as Parquet, not to {out.name!r}.",
            hint="Let the name of the result end in .parquet.",
        )
    if out.is_dir() or (out.exists() and not request.replace):
        raise InvalidInput(f"{out} is there already.", hint="Name another file, or --replace it.")
    if not out.parent.is_dir():
        raise InvalidInput(f"There is no folder {out.parent}.", hint="Make it first.")
    with disk_errors(out):
        if request.pairs.exists() and out.exists() and out.samefile(request.pairs):
            raise InvalidInput(
                "The result would take the place of the pairs.", hint="Name another file."
            )


def _parts_folder(request: ScorePairsRequest, reranker: Reranker) -> Path:
    """Where the parts of this result lie: another one for another reranker or model."""
    identity = digest([str(request.node), reranker.fingerprint(), request.part_rows])
    return request.out.with_name(f".{request.out.name}.{identity[:12]}.parts")


def _remove_abandoned(out: Path) -> None:
    """Remove parts of this result that nobody is at work on: of another model, or of earlier pairs.

    Call it when the result is there.
    """
    for folder in out.parent.glob(f".{glob.escape(out.name)}.*.parts"):
        with suppress(StorageError), file_lock(folder, timeout_s=0.0):
            shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            folder.with_name(f"{folder.name}.lock").unlink(missing_ok=True)
