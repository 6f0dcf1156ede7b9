"""The wire formats of the hosted providers, as the servers of `provider_servers` speak them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class WireFormat:
    """One provider's format: path, header of the key, request fields and types, reply.

    `nullable` are fields that its official SDK sends as null; `top` is the field that asks for so
    many results only.
    """

    path: str
    fields: Mapping[str, type | tuple[type, ...]]
    texts: str
    reply: Callable[[list[dict[str, Any]], int, str], Any]
    score: str = "relevance_score"
    required: tuple[str, ...] = ("query",)
    auth: str = "authorization"
    prefix: str = "Bearer "
    open: bool = False
    limit: int = 0
    nullable: tuple[str, ...] = ()
    error: Callable[[int, str], Any] = lambda _, words: {"detail": words}


def _listed(name: str, usage: Callable[[int], Mapping[str, Any]], model: bool = True) -> Any:
    def reply(results: list[dict[str, Any]], tokens: int, served: str) -> Any:
        return {name: results, **usage(tokens), **({"model": served} if model else {})}

    return reply


def _tokens(tokens: int) -> Mapping[str, Any]:
    return {"usage": {"total_tokens": tokens, "prompt_tokens": tokens}}


def _cohere(results: list[dict[str, Any]], *_: Any) -> Any:
    meta = {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}}
    return {"id": "r-1", "results": results, "meta": meta}


_TEXT = {"model": str, "query": str}
_NESTED: Callable[[int, str], Any] = lambda _, words: {"error": {"message": words}}  # noqa: E731
WIRES: Mapping[str, WireFormat] = {
    "cohere": WireFormat(
        "/v2/rerank",
        {**_TEXT, "documents": list, "top_n": int, "max_tokens_per_doc": int, "priority": int}
        | {"relevant_spans": dict},
        "documents",
        _cohere,
        required=("model", "query"),
        error=lambda _, words: {"message": words},
    ),
    "voyage": WireFormat(
        "/v1/rerank",
        {**_TEXT, "documents": list, "top_k": int, "truncation": bool, "return_documents": bool},
        "documents",
        _listed("data", _tokens),
        required=("model", "query"),
        nullable=("top_k",),
        limit=1000,
    ),
    "jina": WireFormat(
        "/v1/rerank",
        {**_TEXT, "documents": list, "top_n": int, "return_documents": bool},
        "documents",
        _listed("results", _tokens),
        required=("model", "query"),
    ),
    "mixedbread": WireFormat(
        "/v1/reranking",
        {**_TEXT, "input": list, "rank_fields": list, "top_k": int, "return_input": bool},
        "input",
        _listed("data", _tokens),
        "score",
        required=("model", "query"),
    ),
    "zeroentropy": WireFormat(
        "/v1/models/rerank",
        {**_TEXT, "documents": list, "top_n": int, "latency": str},
        "documents",
        _listed(
            "results",
            lambda tokens: (
                {"total_tokens": tokens, "inference_latency": 0.012, "e2e_latency": 0.02}
                | {"actual_latency_mode": "fast", "total_bytes": tokens * 4}
            ),
            model=False,
        ),
        required=("model", "query"),
    ),
    "pinecone": WireFormat(
        "/rerank",
        {**_TEXT, "documents": list, "rank_fields": list, "top_n": int}
        | {"return_documents": bool, "parameters": dict},
        "documents",
        _listed("data", lambda _: {"usage": {"rerank_units": 1}}),
        "score",
        required=("model", "query", "rank_fields"),
        auth="api-key",
        prefix="",
        limit=100,
        error=lambda status, words: {"status": status, "error": {"message": words}},
    ),
    "together": WireFormat(
        "/v1/rerank",
        {**_TEXT, "documents": list, "top_n": int, "return_documents": bool, "rank_fields": list},
        "documents",
        _listed("results", _tokens),
        required=("model", "query"),
        error=_NESTED,
    ),
    "isaacus": WireFormat(
        "/v1/rerankings",
        {**_TEXT, "texts": list, "top_n": int, "is_iql": bool, "scoring_method": str}
        | {"chunking_options": dict},
        "texts",
        _listed("results", lambda tokens: {"usage": {"input_tokens": tokens}}, model=False),
        "score",
        required=("model", "query"),
        nullable=("top_n", "chunking_options"),
    ),
    "contextual": WireFormat(
        "/v1/rerank",
        {**_TEXT, "documents": list, "top_n": int, "instruction": str, "metadata": list},
        "documents",
        _listed("results", lambda _: {}, model=False),
        required=("model", "query"),
    ),
    "bedrock": WireFormat(
        "/rerank",
        {"queries": list, "sources": list, "rerankingConfiguration": dict, "nextToken": str},
        "sources",
        _listed("results", lambda _: {}, model=False),
        "relevanceScore",
        required=("queries", "rerankingConfiguration"),
        prefix="AWS4-HMAC-SHA256 Credential=",
        error=lambda _, words: {"message": words},
    ),
    "elastic": WireFormat(
        "/_inference/rerank/.rerank-v1-elasticsearch",
        {
            "query": str,
            "input": (list, str),
            "top_n": int,
            "return_documents": bool,
            "task_settings": dict,
        },
        "input",
        _listed("rerank", lambda _: {}, model=False),
        prefix="ApiKey ",
        open=True,
        error=lambda status, words: {"error": {"reason": words}, "status": status},
    ),
    "nim": WireFormat(
        "/v1/ranking",
        {"model": str, "query": dict, "passages": list, "truncate": str, "top_k": int},
        "passages",
        _listed("rankings", lambda tokens: {"usage": {"total_tokens": tokens}}, model=False),
        "logit",
        required=("model", "query"),
        open=True,
    ),
    "tei": WireFormat(
        "/rerank",
        {"query": str, "texts": list, "truncate": bool, "truncation_direction": str}
        | {"raw_scores": bool, "return_text": bool},
        "texts",
        lambda results, _tokens, _served: results,
        "score",
        open=True,
        limit=32,
        error=lambda _, words: {"error": words, "error_type": "Validation"},
    ),
    "vllm": WireFormat(
        "/rerank",
        {**_TEXT, "documents": list, "top_n": int, "truncate_prompt_tokens": int, "priority": int},
        "documents",
        _listed("results", _tokens),
        required=("model", "query"),
        open=True,
        error=_NESTED,
    ),
    "openrouter-rerank": WireFormat(
        "/api/v1/rerank",
        {**_TEXT, "documents": list, "top_n": int, "provider": dict},
        "documents",
        _listed("results", _tokens),
        required=("model", "query"),
        error=_NESTED,
    ),
    "vercel-rerank": WireFormat(
        "/v2/rerank",
        {**_TEXT, "documents": list, "top_n": int, "max_tokens_per_doc": int},
        "documents",
        _listed("results", lambda _: {}, model=False),
        required=("model", "query"),
        error=_NESTED,
    ),
    "infinity": WireFormat(
        "/rerank",
        {**_TEXT, "documents": list, "top_n": int, "return_documents": bool, "raw_scores": bool},
        "documents",
        _listed("results", _tokens),
        required=("model", "query"),
        open=True,
        error=_NESTED,
    ),
}


def top_of(body: Mapping[str, Any]) -> int | None:
    """How many results a request asks for; None for all."""
    inside = body.get("rerankingConfiguration", {}).get("bedrockRerankingConfiguration", {})
    listed = [body.get("top_n"), body.get("top_k"), inside.get("numberOfResults")]
    return next((top for top in listed if isinstance(top, int) and top > 0), None)


def checked(
    wire: WireFormat, path: str, headers: Mapping[str, str], body: Any, keys: set[str]
) -> tuple[int, str]:
    """The status and message with which a provider refuses a request, or (0, "")."""
    if path.split("?")[0] != wire.path:
        return 404, f"no such path {path}"
    key = headers.get(wire.auth, "")
    known = any(key.startswith(wire.prefix + k) for k in keys)
    if not known and not (wire.open and not key):
        return 401, "invalid api token"
    if not isinstance(body, dict):
        return 400, "the body is not a JSON object"
    for name, value in body.items():
        if name not in wire.fields:
            return 422, f"unknown field: {name}"
        if value is None and name in wire.nullable:
            continue
        if value is None:
            return 400, f"{name} must not be null"
        if not isinstance(value, wire.fields[name]):
            return 422, f"{name} has the wrong type"
    missing = [name for name in (*wire.required, wire.texts) if not body.get(name)]
    if missing:
        return 400, f"{missing[0]} is required"
    if wire.limit and len(body[wire.texts]) > wire.limit:
        return 413, f"batch size {len(body[wire.texts])} > maximum allowed {wire.limit}"
    if not all(text_of(item).strip() for item in body[wire.texts]):
        return 400, "documents must not be blank"
    return 0, ""


def query_of(body: Any) -> str:
    """The query of a request in any of the formats."""
    if "queries" in body:
        return str(body["queries"][0]["textQuery"]["text"])
    query = body["query"]
    return str(query["text"] if isinstance(query, dict) else query)


def text_of(item: Any) -> str:
    """The text of one document of a request in any of the formats."""
    if isinstance(item, dict):
        inline = item.get("inlineDocumentSource")
        return str(inline["textDocument"]["text"] if inline else item.get("text", ""))
    return str(item)
