"""Bulk scoring as a use case: a file of pairs in, Parquet with their scores out.

Memory does not grow with the file. Pairs are scored in parts, and each finished part is written in
one step beside the result; who runs the same again after a kill scores only what is missing.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rerank_lab.components.base import digest
from rerank_lab.core.context import Context, Progress
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.problems import Problem, ProblemLog, Severity
from rerank_lab.core.spec import Node, PipelineSpec
from rerank_lab.core.storage import disk_errors, file_lock
from rerank_lab.core.types import Document, Query
from rerank_lab.jobs.keys import JobKey
from rerank_lab.jobs.table import Job
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.pipeline.reranking import Stages
from rerank_lab.rerankers.base import PointwiseReranker
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


def run(request: ScorePairsRequest, ctx: Context, engine: Engine) -> ScoredPairs:
    """Score here and now.

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
        scoring = _Scoring(reranker, ctx, parts_folder, total)
        log = ProblemLog()
        pairs = read_pairs(request.pairs, dict(request.columns), log)
        for batch in batches(pairs, request.part_rows):
            scoring.add(batch)
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


@dataclass(slots=True)
class _Scoring:
    """A run in progress."""

    reranker: PointwiseReranker
    ctx: Context
    folder: Path
    total: int
    pairs: int = 0
    reused: int = 0
    blank: int = 0
    parts: list[Path] = field(default_factory=list)

    def add(self, batch: Sequence[Pair]) -> None:
        """Score a part, or take over the finished one of an earlier run."""
        self.ctx.checkpoint()
        path = self.folder / f"part-{len(self.parts):08d}.parquet"
        documents = [Document(str(i), p.document, p.title) for i, p in enumerate(batch)]
        self.blank += sum(document.blank for document in documents)
        if part_holds(path, batch):
            self.reused += len(batch)
        else:
            write_part(path, batch, self._scores(batch, documents))
        self.parts.append(path)
        self.pairs += len(batch)
        self.ctx.report("scoring pairs", self.pairs, self.total)

    def _scores(self, batch: Sequence[Pair], documents: Sequence[Document]) -> list[float | None]:
        """Of shape `[n_pairs]`; the pairs of a query are scored together."""
        by_query: dict[str, list[Document]] = defaultdict(list)
        for pair, document in zip(batch, documents, strict=True):
            by_query[pair.query].append(document)
        scores: dict[str, float | None] = {}
        for text, of_query in by_query.items():
            reporting = _under_progress(self.ctx, self.pairs + len(scores), self.total)
            ctx = reporting.for_remote_stage() if self.reranker.calls_out else reporting
            ranking = self.reranker.rerank(Query.of(text), of_query, ctx).ranking
            scores |= zip(ranking.doc_ids, ranking.scores, strict=True)
        return [scores[document.id] for document in documents]


def _under_progress(ctx: Context, done: int, total: int) -> Context:
    """The context of one query, under the progress of the whole."""

    def progress(now: Progress) -> None:
        ctx.report(f"scoring pairs: {now.message}", done, total)

    return replace(ctx, progress=progress)


def _reranker_of(request: ScorePairsRequest, engine: Engine) -> PointwiseReranker:
    """The reranker, which must score each document by itself and be able to run here."""
    reranker = engine.reranker(request.node)
    if not isinstance(reranker, PointwiseReranker):
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


def _parts_folder(request: ScorePairsRequest, reranker: PointwiseReranker) -> Path:
    """Where the parts of this result lie: another one for another reranker or model."""
    identity = digest([str(request.node), reranker.fingerprint(), request.part_rows])
    return request.out.with_name(f".{request.out.name}.{identity[:12]}.parts")
