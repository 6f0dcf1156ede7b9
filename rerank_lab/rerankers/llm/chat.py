"""A language model behind an OpenAI-compatible endpoint: chat and completions calls as JSON."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from rerank_lab.core.context import Context, Response
from rerank_lab.core.errors import BackendError, LabError
from rerank_lab.core.spec import Literal
from rerank_lab.core.spend import CostEstimate
from rerank_lab.core.work import Work
from rerank_lab.remote import urls
from rerank_lab.remote.access import Access, access_of, replayed
from rerank_lab.remote.caller import CallResult, RemoteCaller, Request, RequestPolicy
from rerank_lab.remote.providers import Provider, ReplyMap
from rerank_lab.remote.refusals import RemoteError
from rerank_lab.remote.responses import Completion, completion
from rerank_lab.rerankers.llm.messages import ChatRequest, mean_of, tokens

_MILLION = 1_000_000
_OPENAI = "api.openai.com"
_OPTIONAL_FIELDS = ("seed", "temperature")
_LIMIT_FIELDS = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}


@dataclass(frozen=True, slots=True)
class ChatProvider:
    """What the data says of an endpoint. `models` are (read, written) USD a million tokens."""

    title: str
    base_url: str
    key: str
    key_optional: bool = False
    limit_field: str = "max_tokens"
    top_logprobs: int = 20
    source: str = ""
    as_of: str = ""
    models: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    name: str = ""

    @property
    def provider(self) -> Provider:
        """The same as the remote caller knows providers."""
        return Provider(
            name=self.name,
            title=self.title,
            path="/chat/completions",
            scale="order",
            unit="tokens",
            default="",
            as_of=self.as_of,
            source=self.source,
            reply=ReplyMap(error="error.message"),
            key=self.key,
            key_optional=self.key_optional,
            base_url=self.base_url,
            protocol="chat",
        )


@dataclass(frozen=True, slots=True)
class ChatEndpoint:
    """One endpoint with one model. Holds no key: that comes from the context, call by call."""

    options: Mapping[str, Literal]

    @property
    def model(self) -> str:
        """The model's name, as the endpoint writes it."""
        return str(self.options["model"])

    @property
    def known(self) -> ChatProvider:
        """What the data says of the endpoint."""
        return chat_provider(self.typed_address, str(self.options["key_variable"]))

    @property
    def typed_address(self) -> str:
        """The address that somebody typed, "" for OpenAI's own."""
        return str(self.options["base_url"]).strip()

    def base_url(self, key: str = "") -> str:
        """Where requests go. Raises InvalidInput for an address that is not well formed."""
        if self.typed_address:
            urls.check_form(self.typed_address)
        return self.typed_address or self.known.base_url

    def access(self, ctx: Context) -> Access:
        """Key and address for one call. Raises MissingKey or InvalidInput with the next step."""
        return access_of(self.known.provider, self.base_url, ctx, self.typed_address)

    def estimate(self, calls: int, read: float, written: float) -> CostEstimate:
        """What `calls` calls with so many tokens in all would cost, as far as prices are known."""
        cost = self._cost(read, written)
        return CostEstimate(
            calls,
            read + written,
            "tokens",
            cost,
            "USD",
            self.known.as_of if cost else "",
            () if cost is not None else (f"the price of {self.model} at {self._host}",),
            ("price_in", "price_out"),
        )

    def chat(self, request: ChatRequest, work: Work) -> Completion:
        """Ask by the chat completions call."""
        limit = request.max_tokens + int(self.options["reasoning_tokens"])
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": role, "content": text} for role, text in request.messages],
            self.known.limit_field: limit,
            **self._sampling(),
        }
        if request.top_logprobs:
            body |= {"logprobs": True, "top_logprobs": request.top_logprobs}
        if request.schema is not None:
            body["response_format"] = {"type": "json_schema", "json_schema": request.schema}
        size = tokens(request.messages)
        return self._complete("/chat/completions", body, size, request.max_tokens, work)

    def likelihood(self, before: str, text: str, work: Work) -> float:
        """By the completions call with `echo`, which gives the prompt's own probabilities.

        vLLM and some others offer it; chat endpoints do not. Raises BackendError for these.
        """
        prompt = f"{before} {text}"
        body = {"model": self.model, "prompt": prompt, "max_tokens": 1, "echo": True,
                "logprobs": 1, "temperature": 0}  # fmt: skip
        size = tokens((("user", prompt),))
        answer = self._complete("/completions", body, size, 1, work)
        span = range(len(before), len(prompt))
        logprobs = [p for offset, p in answer.prompt_logprobs if offset in span]
        if not logprobs or not answer.text.startswith(prompt):
            raise no_probabilities(self.base_url(), "the probabilities of the prompt's own words")
        return mean_of(logprobs)

    @property
    def _host(self) -> str:
        return urls.host_of(self.typed_address) or _OPENAI

    def _sampling(self) -> dict[str, Any]:
        temperature = float(self.options["temperature"])
        heat = {} if temperature < 0 else {"temperature": temperature}
        return {**heat, "seed": int(self.options["seed"])}

    def _complete(
        self, path: str, body: dict[str, Any], read: int, written: int, work: Work
    ) -> Completion:
        """Send, once more without each optional field that the endpoint says it does not take."""
        caller = RemoteCaller(self._policy(work.ctx))
        tried = set(body)
        while True:
            try:
                result = self._call(caller, path, body, read, written, work)
            except RemoteError as error:
                accepted = _without_refused_field(body, error, tried)
                if accepted is None:
                    raise self._explained(error, caller.policy.access) from None
                left_out = ", ".join(sorted(body.keys() - accepted.keys()))
                work.warn(f"{self._host} does not take {left_out}: it was left out.")
                body = accepted
                tried |= set(body)
            else:
                self._count(result, work)
                return result.value

    def _call(
        self,
        caller: RemoteCaller,
        path: str,
        body: dict[str, Any],
        read: int,
        written: int,
        work: Work,
    ) -> CallResult[Completion]:
        request = Request(
            url=caller.policy.access.base.rstrip("/") + path,
            body=body,
            estimate=self.estimate(1, read, written),
            tokens=read + written,
            summary=f"about {read:,} tokens",
        )

        def read_answer(response: Response) -> Completion:
            return completion(response, urls.host_of(caller.policy.access.base))

        def billed(answer: Completion) -> float:
            return self._cost(answer.tokens_in, answer.tokens_out) or 0.0

        return caller.call(request, read_answer, billed, work.ctx)

    def _policy(self, ctx: Context) -> RequestPolicy:
        return RequestPolicy(
            name="llm",
            provider=self.known.provider,
            access=self.access(ctx),
            recorded_place=str(self.options["base_url"]),
            timeout_s=float(self.options["timeout_s"]),
            retries=int(self.options["retries"]),
            requests_per_minute=int(self.options["requests_per_minute"]),
            tokens_per_minute=int(self.options["tokens_per_minute"]),
        )

    def _count(self, result: CallResult[Completion], work: Work) -> None:
        """Write usage, cost and the model that answered to the trace."""
        answer = result.value
        cost = 0.0 if replayed(work.ctx) else self._cost(answer.tokens_in, answer.tokens_out)
        work.add(
            calls=result.retries,  # the base counts one
            retries=result.retries,
            queue_s=result.queue_s,
            network_s=result.network_s,
            tokens_in=answer.tokens_in,
            tokens_out=answer.tokens_out,
            units=float(answer.tokens_in + answer.tokens_out),
            unit="tokens",
            cost=cost or 0.0,
            cost_unit="USD" if cost is not None else "",
            model_asked=self.model,
            model_served=answer.model,
            backend=self.known.title,
        )
        if answer.model and not _same_model(self.model, answer.model):
            work.warn(f"Asked for {self.model}, answered by {answer.model}.")

    def _cost(self, read: float, written: float) -> float | None:
        """In USD; None when no price is known.

        An address of this machine or network is not taken for free: a gateway to a paid model may
        listen there.
        """
        stated = float(self.options["price_in"]), float(self.options["price_out"])
        listed = self.known.models.get(self.model)
        if min(stated) < 0 and listed is None:
            return None
        prices = [s if s >= 0 else p for s, p in zip(stated, listed or stated, strict=True)]
        return (read * prices[0] + written * prices[1]) / _MILLION

    def _explained(self, error: RemoteError, access: Access) -> LabError:
        cause = error.cause
        if cause.status == 400 and "response_format" in cause.body:
            error.hint = 'This endpoint takes no JSON schema: use form="rankllm".'
        elif cause.status in (400, 422) and "logprobs" in cause.body:
            return no_probabilities(access.base, "token probabilities", error.details)
        return error


