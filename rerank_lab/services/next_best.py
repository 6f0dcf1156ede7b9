"""What to judge next, as a use case: run pipelines, weigh the labels so far, rank what is left."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rerank_lab.core.context import Context
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.core.types import Qrels
from rerank_lab.corpora import Corpus
from rerank_lab.judging.next_best import Decision, DecisionSettings, decide
from rerank_lab.judging.scales import GRADED
from rerank_lab.pipeline.engine import Engine
from rerank_lab.services.pipeline_runs import pipeline_runs
from rerank_lab.services.qrels import lab_store


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
        BackendError: a pipeline answered nothing.
    """
    runs = pipeline_runs(request.pipelines, corpus, ctx, engine, request.limit)
    scale = scale_in_use(corpus.name, corpus.qrels, home)
    settings = DecisionSettings(measure=request.measure, grades=scale, seed=request.seed)
    return decide(runs, corpus.qrels, settings)


def scale_in_use(corpus_name: str, qrels: Qrels, home: Path | None = None) -> tuple[int, ...]:
    """The grades that labels of a corpus can have, ascending.

    Those of the newest session's scale; without a session those from 0 to the highest grade given,
    or of the default scale where nothing is graded. Grades that were given are always among them.
    """
    observed = {grade for grades in qrels.values() for grade in grades.values() if grade >= 0}
    store = lab_store(home)
    sessions = [] if store is None else store.sessions(corpus_name)
    if sessions:
        newest = max(sessions, key=lambda session: session.created_at)
        return tuple(sorted(observed | set(newest.scale.by_value)))
    if not observed:
        return tuple(GRADED.by_value)
    return tuple(range(max(1, *observed) + 1))
