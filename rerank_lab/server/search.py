"""Search over the server's corpus: the whole pipeline, with its trace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from rerank_lab.core.context import Context
from rerank_lab.core.types import Document, Query, Ranking
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.reranking import estimated_tokens
from rerank_lab.pipeline.resolution import split_at_top
from rerank_lab.pipeline.results import Result, StageResult, StageStarted, result_of
from rerank_lab.server.decoding import BodyFields
from rerank_lab.server.limits import RequestLimits
from rerank_lab.server.pipelines import ServedPipeline
from rerank_lab.server.refusals import RequestRefused, refusal_of

SEARCH_FIELDS = BodyFields(
    {
        "query": str,
        "model": str,
        "top_n": Annotated[int, msgspec.Meta(ge=1, le=1000)],
        "return_documents": bool,
    },
    ("query",),
)
"""What a body has."""


@dataclass(frozen=True, slots=True)
class SearchCall:
    """What a client searches for: see RerankCall."""

    query: str
    model: str = ""
    top: int = 10
    with_texts: bool = False


def read_search(fields: Mapping[str, msgspec.Raw]) -> SearchCall:
    """The call that a body's fields make. Raises RequestRefused."""
    values = SEARCH_FIELDS.values(fields)
    return SearchCall(
        values["query"],
        values.get("model", ""),
        values.get("top_n", 10),
        values.get("return_documents", False),
    )


def search(
    call: SearchCall,
    served: ServedPipeline,
    corpus: Corpus,
    engine: Engine,
    ctx: Context,
    limits: RequestLimits,
) -> dict[str, Any]:
    """The answer's body: hits as `rerank-lab rank --json` prints them, best first.

    Raises:
        RequestRefused: a stage failed, or what the first reranker is to read has too many tokens.
    """
    result = _run(call, served, corpus, engine, ctx, limits)
    if result.ranking is None:
        raise refusal_of(result.error) if result.error else RequestRefused(500, "No ranking.")
    hits = [
        {"rank": hit.rank, "doc_id": hit.doc_id, "score": hit.score}
        | (_document(result, corpus, hit.doc_id) if call.with_texts else {})
        for hit in result.ranking.hits[: call.top]
    ]
    return {
        "model": served.name,
        "pipeline": result.spec,
        "scale": result.ranking.scale,
        "hits": hits,
        "trace": result.trace.to_json(),
        "status": result.status.value,
    }


def _run(
    call: SearchCall,
    served: ServedPipeline,
    corpus: Corpus,
    engine: Engine,
    ctx: Context,
    limits: RequestLimits,
) -> Result:
    query, pipeline = Query.of(call.query), served.pipeline
    count = served.stages.token_count(engine) if served.stages else estimated_tokens
    limits.check_tokens("query", call.query, (), count)
    stages: list[StageResult] = []
    for event in pipeline.events(query, corpus, ctx, engine):
        if isinstance(event, StageStarted):
            continue
        stages.append(event.result)
        if event.index == 0 and event.result.ranking is not None:
            texts = _read_next(served, corpus, event.result.ranking)
            limits.check_tokens("query", call.query, texts, count, "what was retrieved for it has")
    return result_of(str(pipeline), query, stages, corpus)


def _read_next(served: ServedPipeline, corpus: Corpus, ranking: Ranking) -> list[str]:
    """The texts that the first reranker is to read."""
    if not served.pipeline.spec.stages:
        return []
    head, _ = split_at_top(served.pipeline.spec.stages[0], ranking)
    return [corpus.document(doc_id).content for doc_id in head.doc_ids]


def _document(result: Result, corpus: Corpus, doc_id: str) -> dict[str, Any]:
    """Title and text of a hit: those of the passage that earned it its place."""
    document: Document = corpus.document(result.passages.get(doc_id, doc_id))
    return {"document": {"title": document.title, "text": document.text}}
