"""What to judge next, as a use case: run pipelines, weigh the labels so far, rank what is left."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rerank_lab.core.context import Context
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.corpora import Corpus
from rerank_lab.judging.next_best import Decision, DecisionSettings, decide
from rerank_lab.pipeline.engine import Engine
from rerank_lab.services.grading import scale_of
from rerank_lab.services.pipeline_runs import pipeline_runs


@dataclass(frozen=True, slots=True)
class NextBestRequest:
    """Which pipelines compete, by which measure.

    `limit` takes only the first so many queries. `seed` is of the random numbers.
    """

    pipelines: tuple[PipelineSpec, ...]
    measure: str = "nDCG@10"
    limit: int | None = None
    seed: int = 0


def next_best(
    request: NextBestRequest,
    corpus: Corpus,
    ctx: Context,
    engine: Engine,
    home: Path | None = None,
) -> Decision:
    """Who leads by the judgments that count, how sure that is, and the worth of what is unjudged.

    Args:
        request: what is asked for.
        corpus: with its queries and the judgments that count, as `services.qrels` gives it.
        ctx: limits and progress.
        engine: runs the pipelines.
        home: the data folder; None for the usual one.

    Raises:
        InvalidInput: as `decide`, or the corpus has no query.
        LabError: a pipeline answered no query; the error is its own.
    """
    runs = pipeline_runs(request.pipelines, corpus, ctx, engine, request.limit)
    observed = {
        grade for grades in corpus.qrels.values() for grade in grades.values() if grade >= 0
    }
    grades = tuple(sorted(observed | scale_of(corpus, home).by_value.keys()))
    settings = DecisionSettings(measure=request.measure, grades=grades, seed=request.seed)
    return decide(runs, corpus.qrels, settings)
