"""Results in the shapes that other rerank tools answer in, for programs that read those.

    result = rl.rerank_documents("ms-marco-minilm-l12", query, texts)
    rl.to_cohere(result, texts)      # an answer of Cohere's rerank API, version 2
    rl.to_rerankers(result, texts)   # what the package `rerankers` calls RankedResults

Both are plain values ready for `json.dumps`. Same result, same values.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Document, Ranking
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.pipeline.reranking import candidates
from rerank_lab.pipeline.results import Result
from rerank_lab.views.rank_changes import stage_ranking

Documents = Corpus | Sequence[Document | str]
"""The corpus of a pipeline, or the documents that were given to rerank."""


def to_cohere(result: Result, documents: Documents, top: int | None = None) -> dict[str, Any]:
    """The shape of Cohere's rerank API (v2): `{"id", "results", "meta"}`.

    `index` is the place among the candidates: in the list given, or in the first stage's ranking;
    `document` says which that is. `relevance_score` is the last stage's score as it is, and
    `meta.scale` what it is; nothing is squeezed between 0 and 1. Documents without a score are
    left out, which `meta.warnings` tells. Raises InvalidInput when no document has one, or the
    error of a pipeline that failed.
    """
    ranking, corpus = _finished(result), _corpus(documents)
    scored = [(hit.doc_id, hit.score) for hit in ranking if hit.score is not None]
    if not scored and len(ranking):
        raise InvalidInput(
            f"{result.spec} gives an order without scores, and an answer in Cohere's shape needs a "
            "score for each document.",
            hint="Take the shape of rerankers, which has ranks, or let a reranker that scores come "
            "last.",
        )
    first = stage_ranking(result.stages[0], corpus if result.passages else None)
    places = {doc_id: rank - 1 for doc_id, rank in (first or ranking).ranks.items()}
    results = [
        {
            "index": places[doc_id],
            "relevance_score": score,
            "document": {"id": doc_id, "text": _document(result, corpus, doc_id).content},
        }
        for doc_id, score in scored[:top]
    ]
    meta: dict[str, Any] = {
        "api_version": {"version": "2"},
        "pipeline": result.spec,
        "scale": ranking.scale,
    }
    warnings = _warnings(ranking, len(scored))
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, repr((result.spec, result.query.text, scored)))),
        "results": results,
        "meta": meta | ({"warnings": warnings} if warnings else {}),
    }


def to_rerankers(result: Result, documents: Documents, top: int | None = None) -> dict[str, Any]:
    """The shape of RankedResults of the package `rerankers`: `{"results", "query", "has_scores"}`.

    Each of the results has document (doc_id, text, metadata), score and rank; a document that the
    last stage did not score has the score None. `pipeline` and `scale` are beside them. Raises the
    error of a pipeline that failed.
    """
    ranking, corpus = _finished(result), _corpus(documents)
    results = []
    for hit in ranking.hits[:top]:
        document = _document(result, corpus, hit.doc_id)
        metadata = plain(document.meta) | ({"title": document.title} if document.title else {})
        as_json = {
            "doc_id": hit.doc_id,
            "text": document.content,
            "metadata": metadata,
            "document_type": "text",
        }
        results.append({"document": as_json, "score": hit.score, "rank": hit.rank})
    return {
        "results": results,
        "query": result.query.text,
        "has_scores": any(hit.score is not None for hit in ranking),
        "pipeline": result.spec,
        "scale": ranking.scale,
    }


SHAPES: Mapping[str, Callable[[Result, Documents, int | None], dict[str, Any]]] = {
    "cohere": to_cohere,
    "rerankers": to_rerankers,
}


def plain(value: Any) -> Any:
    """A value of JSON: what JSON has no word for is written as text, what is no number is None."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int) else str(value)


def _finished(result: Result) -> Ranking:
    if result.ranking is None:
        raise result.error or InvalidInput(
            f"{result.spec} has no ranking.", hint="Run it again and see why it did not finish."
        )
    return result.ranking


def _corpus(documents: Documents) -> Corpus:
    return documents if isinstance(documents, Corpus) else candidates(documents)


def _document(result: Result, corpus: Corpus, doc_id: str) -> Document:
    """The document, or the passage that earned it its place."""
    return corpus.document(result.passages.get(doc_id, doc_id))


def _warnings(ranking: Ranking, scored: int) -> list[str]:
    warnings = []
    if scored < len(ranking):
        warnings.append(
            f"{len(ranking) - scored} of {len(ranking)} documents are left out: the last stage "
            "did not score them."
        )
    if any(hit.score is not None and not 0 <= hit.score <= 1 for hit in ranking):
        warnings.append(
            f"The scores are on the scale {ranking.scale!r}, not between 0 and 1 as Cohere's are."
        )
    return warnings
