"""The shapes of rerank services: Cohere's (v2 and v1), Jina's and vLLM's, TEI's, infinity's.

Scores are those of the pipeline's last stage as they are, and the answer names their scale where
the shape has room. TEI's and infinity's shapes alone turn logits into probabilities unless
`raw_scores` is set, as they do. A document without a score is left out: none is made up.
"""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Annotated, Any

import msgspec

from rerank_lab.core.types import well_formed
from rerank_lab.server.decoding import BodyFields
from rerank_lab.server.refusals import RequestRefused
from rerank_lab.server.reranking import RerankAnswer, RerankCall

Fields = Mapping[str, msgspec.Raw]


class TextObject(msgspec.Struct):
    """A document as an object; its other fields are not read."""

    text: str


@dataclass(frozen=True, slots=True)
class RerankShape:
    """One shape.

    Attributes:
        texts: The field that holds the documents.
        fields: What a body has.
        read: The call that a body's fields make. Raises RequestRefused.
        answer: The body of an answer.
        refusal: The body of an error, of its status and message.
    """

    texts: str
    fields: BodyFields
    read: Callable[[Fields], RerankCall]
    answer: Callable[[RerankAnswer, RerankCall], Any]
    refusal: Callable[[int, str], Mapping[str, Any]]


_TOP = Annotated[int, msgspec.Meta(ge=1)]
_DOCUMENTS = BodyFields(
    {
        "model": str,
        "query": str,
        "documents": list[str | TextObject],
        "top_n": _TOP,
        "return_documents": bool,
        "rank_fields": list[str],
    },
    ("query", "documents"),
    # About length and billing: a pipeline says in its spec how it reads long documents.
    frozenset(
        {
            "max_tokens_per_doc", "max_chunks_per_doc", "priority", "truncation", "user",
            "truncate_prompt_tokens",
        }
    ),
)  # fmt: skip
_TEI = BodyFields(
    {"model": str, "query": str, "texts": list[str], "raw_scores": bool, "return_text": bool},
    ("query", "texts"),
    # TEI itself has neither `model` nor `top_n`, and answers clients that send them.
    frozenset({"truncate", "truncation_direction", "top_n"}),
)

_INFINITY = BodyFields(
    {**_DOCUMENTS.types, "raw_scores": bool}, _DOCUMENTS.required, _DOCUMENTS.without_effect
)


def _read_documents(fields: Fields) -> RerankCall:
    values = _DOCUMENTS.values(fields)
    if set(values.get("rank_fields", ())) - {"text"}:
        raise RequestRefused(422, 'rank_fields: only ["text"] is read; join other fields to it.')
    return RerankCall(
        values["query"],
        [item if isinstance(item, str) else item.text for item in values["documents"]],
        values.get("model", ""),
        values.get("top_n"),
        values.get("return_documents", False),
    )


def _read_tei(fields: Fields) -> RerankCall:
    values = _TEI.values(fields)
    return RerankCall(
        values["query"],
        values["texts"],
        values.get("model", ""),
        with_texts=values.get("return_text", False),
        raw_scores=values.get("raw_scores", False),
    )


def _read_infinity(fields: Fields) -> RerankCall:
    others = {name: raw for name, raw in fields.items() if name != "raw_scores"}
    raw_scores = _INFINITY.values(fields).get("raw_scores", False)
    return replace(_read_documents(others), raw_scores=raw_scores)


def _results(answer: RerankAnswer, call: RerankCall) -> list[dict[str, Any]]:
    return [
        {"index": place, "relevance_score": score}
        | ({"document": {"text": well_formed(call.texts[place])}} if call.with_texts else {})
        for place, score in answer.scored
    ]


