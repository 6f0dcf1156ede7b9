"""Rankings of pipelines for every query of a corpus, judged or not: what pools are made of."""

from __future__ import annotations

from collections.abc import Sequence

from rerank_lab.core.context import Context
from rerank_lab.core.errors import BackendError, Cancelled, LabError
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.core.types import Query
from rerank_lab.corpora import Corpus
from rerank_lab.evaluation.experiments import plan
from rerank_lab.evaluation.experiments import run as run_experiment
from rerank_lab.judging.pools import PipelineRuns
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline


def pipeline_runs(
    pipelines: tuple[PipelineSpec, ...],
    corpus: Corpus,
    ctx: Context,
    engine: Engine,
    limit: int | None = None,
) -> PipelineRuns:
    """The ranking of each query by each pipeline, kept like an evaluation and taken up again.

    Args:
        pipelines: the specs.
        corpus: with its queries.
        ctx: limits and progress.
        engine: runs the pipelines.
        limit: only the first so many queries.

    Raises:
        InvalidInput: the corpus has no query.
        BackendError: a pipeline answered nothing; it says why.
        Cancelled: what was answered by then is kept.
    """
    queries = corpus.queries[:limit]
    done = run_experiment(
        plan(corpus, pipelines, queries=queries, qrels={}, engine=engine), ctx, engine
    )
    for outcome in done.outcomes:
        if not outcome.answered:
            failure = outcome.errors[0].failure if outcome.errors else None
            raise BackendError(
                f"{outcome.pipeline} answered no query"
                + (f": {failure.message}" if failure else "."),
                hint=failure.hint if failure else "Try the pipeline on Compare.",
            )
    return {
        spec: {query_id: ranking.doc_ids for query_id, ranking in done.run(spec).rankings.items()}
        for spec in done.design.pipelines
    }


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
