"""One pipeline at several numbers of candidates, each document scored once.

A pointwise reranker's score of a text does not depend on the other candidates. So it scores the
candidates of the greatest depth, and every smaller depth follows from these scores: its own first
stage is run, and its candidates take the scores and are sorted as the reranker sorts them. Listwise
and joint rerankers are asked again at every depth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rerank_lab.components.base import digest
from rerank_lab.components.registry import expand, info, resolve, source_kind
from rerank_lab.core.context import Context
from rerank_lab.core.errors import LabError
from rerank_lab.core.spec import Node, PipelineSpec
from rerank_lab.core.types import Query, Ranking, Status
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.results import Result, StageResult, result_of
from rerank_lab.pipeline.stages import StageRunner


@dataclass(frozen=True, slots=True)
class DepthResults:
    """What a pipeline makes of a query at each depth.

    Attributes:
        results: by depth; None for a stage that failed, as in any result.
        seconds: by depth, how long a query takes without loading: what was measured, and for
            scores taken over, the seconds a candidate that their own run took. A depth is left out
            where all scores came from the score cache, so that nobody knows.
    """

    results: Mapping[int, Result]
    seconds: Mapping[int, float]


def with_candidates(spec: PipelineSpec, depth: int) -> PipelineSpec:
    """The pipeline with `depth` candidates: handed over by its first stage, all of them reranked.

    Every part of a fused first stage looks that deep. Rerankers after the first one keep their own
    `top`. Raises InvalidInput for a depth that an option does not allow.
    """
    nodes = [_as_deep(spec.source, depth), *spec.stages]
    if spec.stages:
        nodes[1] = _reranking(spec.stages[0], depth)
    return resolve(PipelineSpec(tuple(nodes)))


def scores_alone(node: Node, engine: Engine) -> bool:
    """Whether a reranking stage gives a document the same score whatever stands beside it."""
    if node.sources:
        return False
    reranker = engine.reranker(node)
    return reranker.scores_alone and not reranker.may_drop


def replayed(spec: PipelineSpec, engine: Engine) -> bool:
    """Whether every stage of a pipeline scores documents alone, so that no model is asked twice."""
    return all(scores_alone(node, engine) for node in spec.stages)


def at_depths(
    specs: Mapping[int, PipelineSpec], query: Query, corpus: Corpus, ctx: Context, engine: Engine
) -> DepthResults:
    """Run a pipeline for a query at several depths.

    A stage that fails does not raise: see `Result.status`. Raises Cancelled and DeadlineExceeded.

    Args:
        specs: by depth, one pipeline `with_candidates`.
        query: what is asked.
        corpus: the documents.
        ctx: as for any run; without a cache, every model is asked and timed.
        engine: where components come from.
    """
    runner = StageRunner(query, corpus, ctx, engine)
    stages: dict[int, list[StageResult]] = {}
    seconds: dict[int, float | None] = {}
    for depth, spec in specs.items():
        ctx.checkpoint()
        first = runner.stage(spec.source, None, runner.start)[0]
        stages[depth], seconds[depth] = [first], first.trace.warm_s
    for place in range(1, len(next(iter(specs.values())).nodes)):
        nodes = {depth: spec.nodes[place] for depth, spec in specs.items()}
        befores = {depth: of_depth[-1].ranking for depth, of_depth in stages.items()}
        results, spent = _stage(runner, nodes, befores)
        for depth, result in results.items():
            stages[depth].append(result)
            seconds[depth] = _sum(seconds[depth], spent[depth])
    return DepthResults(
        {d: result_of(str(specs[d]), query, of_depth, corpus) for d, of_depth in stages.items()},
        {depth: value for depth, value in seconds.items() if value is not None},
    )


Spent = Mapping[int, float | None]
"""By depth, the seconds of a stage; None where nobody knows."""


def _stage(
    runner: StageRunner, nodes: Mapping[int, Node], befores: Mapping[int, Ranking | None]
) -> tuple[dict[int, StageResult], Spent]:
    """One stage at every depth."""
    ready = {depth: before for depth, before in befores.items() if before is not None}
    results = {
        depth: StageResult(node, Status.SKIPPED)
        for depth, node in nodes.items()
        if depth not in ready
    }
    spent: dict[int, float | None] = dict.fromkeys(results)
    if ready and _replayable(next(iter(nodes.values())), runner):
        pool = _pool(runner, nodes, ready)
        if pool.ranking is not None:
            rate = _seconds_a_document(pool)
            for depth, before in ready.items():
                results[depth] = runner.rescored(nodes[depth], before, pool)
                documents = results[depth].trace.documents
                spent[depth] = None if rate is None else rate * documents
            return results, spent
    for depth, before in ready.items():
        result = runner.stage(nodes[depth], before, _key(runner, before))[0]
        results[depth], spent[depth] = result, _measured(result)
    return results, spent


def _replayable(node: Node, runner: StageRunner) -> bool:
    try:
        return scores_alone(node, runner.engine)
    except LabError:
        return False  # the run itself says what is wrong with it


def _pool(
    runner: StageRunner, nodes: Mapping[int, Node], befores: Mapping[int, Ranking]
) -> StageResult:
    """The stage over every document that it reranks at any depth."""
    deepest = max(nodes)
    candidates: dict[str, None] = {}
    for depth in sorted(befores, reverse=True):
        head = befores[depth]
        blank = sum(runner.corpus.by_id[doc_id].blank for doc_id in head.doc_ids)
        top = int(expand(nodes[depth], "reranker")[1]["top"])
        candidates |= dict.fromkeys(head.top(top + blank).doc_ids)
    pool = Ranking.from_order(runner.query.id, tuple(candidates))
    node = nodes[deepest].with_options(top=max(1, len(pool)))
    return runner.stage(node, pool, _key(runner, pool))[0]


def _key(runner: StageRunner, before: Ranking) -> str:
    """Stands for the query and exactly these candidates, so that equal ones are ranked once."""
    return digest([runner.start, before.scale, [(hit.doc_id, hit.score) for hit in before]])


def _seconds_a_document(result: StageResult) -> float | None:
    trace = result.trace
    computed = trace.documents - trace.cache_hits
    return trace.warm_s / computed if computed > 0 else None


def _measured(result: StageResult) -> float | None:
    """What the stage took; None where answers came from a cache, or there are none."""
    hits = result.status is Status.CACHED or result.trace.cache_hits
    return None if hits or result.ranking is None else result.trace.warm_s


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


def _as_deep(node: Node, depth: int) -> Node:
    """A first stage, or a fusion of several, with `depth` documents whatever it says itself."""
    component = info("fusion", node.name) if node.sources else expand(node, "retriever")[0]
    deeper = replace(node, sources=tuple(_as_deep(source, depth) for source in node.sources))
    if component.param(component.depth_option) is None:
        return deeper
    return deeper.with_options(**{component.depth_option: depth})


def _reranking(node: Node, depth: int) -> Node:
    """A reranking stage, or a fusion of several, that takes `depth` candidates."""
    component = info("fusion", node.name) if node.sources else expand(node, "reranker")[0]
    sources: Sequence[Node] = [
        _reranking(source, depth) if source_kind(source) == "reranker" else source
        for source in node.sources
    ]
    deeper = replace(node, sources=tuple(sources))
    if component.param(component.depth_option) is None:
        return deeper
    return deeper.with_options(**{component.depth_option: depth})
