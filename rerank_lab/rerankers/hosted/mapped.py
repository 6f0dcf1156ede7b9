"""One adapter for every provider whose API differs in names only: the names are data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import quote

from rerank_lab.components.registry import Param
from rerank_lab.remote import urls
from rerank_lab.remote.access import headers_of
from rerank_lab.remote.providers import providers
from rerank_lab.rerankers.hosted.base import Call, HostedReranker
from rerank_lab.rerankers.hosted.options import hosted_info
from rerank_lab.rerankers.hosted.responses import Answer, answer_of, parsed


class MappedReranker(HostedReranker):
    """JSON over HTTP by the field map of `providers.toml`. Null fields are never sent."""

    def send(self, call: Call) -> Answer:
        from rerank_lab.remote.transport import post

        headers = headers_of(self.provider, call.access.key)
        body = self.body(call.query, call.texts)
        reply = post(self.line(call), self.url(call.access.base), body, headers)
        return self.read(parsed(reply.text, self.provider), len(call.texts), reply.headers)

    def url(self, base: str) -> str:
        """The full address of the endpoint."""
        return urls.joined(base, self.provider.path.format(model=quote(self.model, safe="")))

    def body(self, query: str, texts: Sequence[str]) -> dict[str, Any]:
        """The JSON to send."""
        names, provider = self.provider.request, self.provider
        body: dict[str, Any] = {}
        if names.model and self.model:
            body[names.model] = self.model
        body[names.query] = {names.wrap_query: query} if names.wrap_query else query
        body[names.documents] = [{names.wrap: t} if names.wrap else t for t in texts]
        if provider.top:
            body[provider.top] = len(texts)
        return {**body, **provider.fixed, **self.extra()}

    def extra(self) -> dict[str, Any]:
        """Fields from this provider's own options; leave out what is at its default."""
        return {}

    @property
    def instruction(self) -> str:
        """On one line, "" for none."""
        return " ".join(str(self.options.get("instruction", "")).split())

    def read(self, payload: Any, sent: int, headers: Any) -> Answer:
        """The answer in a parsed reply."""
        return answer_of(payload, sent, self.provider)


INSTRUCTION = Param(
    "instruction",
    "",
    "What to prefer, in a sentence: prefer recent documents.",
    label="Instruction",
)


class Instructed(MappedReranker):
    """A provider that has no field for instructions: its models read one inside the query.

    `layout` holds {instruction} and {query}; `instructable` are the listed models that were
    trained to follow one. Another listed model reads it as more words, which a warning tells.
    """

    layout: ClassVar[str]
    instructable: ClassVar[frozenset[str]]

    def instructed(self, query: str) -> str:
        if not self.instruction:
            return query
        parts = {"query": query, "instruction": self.instruction}
        return re.sub(r"\{(query|instruction)\}", lambda m: parts[m[1]], self.layout)

    def read(self, payload: Any, sent: int, headers: Any) -> Answer:
        answer = super().read(payload, sent, headers)
        listed = {model.id for model in self.provider.models}
        if self.instruction and self.model in listed - self.instructable:
            return with_notes(answer, f"{self.model} follows no instruction: it is only more words "
                              "of the query to it.")  # fmt: skip
        return answer


class Voyage(Instructed):
    provider = providers()["voyage"]
    info = hosted_info("voyage", INSTRUCTION)
    layout = "{instruction}\n{query}"
    instructable = frozenset({"rerank-2.5", "rerank-2.5-lite"})


class Jina(MappedReranker):
    """jina-reranker-v3 reads all documents in one context: it is never split."""

    provider = providers()["jina"]
    info = hosted_info("jina")


class Mixedbread(MappedReranker):
    provider = providers()["mixedbread"]
    info = hosted_info("mixedbread")


LATENCY = Param(
    "latency",
    "fast",
    "fast is refused over the fast limit, where the provider's own default silently turns slow.",
    choices=("fast", "slow"),
    label="Latency mode",
    execution=True,
)


class ZeroEntropy(Instructed):
    provider = providers()["zeroentropy"]
    info = hosted_info("zeroentropy", INSTRUCTION, LATENCY)
    layout = "<query>{query}</query>\n<instructions>{instruction}</instructions>"
    instructable = frozenset({"zerank-2"})

    def extra(self) -> dict[str, Any]:
        return {"latency": self.options["latency"]}

    def read(self, payload: Any, sent: int, headers: Any) -> Answer:
        answer = super().read(payload, sent, headers)
        mode, asked = payload.get(self.provider.reply.mode), self.options["latency"]
        if isinstance(mode, str) and mode != asked:
            return with_notes(answer, f"ZeroEntropy ran in {mode} mode, {asked} was asked for.")
        return answer


TRUNCATE = Param(
    "truncate",
    "END",
    "What happens to a text that is too long: END cuts it, NONE refuses the request.",
    choices=("END", "NONE"),
    label="Too long texts",
)


class Pinecone(MappedReranker):
    provider = providers()["pinecone"]
    info = hosted_info("pinecone", TRUNCATE)

    def extra(self) -> dict[str, Any]:
        # cohere models on Pinecone take max_chunks_per_doc instead and refuse this parameter.
        if self.model.startswith("cohere"):
            return {}
        return {"parameters": {"truncate": self.options["truncate"]}}


class Together(MappedReranker):
    provider = providers()["together"]
    info = hosted_info("together")


class Isaacus(MappedReranker):
    provider = providers()["isaacus"]
    info = hosted_info("isaacus", summary="Isaacus' rerank API, for legal texts.")


class Contextual(MappedReranker):
    provider = providers()["contextual"]
    info = hosted_info("contextual", INSTRUCTION)

    def extra(self) -> dict[str, Any]:
        return {"instruction": self.instruction} if self.instruction else {}


def with_notes(answer: Answer, *notes: str) -> Answer:
    """The answer with further notes, which become warnings of the trace."""
    return replace(answer, notes=(*answer.notes, *notes))