def no_probabilities(base: str, what: str, body: str = "") -> BackendError:
    """The error for an endpoint that does not give what a form needs."""
    return BackendError(
        f"The endpoint at {urls.host_of(base)} does not give {what}, which this form needs.",
        hint='Use backend="local", an endpoint that gives them (such as vLLM), or another form.',
        details=body,
    )


@cache
def _chat_providers() -> Mapping[str, ChatProvider]:
    """Known endpoints by host."""
    entries = tomllib.loads(Path(__file__).with_name("endpoints.toml").read_text("utf-8"))
    listed = [
        msgspec.convert(entry | {"name": name}, ChatProvider) for name, entry in entries.items()
    ]
    return {urls.host_of(provider.base_url): provider for provider in listed}


def chat_providers() -> tuple[ChatProvider, ...]:
    """The endpoints that the data names."""
    return tuple(_chat_providers().values())


def chat_provider(base_url: str, key_variable: str) -> ChatProvider:
    """What is known of the endpoint at an address; "" stands for OpenAI's own.

    An endpoint that the data does not name may want a key or not.
    """
    host = urls.host_of(base_url.strip()) if base_url.strip() else _OPENAI
    known = _chat_providers().get(host)
    return known or ChatProvider(host, "", key_variable, key_optional=True, name=host)


def _without_refused_field(
    body: dict[str, Any], error: RemoteError, tried: set[str]
) -> dict[str, Any] | None:
    """The body without the optional field that a refusal names; None when it names none.

    `tried` are the fields of all bodies sent so far: the limit changes its name at most once.
    """
    if error.cause.status not in (400, 422):
        return None
    for name in _OPTIONAL_FIELDS:
        if name in body and re.search(rf"\b{name}\b", error.cause.body):
            return {key: value for key, value in body.items() if key != name}
    for name, other in _LIMIT_FIELDS.items():
        if name in body and other not in tried and re.search(rf"\b{name}\b", error.cause.body):
            return {(other if key == name else key): value for key, value in body.items()}
    return None


def _same_model(name: str, served: str) -> bool:
    """An alias may be answered by a dated version, and routers leave out or add the owner."""
    short, got = (full.split("/")[-1].lower() for full in (name, served))
    return got.startswith(short) or short.startswith(got)
