"""Rankings of pipelines for every query of a corpus, judged or not: what pools are made of."""

from __future__ import annotations

from collections.abc import Sequence

from rerank_lab.core.context import Context
from rerank_lab.core.errors import Cancelled, InvalidInput, LabError
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.core.types import Query
from rerank_lab.corpora import Corpus
from rerank_lab.judging.pools import PipelineRuns
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline

_MOST_DOCUMENTS = 1000


def pipeline_runs(
    pipelines: tuple[PipelineSpec, ...],
    corpus: Corpus,
    ctx: Context,
    engine: Engine,
    limit: int | None = None,
) -> PipelineRuns:
    """The ranking of each query by each pipeline. Nothing is kept but scores, by the cache.

    Args:
        pipelines: the specs.
        corpus: with its queries.
        ctx: limits and progress.
        engine: runs the pipelines.
        limit: only the first so many queries.

    Raises:
        InvalidInput: the corpus has no query.
        LabError: a pipeline answered no query; the error is its own.
    """
    queries = corpus.queries[:limit]
    if not queries:
        raise InvalidInput(
            f"{corpus.name} has no queries.", hint="Add a query file, or choose a query set."
        )
    parsed = [Pipeline(spec) for spec in pipelines]
    return ranked_queries(parsed, queries, _MOST_DOCUMENTS, corpus, ctx, engine)


def ranked_queries(
    pipelines: Sequence[Pipeline],
    queries: Sequence[Query],
    depth: int,
    corpus: Corpus,
    ctx: Context,
    engine: Engine,
) -> dict[str, dict[str, tuple[str, ...]]]:
    """The first `depth` documents of each query by each pipeline, without those that it fails on.

    For what is done once, such as setting up a session: nothing is kept, and nothing stands in the
    list of evaluations afterwards.

    Raises:
        LabError: a pipeline answered no query; the error is its own.
    """
    runs: dict[str, dict[str, tuple[str, ...]]] = {}
    total = len(pipelines) * len(queries)
    for place, pipeline in enumerate(pipelines):
        rankings: dict[str, tuple[str, ...]] = {}
        problem: LabError | None = None
        for number, query in enumerate(queries):
            ctx.checkpoint()
            ctx.report(f"ranking with {pipeline}", place * len(queries) + number, total)
            result = pipeline.run(query, corpus, ctx, engine)
            if isinstance(result.error, Cancelled):
                raise result.error
            if result.ranking is None:
                problem = result.error or problem
            else:
                rankings[query.id] = result.ranking.doc_ids[:depth]
        if not rankings and problem is not None:
            raise problem
        runs[str(pipeline)] = rankings
    return runs
