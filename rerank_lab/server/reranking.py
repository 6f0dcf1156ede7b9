"""What a thread does for one request: rerank the documents that came with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rerank_lab.core.context import Context
from rerank_lab.core.types import Document, Trace
from rerank_lab.pipeline.engine import Engine
from rerank_lab.server.pipelines import ServedPipeline
from rerank_lab.server.refusals import RequestRefused, refusal_of


@dataclass(frozen=True, slots=True)
class RerankCall:
    """What a client asks, in whichever shape it came.

    Attributes:
        query: Its text.
        texts: The documents, in the client's order.
        model: The pipeline's name, "" for whichever.
        top: How many results to return; None for all.
        with_texts: Whether the answer repeats the documents.
        raw_scores: Whether logits stay logits (TEI's shape alone turns them into probabilities).
    """

    query: str
    texts: Sequence[str]
    model: str = ""
    top: int | None = None
    with_texts: bool = False
    raw_scores: bool = True


@dataclass(frozen=True, slots=True)
class RerankAnswer:
    """The documents that have a score, best first.

    Attributes:
        model: The name of the pipeline that answered.
        scored: (place in the client's list, score), at most as many as were asked for.
        unscored: Documents that have no score: blank, dropped, or below a stage's `top`.
        scale: What the scores are.
        trace: Times and counts.
    """

    model: str
    scored: tuple[tuple[int, float], ...]
    unscored: int
    scale: str
    trace: Trace


def rerank_given(
    call: RerankCall, served: ServedPipeline, engine: Engine, ctx: Context
) -> RerankAnswer:
    """Rerank; `ctx` has no score cache.

    Raises:
        RequestRefused: a stage failed, or gave an order without scores.
    """
    documents = [Document(str(place), text) for place, text in enumerate(call.texts)]
    result = served.reranker.rerank(call.query, documents, ctx, engine)
    if result.ranking is None:
        raise refusal_of(result.error) if result.error else RequestRefused(500, "No ranking.")
    scored = [(int(hit.doc_id), hit.score) for hit in result.ranking if hit.score is not None]
    if not scored and any(not document.blank for document in documents):
        raise RequestRefused(
            422,
            f"{served.name} gives an order without scores here, and this answer needs a score for "
            "each document.",
        )
    return RerankAnswer(
        served.name,
        tuple(scored[: call.top]),
        len(documents) - len(scored),
        result.ranking.scale,
        result.trace,
    )