def _cohere(version: str) -> Callable[[RerankAnswer, RerankCall], Any]:
    def body(answer: RerankAnswer, call: RerankCall) -> dict[str, Any]:
        meta: dict[str, Any] = {
            "api_version": {"version": version},
            "pipeline": answer.model,
            "scale": answer.scale,
        }
        warnings = _warnings(answer, call.texts)
        return {
            "id": str(uuid.uuid4()),
            "model": answer.model,
            "results": _results(answer, call),
            "meta": meta | ({"warnings": warnings} if warnings else {}),
            **_usage(answer),
        }

    return body


def _usage(answer: RerankAnswer) -> Mapping[str, Any]:
    """Tokens where they were counted, as Jina and vLLM report them."""
    tokens = answer.trace.tokens_in
    return {"usage": {"total_tokens": tokens, "prompt_tokens": tokens}} if tokens else {}


def _warnings(answer: RerankAnswer, texts: Sequence[str]) -> list[str]:
    warnings = list(answer.trace.warnings)
    if answer.unscored:
        warnings.append(
            f"{answer.unscored} of {len(texts)} documents are left out: they have no score."
        )
    return warnings


def _tei(answer: RerankAnswer, call: RerankCall) -> list[dict[str, Any]]:
    return [
        {"index": place, "score": score}
        | ({"text": well_formed(call.texts[place])} if call.with_texts else {})
        for place, score in _likely(answer, call)
    ]


def _infinity(answer: RerankAnswer, call: RerankCall) -> dict[str, Any]:
    # Infinity's usage counts the characters of query and text, for every text.
    characters = sum(len(call.query) + len(text) for text in call.texts)
    return {
        "object": "rerank",
        "id": f"infinity-{uuid.uuid4()}",
        "model": answer.model,
        "created": int(time.time()),
        "results": [
            {"index": place, "relevance_score": score}
            | ({"document": well_formed(call.texts[place])} if call.with_texts else {})
            for place, score in _likely(answer, call)
        ],
        "usage": {"prompt_tokens": characters, "total_tokens": characters},
    }


def _likely(answer: RerankAnswer, call: RerankCall) -> list[tuple[int, float]]:
    """The scores, logits as probabilities unless they are to stay as they are."""
    if answer.scale != "logit" or call.raw_scores:
        return list(answer.scored)
    return [(place, _probability(score)) for place, score in answer.scored]


def _probability(logit: float) -> float:
    """1 / (1 + e^-logit) without overflow."""
    if logit >= 0:
        return 1.0 / (1.0 + math.exp(-logit))
    grown = math.exp(logit)
    return grown / (1.0 + grown)


def _tei_refusal(status: int, message: str) -> Mapping[str, Any]:
    kinds = {422: "Validation", 413: "Validation", 429: "Overloaded"}
    return {"error": message, "error_type": kinds.get(status, "Backend")}


def _vllm_refusal(status: int, message: str) -> Mapping[str, Any]:
    return {"error": {"message": message, "type": HTTPStatus(status).phrase, "code": status}}


def _infinity_refusal(status: int, message: str) -> Mapping[str, Any]:
    return {"error": {"message": message, "type": None, "param": None, "code": status}}


COHERE_V2 = RerankShape(
    "documents", _DOCUMENTS, _read_documents, _cohere("2"), lambda _, message: {"message": message}
)
DOCUMENTS_V1 = RerankShape(
    "documents",
    _DOCUMENTS,
    _read_documents,
    _cohere("1"),
    # Cohere's clients read the one, Jina's the other.
    lambda _, message: {"message": message, "detail": message},
)
VLLM = RerankShape("documents", _DOCUMENTS, _read_documents, _cohere("1"), _vllm_refusal)
TEI = RerankShape("texts", _TEI, _read_tei, _tei, _tei_refusal)

INFINITY = RerankShape("documents", _INFINITY, _read_infinity, _infinity, _infinity_refusal)


def shape_of(fields: Fields) -> RerankShape:
    """The shape of a body at `/rerank`, where both TEI and vLLM are asked."""
    return VLLM if "documents" in fields else TEI
