"""Scores of judged candidates: what a pipeline gave, beside what the judgments say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput, LabError
from rerank_lab.core.types import Query
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.pipeline.engine import Engine, default_engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.pipeline.results import Result


@dataclass(frozen=True, slots=True)
class JudgedScores:
    """Scores of judged candidates, one entry a (query, document) in each of the sequences.

    `relevant` says whether the grade reaches `grade`. `unjudged` candidates were left out, `failed`
    queries gave no ranking. `scale` is that of the scores.
    """

    pipeline: str
    scale: str
    grade: int
    queries: tuple[str, ...]
    scores: tuple[float, ...]
    relevant: tuple[bool, ...]
    unjudged: int
    failed: int

    @property
    def query_count(self) -> int:
        """How many different queries the pairs come from."""
        return len(set(self.queries))


def judged_scores(
    corpus: Corpus,
    spec: str | Pipeline,
    *,
    queries: Sequence[Query] | None = None,
    grade: int = 1,
    ctx: Context | None = None,
    engine: Engine | None = None,
) -> JudgedScores:
    """Run a pipeline on the judged queries and keep the scores of judged candidates.

    Raises InvalidInput when there are no judgments, or when the last stage gives no scores, which
    the first answer shows.
    """
    engine = engine or default_engine()
    ctx = engine.context(ctx)
    pipeline = spec if isinstance(spec, Pipeline) else Pipeline(spec)
    judged_queries = [
        q for q in (corpus.queries if queries is None else queries) if corpus.qrels.get(q.id)
    ]
    if not judged_queries:
        raise InvalidInput(
            f"{corpus.name} has no judged queries, so that there is nothing to calibrate on.",
            hint="Add queries and judgments to the corpus, or choose a sample.",
        )
    results = []
    for done, query in enumerate(judged_queries):
        ctx.checkpoint()
        ctx.report("running the pipeline", done, len(judged_queries))
        result = pipeline.run(query, corpus, ctx, engine)
        if result.ranking is not None and result.ranking.scale == "order":
            raise _no_scores(str(pipeline))
        results.append(result)
    return _collected(str(pipeline), corpus.qrels, results, grade)


def _collected(
    spec: str, qrels: Mapping[str, Mapping[str, int]], results: Sequence[Result], grade: int
) -> JudgedScores:
    queries, scores, relevant = [], [], []
    unjudged = failed = 0
    scales: dict[str, None] = {}
    error: LabError | None = None
    for result in results:
        if result.ranking is None:
            failed, error = failed + 1, error or result.error
            continue
        scales[result.ranking.scale] = None
        judged = qrels[result.query.id]
        for hit in result.ranking:
            if hit.score is None:
                continue
            if hit.doc_id not in judged:
                unjudged += 1
                continue
            queries.append(result.query.id)
            scores.append(hit.score)
            relevant.append(judged[hit.doc_id] >= grade)
    if failed == len(results) and error is not None:
        raise error
    if not scores:
        raise _no_scores(spec)
    scale = ", ".join(scales)
    return JudgedScores(
        spec, scale, grade, tuple(queries), tuple(scores), tuple(relevant), unjudged, failed
    )


def _no_scores(spec: str) -> InvalidInput:
    return InvalidInput(
        f"{spec} gives no scores for judged documents.",
        hint="Choose a pipeline whose last stage scores, such as a cross-encoder; orders of "
        "listwise models have no scores to calibrate.",
    )
