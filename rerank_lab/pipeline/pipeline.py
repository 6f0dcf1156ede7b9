"""A pipeline: a first stage (or a fusion of several) followed by rerankers.

    Pipeline("rrf(bm25,dense) >> ms-marco-minilm-l12(top=50)").run("what is a heat pump?", corpus)

Pipelines that share a prefix share its result: each (corpus, query, prefix) is computed once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rerank_lab.components.base import Kind
from rerank_lab.components.registry import fusions, pipeline_leaves, resolve
from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput, LabError
from rerank_lab.core.spec import Node, PipelineSpec, parse
from rerank_lab.core.types import Query, Ranking, Status
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.fusion.base import Candidates, Fusion
from rerank_lab.pipeline.engine import Engine, default_engine
from rerank_lab.pipeline.resolution import at_depth, fusion_of
from rerank_lab.pipeline.results import (
    Event,
    Result,
    StageDone,
    StageFailed,
    StageResult,
    StageStarted,
    ranking_of,
    result_of,
)
from rerank_lab.pipeline.stages import StageRunner
from rerank_lab.retrievers.base import needs_copy


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
        return Pipeline(at_depth(self.spec, depth))

    def check(self, corpus: Corpus | None = None, engine: Engine | None = None) -> list[LabError]:
        """Everything that would stop it from running here, found without doing any work."""
        engine = engine or default_engine()
        problems: list[LabError] = []
        for node, kind in self.leaves:
            try:
                if kind == "reranker":
                    problems += engine.reranker(node).problems()
                    continue
                retriever = engine.retriever(node)
                problems += retriever.problems(corpus)
                if corpus is not None and corpus.live and not retriever.info.live:
                    problems.append(needs_copy(retriever.info.name, corpus))
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
        return pipeline_leaves(self.spec)

    def events(
        self,
        query: Query | str,
        corpus: Corpus,
        ctx: Context | None = None,
        engine: Engine | None = None,
    ) -> Iterator[Event]:
        """Run stage by stage. A failed stage ends the pipeline; the stages after it are skipped."""
        engine = engine or default_engine()
        query = Query.of(query) if isinstance(query, str) else query
        runner = StageRunner(query, corpus, engine.context(ctx), engine)
        before: Ranking | None = None
        failed = False
        key = runner.start
        for index, node in enumerate(self.spec.nodes):
            if failed:
                yield StageFailed(index, StageResult(node, Status.SKIPPED))
                continue
            yield StageStarted(index, node)
            result, key = runner.stage(node, before, key)
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
        query = Query.of(query) if isinstance(query, str) else query
        stages = [
            event.result
            for event in self.events(query, corpus, ctx, engine)
            if not isinstance(event, StageStarted)
        ]
        return result_of(str(self), query, stages, corpus)

    def candidates(self, query: Query, corpus: Corpus, ctx: Context, engine: Engine) -> Candidates:
        """What its last stage, a fusion, works on for this query; that stage is not run.

        Raises the LabError of the stage or source that failed.
        """
        runner = StageRunner(query, corpus, ctx, engine)
        before, key = Ranking.from_order(query.id, ()), runner.start
        for place, node in enumerate(self.spec.nodes[:-1]):
            result, key = runner.stage(node, before if place else None, key)
            before = ranking_of(result)
        return runner.fusion_candidates(self.spec.nodes[-1], before, key)


def pipelines(specs: Sequence[str]) -> list[Pipeline]:
    """Parse many at once; raises one InvalidInput that lists what is wrong with each."""
    parsed: list[Pipeline] = []
    problems: list[str] = []
    for spec in specs:
        try:
            parsed.append(Pipeline(spec))
        except InvalidInput as error:
            problems.append(error.message)
    if problems:
        raise InvalidInput(
            "\n".join(problems),
            hint="Correct these pipelines; `rerank-lab models` lists the names that exist.",
            problems=problems,
        )
    return parsed
