"""A pipeline: a first stage (or a fusion of several) followed by rerankers.

    Pipeline("rrf(bm25,dense) >> ms-marco-minilm-l12(top=50)").run("what is a heat pump?", corpus)

Pipelines that share a prefix share its result: each (corpus, query, prefix) is computed once.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from rerank_lab.components.base import Kind
from rerank_lab.components.registry import expand, fusions, leaves, resolve, source_kind
from rerank_lab.core.context import Context
from rerank_lab.core.errors import Cancelled, InvalidInput, LabError
from rerank_lab.core.spec import Node, PipelineSpec, parse
from rerank_lab.core.types import Query, Ranking, Status, Trace
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.fusion.base import Candidates, Fusion
from rerank_lab.pipeline.engine import Engine, default_engine, lab_errors
from rerank_lab.pipeline.resolution import STAGE_DEPTH, cut, deepened, fusion_of
from rerank_lab.rerankers.base import Reranked, Reranker, Work, blank_warning
from rerank_lab.retrievers.base import Retriever


@dataclass(frozen=True, slots=True)
class StageResult:
    """One stage of one query: its ranking when it has one, else the error that says why not.

    `reused` means that the result is an earlier one, with the times measured then. `parts` holds
    the sources of a fusion. Rankings here speak of the corpus' own units (passages when cut).
    """

    node: Node
    status: Status
    trace: Trace = field(default_factory=Trace)
    ranking: Ranking | None = None
    error: LabError | None = None
    reused: bool = False
    parts: tuple[StageResult, ...] = ()


@dataclass(frozen=True, slots=True)
class StageStarted:
    index: int
    node: Node


@dataclass(frozen=True, slots=True)
class StageDone:
    index: int
    result: StageResult


@dataclass(frozen=True, slots=True)
class StageFailed:
    index: int
    result: StageResult


Event = StageStarted | StageDone | StageFailed


@dataclass(frozen=True, slots=True)
class Result:
    """What a pipeline made of a query.

    `ranking` is the last stage's, folded to documents (None when a stage failed); `passages` maps
    each document to the passage that earned its place, and is empty when nothing was cut.
    """

    spec: str
    query: Query
    stages: tuple[StageResult, ...]
    ranking: Ranking | None
    passages: dict[str, str] = field(default_factory=dict)

    @property
    def status(self) -> Status:
        """The gravest status among the stages; cached only when every model stage was."""
        return _gravest(self.stages)

    @property
    def trace(self) -> Trace:
        return sum((stage.trace for stage in self.stages), Trace())

    @property
    def reused(self) -> bool:
        return all(stage.reused for stage in self.stages)

    @property
    def error(self) -> LabError | None:
        return next((stage.error for stage in self.stages if stage.error), None)


_GRAVEST_FIRST = (
    Status.CANCELLED,
    Status.FAILED,
    Status.SKIPPED,
    Status.FALLBACK,
    Status.REPAIRED,
    Status.TRUNCATED,
)


def _gravest(stages: Sequence[StageResult]) -> Status:
    found = {stage.status for stage in stages}
    for status in _GRAVEST_FIRST:
        if status in found:
            return status
    return Status.CACHED if stages[-1].status is Status.CACHED else Status.OK


class Pipeline:
    """A checked, canonical pipeline. Equal specs make equal pipelines; `str()` gives the spec."""

    def __init__(self, spec: str | Node | PipelineSpec) -> None:
        self.spec = resolve(spec)

    def __str__(self) -> str:
        return str(self.spec)

    def __repr__(self) -> str:
        return f"Pipeline({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pipeline) and self.spec == other.spec

    def __hash__(self) -> int:
        return hash(self.spec)

    def __rshift__(self, other: str | Node | PipelineSpec) -> Pipeline:
        """Add stages: `Pipeline("bm25") >> "ms-marco-minilm-l12"`."""
        return Pipeline(self.spec >> (parse(other) if isinstance(other, str) else other))

    def at_depth(self, depth: int) -> Pipeline:
        """With `depth` candidates wherever a first stage or fusion does not say its own number."""
        return Pipeline(PipelineSpec((deepened(self.spec.source, depth), *self.spec.stages)))

    @property
    def lane(self) -> str:
        """The kind of resource it occupies: light (retrieval only), cpu, gpu or network."""
        if not self.spec.stages:
            return "light"
        inside = [leaf for node in self.spec.stages for leaf in leaves(node, "reranker")]
        expanded = [expand(*leaf) for leaf in inside]
        lanes = {component.lane_of(options) for component, options in expanded}
        return "cpu" if "cpu" in lanes else sorted(lanes)[0]

    def check(self, corpus: Corpus | None = None, engine: Engine | None = None) -> list[LabError]:
        """Everything that would stop it from running here, found without doing any work."""
        engine = engine or default_engine()
        problems: list[LabError] = []
        for node, kind in self.leaves:
            try:
                if kind == "reranker":
                    problems += engine.reranker(node).problems()
                else:
                    problems += engine.retriever(node).problems(corpus)
            except LabError as error:
                problems.append(error)
        for fusion in self.fusions:
            problems += fusion.problems()
        return problems

    @property
    def fusions(self) -> list[Fusion]:
        """Its fusions in order, outermost first."""
        return [fusion_of(node) for one in self.spec.nodes for node in fusions(one)]

    @property
    def leaves(self) -> list[tuple[Node, Kind]]:
        """Its components in order, fusions opened, each with what it is used as."""
        found = leaves(self.spec.source, "retriever")
        return found + [leaf for node in self.spec.stages for leaf in leaves(node, "reranker")]

    def events(
        self,
        query: Query | str,
        corpus: Corpus,
        ctx: Context | None = None,
        engine: Engine | None = None,
    ) -> Iterator[Event]:
        """Run stage by stage. A failed stage ends the pipeline; the stages after it are skipped."""
        engine = engine or default_engine()
        asked = Query.of(query) if isinstance(query, str) else query
        job = _Job(asked, corpus, engine.context(ctx), engine)
        before: Ranking | None = None
        failed = False
        key = job.start
        for index, node in enumerate(self.spec.nodes):
            if failed:
                yield StageFailed(index, StageResult(node, Status.SKIPPED))
                continue
            yield StageStarted(index, node)
            result, key = job.stage(node, before, key)
            before, failed = result.ranking, result.ranking is None
            yield StageFailed(index, result) if failed else StageDone(index, result)

    def run(
        self,
        query: Query | str,
        corpus: Corpus,
        ctx: Context | None = None,
        engine: Engine | None = None,
    ) -> Result:
        """Drain `events`. Never raises for a failed stage: see `Result.status` and `.error`."""
        asked = Query.of(query) if isinstance(query, str) else query
        done = [
            event.result
            for event in self.events(asked, corpus, ctx, engine)
            if not isinstance(event, StageStarted)
        ]
        return result_of(str(self), asked, done, corpus)

    def candidates(self, query: Query, corpus: Corpus, ctx: Context, engine: Engine) -> Candidates:
        """What its last stage, a fusion, works on for this query; that stage is not run.

        Raises the LabError of the stage or source that failed.
        """
        job = _Job(query, corpus, ctx, engine)
        before, key = Ranking.from_order(query.id, ()), job.start
        for place, node in enumerate(self.spec.nodes[:-1]):
            result, key = job.stage(node, before if place else None, key)
            before = _ranking_of(result)
        node = self.spec.nodes[-1]
        head, tail, _ = job.split(node, before)
        return job.candidates(node, head, _below(key, head, tail))[0]


def result_of(spec: str, query: Query, stages: Sequence[StageResult], corpus: Corpus) -> Result:
    """Collect stage results into a Result, folding passages to their documents."""
    last = stages[-1].ranking
    if last is None or not corpus.parent_of:
        return Result(spec, query, tuple(stages), last)
    folded, passages = last.folded(corpus.parent_of)
    return Result(spec, query, tuple(stages), folded, passages)


CANDIDATES = Node("candidates")
EXCLUDED = "documents that this query excludes, such as itself, were left out"
"""What a first stage says that left out `Query.excluded`."""
"""What stands for the first stage where the candidates are given."""


def rerank_candidates(
    nodes: Sequence[Node], query: Query, corpus: Corpus, ctx: Context, engine: Engine
) -> list[StageResult]:
    """Reranking stages alone; the corpus' documents, in their order, are the candidates.

    The first result stands for the candidates. Whole stages are not kept for a next time: a
    document's text says nothing of its metadata, which some rerankers read.
    """
    job = _Job(query, corpus, ctx, engine, kept=False)
    before: Ranking | None = Ranking.from_order(query.id, [doc.id for doc in corpus.documents])
    done = [StageResult(CANDIDATES, Status.OK, ranking=before)]
    for node in nodes:
        if before is None:
            done.append(StageResult(node, Status.SKIPPED))
            continue
        done.append(job.stage(node, before, job.start)[0])
        before = done[-1].ranking
    return done


@dataclass(slots=True)
class _Job:
    """One query on its way through one pipeline. `kept`: stage results are kept and reused."""

    query: Query
    corpus: Corpus
    ctx: Context
    engine: Engine
    kept: bool = True

    @property
    def start(self) -> str:
        """The key that every prefix begins with."""
        excluded = sorted(self.query.excluded)
        return "\x00".join((self.corpus.content_hash, self.query.id, self.query.text, *excluded))

    @property
    def excluded(self) -> set[str]:
        """The documents, or all their passages, that this query must not find."""
        passages = {
            d for d, parent in self.corpus.parent_of.items() if parent in self.query.excluded
        }
        return passages | (self.query.excluded & self.corpus.by_id.keys())

    def stage(self, node: Node, before: Ranking | None, key: str) -> tuple[StageResult, str]:
        """The stage's result and the key of the prefix that ends with it."""
        prefix = key
        try:
            with lab_errors(f"The stage {node}"):
                self.ctx.checkpoint()
                key = self._key(key, node, before is None)
                recording = self.ctx.recording
                whole = recording is not None and recording.whole
                if not self.kept or self.ctx.cache is None or whole:
                    return self._compute(node, before, prefix), key
                found, reused = self.engine.results.get(
                    key, lambda: self._compute(node, before, prefix), self.ctx
                )
        except LabError as error:
            status = Status.CANCELLED if isinstance(error, Cancelled) else Status.FAILED
            return StageResult(node, status, error=error), key
        return (replace(found, reused=True) if reused else found), key

    def _key(self, key: str, node: Node, first: bool) -> str:
        components: list[Retriever | Reranker] = []
        for leaf, kind in leaves(node, "retriever" if first else "reranker"):
            one = self.engine.reranker if kind == "reranker" else self.engine.retriever
            components.append(one(leaf))
        for component in components:
            component.prepare(self.ctx)
        parts = [component.fingerprint() for component in components]
        parts += [fusion_of(fusion).fingerprint() for fusion in fusions(node)]
        return hashlib.sha256("\x00".join([key, str(node), *parts]).encode()).hexdigest()

    def _compute(self, node: Node, before: Ranking | None, prefix: str) -> StageResult:
        if before is None:
            return self._fuse(node) if node.sources else self._retrieve(node)
        return (
            self._fuse_stage(node, before, prefix) if node.sources else self._rerank(node, before)
        )

    def _retrieve(self, node: Node) -> StageResult:
        retriever, opening = self.engine.opened(node, self.corpus, self.ctx)
        depth = int(expand(node, "retriever")[1].get("k", retriever.depth))
        excluded = self.excluded if self.query.excluded else set()
        found = retriever.search(self.query, depth + len(excluded), self.ctx)
        ranking, trace = found.ranking, opening + found.trace
        if excluded:
            if not excluded.isdisjoint(ranking.doc_ids):
                trace += Trace(warnings=(EXCLUDED,))
            ranking = ranking.without(excluded).top(depth)
        return StageResult(node, Status.OK, trace, ranking)

    def _fuse(self, node: Node) -> StageResult:
        asked = (self.stage(source, None, self.start)[0] for source in node.sources)
        parts, rankings = zip(*((part, _ranking_of(part)) for part in asked), strict=True)
        start = time.perf_counter()
        ranking = fusion_of(node).fuse(rankings)
        own = Trace(compute_s=time.perf_counter() - start)
        trace = sum((part.trace for part in parts), own)
        return StageResult(node, Status.OK, trace, ranking, parts=parts)

    def split(
        self, node: Node, before: Ranking
    ) -> tuple[Ranking, tuple[str, ...], tuple[str, ...]]:
        """The candidates that a stage reranks, the ids below them, and those without text.

        The last come after all others: no model reads them, and nothing is known in their favour.
        """
        blank_ids = tuple(d for d in before.doc_ids if self.corpus.by_id[d].blank)
        if blank_ids:
            before = before.among(set(before.doc_ids).difference(blank_ids))
        return (*cut(node, before), blank_ids)

    def _rerank(self, node: Node, before: Ranking) -> StageResult:
        reranker = self.engine.reranker(node)
        head, tail, blank_ids = self.split(node, before)
        docs = [self.corpus.by_id[doc_id] for doc_id in head.doc_ids]
        done: Reranked = reranker.rerank(self.query, docs, self.ctx, head)
        below = () if reranker.may_drop else (*tail, *blank_ids)
        trace = done.trace + _blank_trace(blank_ids)
        return StageResult(node, done.status, trace, done.ranking.followed_by(below))

    def _fuse_stage(self, node: Node, before: Ranking, prefix: str) -> StageResult:
        """Several rerankers, or scores of first stages, over the same candidates."""
        head, tail, blank_ids = self.split(node, before)
        candidates, parts = self.candidates(node, head, _below(prefix, head, tail))
        work, start = Work(self.ctx, head), time.perf_counter()
        fused = fusion_of(node).rerank(candidates, work)
        work.add(compute_s=time.perf_counter() - start)
        found = set(fused.doc_ids)
        missed = [doc_id for doc_id in head.doc_ids if doc_id not in found]
        ranking = fused.followed_by([*missed, *tail, *blank_ids])
        trace = sum((part.trace for part in parts), work.trace + _blank_trace(blank_ids))
        return StageResult(node, _gravest(parts), trace, ranking, parts=parts)

    def candidates(
        self, node: Node, head: Ranking, key: str
    ) -> tuple[Candidates, tuple[StageResult, ...]]:
        """The documents of `head` with what each source makes of them, and the sources' results."""
        parts: list[StageResult] = []
        rankings: list[Ranking] = []
        for source in node.sources:
            if source_kind(source) == "reranker":
                part, _ = self.stage(source, head, key)
                ranking, _ = cut(source, _ranking_of(part))
            else:
                part, _ = self.stage(deepened(source, STAGE_DEPTH), None, self.start)
                ranking = _ranking_of(part).among(head.doc_ids)
            parts.append(part)
            rankings.append(ranking)
        docs = tuple(self.corpus.by_id[doc_id] for doc_id in head.doc_ids)
        return Candidates(self.query, docs, head, tuple(rankings)), tuple(parts)


def _ranking_of(result: StageResult) -> Ranking:
    """Raises the error of a stage that has none: a fusion fails with its source."""
    if result.ranking is None:
        raise result.error or Cancelled()
    return result.ranking


def _blank_trace(blank_ids: Sequence[str]) -> Trace:
    return Trace(warnings=(blank_warning(len(blank_ids)),)) if blank_ids else Trace()


def _below(key: str, head: Ranking, tail: Sequence[str]) -> str:
    """The key under which the sources of a stage work: on all candidates, or on the first ones."""
    return f"{key}\x00{len(head)}" if tail else key


def pipelines(specs: Sequence[str]) -> list[Pipeline]:
    """Parse many at once; raises one InvalidInput that lists what is wrong with each."""
    made: list[Pipeline] = []
    problems: list[str] = []
    for spec in specs:
        try:
            made.append(Pipeline(spec))
        except InvalidInput as error:
            problems.append(error.message)
    if problems:
        raise InvalidInput(
            "\n".join(problems),
            hint="Correct these pipelines; `rerank-lab models` lists the names that exist.",
            problems=problems,
        )
    return made
