"""Search over the server's corpus: the whole pipeline, with its trace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from rerank_lab.core.context import Context
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.results import Result
from rerank_lab.server.decoding import BodyFields
from rerank_lab.server.pipelines import ServedPipeline
from rerank_lab.server.refusals import RequestRefused, refusal_of
from rerank_lab.services import compare
from rerank_lab.services.compare import CompareRequest

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
) -> dict[str, Any]:
    """The answer's body: hits as `rerank-lab rank --json` prints them, best first.

    Raises:
        RequestRefused: a stage failed.
    """
    request = CompareRequest(Query.of(call.query), served.pipeline.spec)
    result = compare.run(request, corpus, ctx, engine)
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


def _document(result: Result, corpus: Corpus, doc_id: str) -> dict[str, Any]:
    """Title and text of a hit: those of the passage that earned it its place."""
    document: Document = corpus.document(result.passages.get(doc_id, doc_id))
    return {"document": {"title": document.title, "text": document.text}}
