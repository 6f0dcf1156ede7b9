"""Servers of one's own: Text Embeddings Inference, vLLM, Infinity, NVIDIA NIM, Elastic."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import quote

from rerank_lab.components.registry import Param
from rerank_lab.remote import urls
from rerank_lab.remote.providers import Limits, providers
from rerank_lab.rerankers.hosted.mapped import TRUNCATE, MappedReranker
from rerank_lab.rerankers.hosted.options import hosted_info
from rerank_lab.rerankers.hosted.responses import Answer

BATCH = Param(
    "batch",
    32,
    "Documents a request, as the server was started to allow (--max-client-batch-size).",
    low=1,
    high=10_000,
    unit="documents",
    label="Documents a request",
    execution=True,
)


class TEI(MappedReranker):
    """A bare list comes back; the times that the server measured come as headers."""

    provider = providers()["tei"]
    info = hosted_info("tei", BATCH, summary="A Text Embeddings Inference server of your own.")

    @property
    def limits(self) -> Limits:
        return replace(super().limits, documents=int(self.options["batch"]))

    def read(self, payload: Any, sent: int, headers: Any) -> Answer:
        answer = super().read(payload, sent, headers)
        tokens = headers.get("x-compute-tokens", "")
        return replace(
            answer,
            tokens=int(tokens) if tokens.isdigit() else 0,
            server_s=_milliseconds(headers.get("x-total-time", "")) / 1000,
        )


class VLLM(MappedReranker):
    provider = providers()["vllm"]
    info = hosted_info(
        "vllm",
        Param(
            "truncate_prompt_tokens",
            0,
            "Tokens of query and document that are read; 0 leaves it to the server.",
            low=0,
            high=1_000_000,
            unit="tokens",
            label="Longest input",
            automatic="left to the server",
        ),
        summary="A vLLM server of your own.",
    )

    def extra(self) -> dict[str, Any]:
        longest = int(self.options["truncate_prompt_tokens"])
        return {"truncate_prompt_tokens": longest} if longest else {}


class Infinity(MappedReranker):
    provider = providers()["infinity"]
    info = hosted_info("infinity", summary="An Infinity server of your own.")


class NIM(MappedReranker):
    """Scores are logits without bounds. The hosted address names the model, with _ for dots."""

    provider = providers()["nim"]
    info = hosted_info("nim", TRUNCATE, summary="NVIDIA NIM, hosted or on a server of your own.")

    def url(self, base: str) -> str:
        if str(self.options["base_url"]).strip():
            return urls.joined(base, self.provider.path)
        return urls.joined(base, f"/v1/retrieval/{quote(self.model.replace('.', '_'))}/reranking")

    def extra(self) -> dict[str, Any]:
        return {"truncate": self.options["truncate"]}


class Elastic(MappedReranker):
    """`model` is the id of a rerank inference endpoint."""

    provider = providers()["elastic"]
    info = hosted_info("elastic", summary="A rerank inference endpoint of Elasticsearch.")


def _milliseconds(text: str) -> float:
    try:
        return max(0.0, float(text))
    except ValueError:
        return 0.0
