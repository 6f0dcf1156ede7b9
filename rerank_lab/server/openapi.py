"""The API as an OpenAPI 3.1 document (spec.openapis.org), made from what the routes read."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, NamedTuple

from rerank_lab.server import shapes
from rerank_lab.server.decoding import BodyFields
from rerank_lab.server.limits import RequestLimits
from rerank_lab.server.search import SEARCH_FIELDS

Schema = dict[str, Any]
_TEXT = {"type": "string"}
_NUMBER = {"type": "number"}
_TEXT_ONLY = {"items": {"const": "text"}}
_COUNT = {"type": "integer", "minimum": 0}
_STATUSES = {
    "400": "The body is no JSON object.",
    "401": "A key is needed, or this one is not known.",
    "403": "This key does not open this, or what the pipeline needs is not allowed here.",
    "404": "No pipeline is called so, or there is no corpus.",
    "408": "The body did not arrive in time.",
    "413": "The body is too long.",
    "415": "The body is no JSON by its headers, or compressed.",
    "422": "A field is missing, unknown, of another type or beyond a limit; the message names it.",
    "429": "The queue is full; Retry-After says when to try again.",
    "500": "A stage failed.",
    "502": "A provider failed.",
    "503": "A model, a key or the spend limit stands in the way, or the server is full or ends.",
    "504": "The time allowed is used up.",
}
"""What every route that works may answer beside 200."""


def _object(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    properties = {**required, **(optional or {})}
    return {"type": "object", "properties": properties, "required": list(required)}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


_RESULT = _object(
    {"index": _COUNT, "relevance_score": _NUMBER}, {"document": _object({"text": _TEXT})}
)
_RERANKED = _object(
    {
        "id": _TEXT,
        "model": _TEXT,
        "results": _list(_RESULT),
        "meta": _object({"pipeline": _TEXT, "scale": _TEXT}, {"warnings": _list(_TEXT)}),
    },
    {"usage": _object({"total_tokens": _COUNT, "prompt_tokens": _COUNT})},
)
_TEI_RERANKED = _list(_object({"index": _COUNT, "score": _NUMBER}, {"text": _TEXT}))
_INFINITY_RERANKED = _object(
    {
        "object": {"const": "rerank"},
        "id": _TEXT,
        "model": _TEXT,
        "created": _COUNT,
        "results": _list(
            _object({"index": _COUNT, "relevance_score": _NUMBER}, {"document": _TEXT})
        ),
        "usage": _object({"prompt_tokens": _COUNT, "total_tokens": _COUNT}),
    }
)
_HIT = _object(
    {"rank": _COUNT, "doc_id": _TEXT, "score": {"type": ["number", "null"]}},
    {"document": _object({"title": _TEXT, "text": _TEXT})},
)
_SEARCHED = _object(
    {
        "model": _TEXT,
        "pipeline": _TEXT,
        "scale": _TEXT,
        "hits": _list(_HIT),
        "trace": {"type": "object"},
        "status": _TEXT,
    }
)
_MODELS = _object(
    {"object": {"const": "list"}, "data": _list(_object({"id": _TEXT, "pipeline": _TEXT}))}
)
_ERROR = _object({"message": _TEXT}, {"detail": _TEXT})
_TEI_ERROR = _object({"error": _TEXT, "error_type": _TEXT})
_VLLM_ERROR = _object(
    {"error": _object({"message": _TEXT, "type": _TEXT, "code": {"type": "integer"}})}
)
_INFINITY_ERROR = _object({"error": _object({"message": _TEXT, "code": {"type": "integer"}})})
_STATE = _object({"status": _TEXT})


class _Exchanged(NamedTuple):
    """What goes in and out of a route: the schemas of its bodies."""

    bodies: tuple[BodyFields, ...]
    answers: tuple[Schema, ...]
    errors: tuple[Schema, ...]
    summary: str


_WORK = {
    "/v2/rerank": _Exchanged(
        (shapes.COHERE_V2.fields,), (_RERANKED,), (_ERROR,), "Rerank documents (Cohere v2)"
    ),
    "/v1/rerank": _Exchanged(
        (shapes.DOCUMENTS_V1.fields,), (_RERANKED,), (_ERROR,), "Rerank documents (Cohere v1, Jina)"
    ),
    "/rerank": _Exchanged(
        (shapes.VLLM.fields, shapes.TEI.fields),
        (_RERANKED, _TEI_RERANKED),
        (_VLLM_ERROR, _TEI_ERROR, _ERROR),
        "Rerank documents (vLLM with `documents`, TEI with `texts`)",
    ),
    "/infinity/rerank": _Exchanged(
        (shapes.INFINITY.fields,),
        (_INFINITY_RERANKED,),
        (_INFINITY_ERROR,),
        "Rerank documents (infinity)",
    ),
    "/v1/search": _Exchanged((SEARCH_FIELDS,), (_SEARCHED,), (_ERROR,), "Search the corpus"),
}


def openapi(limits: RequestLimits, *, keys_needed: bool, searches: bool) -> dict[str, Any]:
    """The document.

    Args:
        limits: Of one request; tokens and lengths of query and lists are stated.
        keys_needed: Whether requests need a bearer key.
        searches: Whether there is a corpus, so that `/v1/search` answers.
    """
    components: dict[str, Schema] = {}
    paths = {
        path: {"post": _work(exchanged, limits, components)}
        for path, exchanged in _WORK.items()
        if searches or path != "/v1/search"
    }
    paths |= {
        "/v1/models": {"get": _read("The pipelines", _MODELS)},
        "/health": {"get": _read("Whether it runs", _STATE, open_to_all=True)},
        "/ready": {"get": _read("Whether it takes requests", _STATE, "503", open_to_all=True)},
        "/metrics": {"get": _metrics()},
        "/openapi.json": {"get": _read("This document", {"type": "object"})},
    }
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "Rerank Lab", "version": version("rerank-lab")},
        "paths": paths,
        "components": {"schemas": components},
    }
    if keys_needed:
        document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"key": []}]
    return document


def _work(exchanged: _Exchanged, limits: RequestLimits, components: dict[str, Schema]) -> Schema:
    tokens = f"With the query at most {limits.tokens:,} tokens of the first reranker."
    texts = {"minItems": 1, "maxItems": limits.documents, "description": tokens}
    query = {"minLength": 1, "maxLength": limits.query_chars, "pattern": r"\S"}
    bounds: dict[str, Schema] = {
        "query": query,
        "documents": texts,
        "texts": texts,
        "rank_fields": _TEXT_ONLY,
    }
    schemas: list[Schema] = []
    for fields in exchanged.bodies:
        schema, named = fields.schema(bounds)
        schemas.append(schema)
        components.update(named)
    error = _json(exchanged.errors)
    refusals = {status: {"description": words, **error} for status, words in _STATUSES.items()}
    answer = {"description": "Best first.", **_json(exchanged.answers)}
    return {
        "summary": exchanged.summary,
        "requestBody": {"required": True, **_json(tuple(schemas))},
        "responses": {"200": answer, **refusals},
    }


def _read(summary: str, schema: Schema, *others: str, open_to_all: bool = False) -> Schema:
    """A route without a body."""
    responses = {
        status: {"description": summary, **_json((schema,))} for status in ("200", *others)
    }
    if open_to_all:
        return {"summary": summary, "responses": responses, "security": []}
    refusals = {
        status: {"description": _STATUSES[status], **_json((_ERROR,))} for status in ("401", "403")
    }
    return {"summary": summary, "responses": {**responses, **refusals}}


def _metrics() -> Schema:
    operation = _read("Counts and times, as Prometheus reads them", {})
    operation["responses"]["200"]["content"] = {"text/plain": {"schema": _TEXT}}
    return operation


def _json(schemas: tuple[Schema, ...]) -> Schema:
    schema = schemas[0] if len(schemas) == 1 else {"anyOf": list(schemas)}
    return {"content": {"application/json": {"schema": schema}}}
