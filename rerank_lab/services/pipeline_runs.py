"""Rankings of pipelines for every query of a corpus, judged or not: what pools are made of."""

from __future__ import annotations

from rerank_lab.core.context import Context
from rerank_lab.core.errors import BackendError
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.corpora import Corpus
from rerank_lab.evaluation.experiments import plan
from rerank_lab.evaluation.experiments import run as run_experiment
from rerank_lab.judging.pools import PipelineRuns
from rerank_lab.pipeline.engine import Engine


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
