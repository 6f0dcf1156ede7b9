"""A model behind an OpenAI-compatible endpoint, asked through the official `openai` SDK.

The SDK's own retries are off (ours know the deadline, the cancel token and the spend limit). It
sends through the transport of the hosted rerankers, which checks addresses and records, and
nothing that the SDK reads from the environment (organisation, custom headers) goes along.
"""

from __future__ import annotations

import json
import time
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from rerank_lab.core.context import Context
from rerank_lab.core.errors import BackendError, LabError
from rerank_lab.core.spec import Literal
from rerank_lab.core.spend import CostEstimate
from rerank_lab.remote import urls
from rerank_lab.remote.access import Access, access_of, host_of, server_of
from rerank_lab.remote.errors import (
    LONGEST_RETRY_AFTER_S,
    Fault,
    error_of,
    pause,
    pause_before,
    retry_after,
)
from rerank_lab.remote.gather import watched
from rerank_lab.remote.limits import limiter_of
from rerank_lab.remote.providers import Provider, ReplyMap
from rerank_lab.rerankers.base import Work
from rerank_lab.rerankers.llm.messages import Ask, Said, mean_of, tokens

T = TypeVar("T")
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Known:
    """What the data says of an endpoint. `prices` are (read, written) USD a million tokens."""

    provider: Provider
    limit_field: str = "max_tokens"
    top_logprobs: int = 20
    prices: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    free: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint with one model. Holds no key: that comes from the context, call by call."""

    options: Mapping[str, Literal]

    @property
    def model(self) -> str:
        return str(self.options["model"])

    @property
    def known(self) -> Known:
        return known_of(str(self.options["base_url"]), str(self.options["key_variable"]))

    def base_url(self, key: str = "") -> str:
        """Where requests go. Raises InvalidInput for an address that is not well formed."""
        given = str(self.options["base_url"]).strip()
        if given:
            urls.check_form(given)
        return given or self.known.provider.base_url

    def access(self, ctx: Context) -> Access:
        """Key and address for one call. Raises MissingKey or InvalidInput with the next step."""
        if ctx.recording is not None and ctx.recording.replaying:
            # Nothing is sent: no key is needed and no address is refused.
            given = str(self.options["base_url"]).strip()
            return Access(
                given or self.known.provider.base_url or "http://recording", "", False, ()
            )
        return access_of(self.known.provider, self.base_url, ctx)

    def estimate(self, calls: int, read: float, written: float) -> CostEstimate:
        """What `calls` calls with so many tokens in all would cost, as far as prices are known."""
        cost, as_of = self._cost(read, written), self.known.provider.as_of
        return CostEstimate(calls, read + written, "tokens", cost, "USD", as_of if cost else "")

    def ask(self, ask: Ask, work: Work) -> Said:
        limit = {self.known.limit_field: ask.max_tokens + int(self.options["reasoning_tokens"])}
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": role, "content": text} for role, text in ask.messages],
            **limit,
            **self._sampling(),
        }
        if ask.top:
            body |= {"logprobs": True, "top_logprobs": ask.top}
        if ask.schema is not None:
            body["response_format"] = {"type": "json_schema", "json_schema": ask.schema}
        from openai.types.chat import ChatCompletion

        # `chat.completions.create` checks every turn against the SDK's types, two thirds of a
        # call's time where each passage has turns of its own; ours are plain already.
        reply = self._call(
            lambda sdk: sdk.post("/chat/completions", cast_to=ChatCompletion, body=body),
            tokens(ask.messages),
            ask.max_tokens,
            work,
        )
        return _said(reply)

    def likelihood(self, before: str, text: str, work: Work) -> float:
        """By the completions call with `echo`, which gives the prompt's own probabilities.

        vLLM and some others offer it; chat endpoints do not. Raises BackendError for these.
        """
        prompt = f"{before} {text}"
        reply = self._call(
            lambda sdk: sdk.completions.create(
                model=self.model, prompt=prompt, max_tokens=1, echo=True, logprobs=1, temperature=0
            ),
            tokens((("user", prompt),)),
            1,
            work,
        )
        choice = reply.choices[0]
        told = choice.logprobs
        offsets = getattr(told, "text_offset", None) or []
        found = getattr(told, "token_logprobs", None) or []
        span = range(len(before), len(prompt))
        mine = [p for at, p in zip(offsets, found, strict=False) if at in span and p is not None]
        if not mine or not str(choice.text).startswith(prompt):
            raise no_probabilities(self.base_url(), "the probabilities of the prompt's own words")
        return mean_of(mine)

    def _sampling(self) -> dict[str, Any]:
        temperature = float(self.options["temperature"])
        heat = {} if temperature < 0 else {"temperature": temperature}
        return {**heat, "seed": int(self.options["seed"])}

    def _call(self, send: Callable[[Any], T], read: int, written: int, work: Work) -> T:
        """Send until it succeeds, cannot succeed, or has been tried often enough."""
        ctx = work.ctx
        access = self.access(ctx)
        replaying = ctx.recording is not None and ctx.recording.replaying
        attempts = 1 if replaying else 1 + int(self.options["retries"])
        limiter = limiter_of(
            "llm",
            server_of(access.base),
            access.key,
            int(self.options["requests_per_minute"]),
            int(self.options["tokens_per_minute"]),
        )
        expected = self.estimate(1, read, written)
        for attempt in range(attempts):
            if not replaying:
                work.add(queue_s=limiter.acquire(read + written, ctx))
            try:
                with work.timed("network_s"):
                    return watched(lambda: self._metered(send, access, expected, work), ctx)
            except Fault as fault:
                asked = retry_after(fault.headers) or 0.0
                last = attempt + 1 == attempts or asked > LONGEST_RETRY_AFTER_S
                if not fault.retryable or last:
                    raise self._refusal(fault, access, attempt + 1, read) from None
                wait = pause_before(attempt, fault)
                if fault.status == 429:
                    limiter.hold(asked)
                with work.timed("queue_s"):
                    pause(wait, ctx, self.known.provider.title)
                work.add(calls=1, retries=1)
        raise AssertionError("unreachable")

    def _metered(
        self, send: Callable[[Any], T], access: Access, expected: CostEstimate, work: Work
    ) -> T:
        """One attempt within the spend limit. One that timed out counts: it may be billed."""
        meter, billed = work.ctx.spend, 0.0
        replaying = work.ctx.recording is not None and work.ctx.recording.replaying
        reserved = 0.0 if replaying else meter.reserve(expected, f"A call of {self.model}")
        try:
            reply = self._sent(send, access, work.ctx)
            billed = self._count(reply, work, replaying)
            return reply
        except Fault as fault:
            billed = reserved if fault.kind == "timeout" else 0.0
            raise
        finally:
            if not replaying:
                meter.settle(reserved, billed)

    def _count(self, reply: Any, work: Work, replaying: bool) -> float:
        """Write usage, cost and the model that answered to the trace; what was billed."""
        usage = getattr(reply, "usage", None)
        read = int(getattr(usage, "prompt_tokens", 0) or 0)
        written = int(getattr(usage, "completion_tokens", 0) or 0)
        cost = 0.0 if replaying else self._cost(read, written)
        served = str(getattr(reply, "model", "") or "")
        work.add(
            tokens_in=read,
            tokens_out=written,
            units=float(read + written),
            unit="tokens",
            cost=cost or 0.0,
            cost_unit="USD" if cost is not None else "",
            model_asked=self.model,
            model_served=served,
            backend=self.known.provider.title,
        )
        if served and not _same_model(self.model, served):
            work.warn(f"Asked for {self.model}, answered by {served}.")
        return cost or 0.0

    def _cost(self, read: float, written: float) -> float | None:
        given = float(self.options["price_in"]), float(self.options["price_out"])
        listed = (0.0, 0.0) if self.known.free else self.known.prices.get(self.model)
        if min(given) < 0 and listed is None:
            return None
        prices = [g if g >= 0 else p for g, p in zip(given, listed or given, strict=True)]
        return (read * prices[0] + written * prices[1]) / _MILLION

    def _sent(self, send: Callable[[Any], T], access: Access, ctx: Context) -> T:
        import openai

        from rerank_lab.remote.transport import Line, faults
        from rerank_lab.rerankers.llm.sdk import client

        timeout_s = self._timeout(ctx)
        line = Line(
            "llm",
            timeout_s,
            access.secrets,
            ctx.recording,
            access.own,
            str(self.options["base_url"]),
        )
        with faults(), client(line, access.key) as http:
            sdk = openai.OpenAI(
                api_key=access.key or "none",
                base_url=access.base,
                timeout=timeout_s,
                max_retries=0,
                http_client=http,
            )
            try:
                reply = send(sdk)
            except openai.APIStatusError as error:
                raise _fault_of(error.response) from None
            except openai.APIConnectionError as error:
                # What our own transport raised: the SDK only wraps it.
                raise (error.__cause__ or error) from None
            except (openai.OpenAIError, json.JSONDecodeError) as error:
                raise _unreadable(access.base, str(error)) from None
        if not getattr(reply, "choices", None):
            raise _unreadable(access.base, "it holds no choices")
        return reply

    def _timeout(self, ctx: Context) -> float:
        timeout = float(self.options["timeout_s"])
        if ctx.deadline is None:
            return timeout
        ctx.checkpoint()
        return max(0.05, min(timeout, ctx.deadline - time.monotonic()))

    def _refusal(self, fault: Fault, access: Access, attempts: int, read: int) -> LabError:
        provider, sent = self.known.provider, f"about {read:,} tokens"
        error = error_of(fault, provider, access.secrets, attempts, sent)
        if fault.status == 400 and "response_format" in fault.body:
            error.hint = 'This endpoint takes no JSON schema: use form="rankllm".'
        elif fault.status in (400, 422) and "logprobs" in fault.body:
            error = no_probabilities(access.base, "token probabilities", fault.body)
        elif fault.status in (401, 403) and not access.key:
            error.hint = (
                f"The endpoint wants a key: enter one for {provider.key} on the Models page. "
                f"One in the environment is sent only to hosts named in {urls.KEY_HOSTS}."
            )
        return error


def no_probabilities(base: str, what: str, body: str = "") -> BackendError:
    """The endpoint does not tell what this form needs."""
    return BackendError(
        f"The endpoint at {host_of(base)} does not give {what}, which this form needs.",
        hint='Use backend="local", an endpoint that gives them (such as vLLM), or another form.',
        details=body,
    )


@cache
def _endpoints() -> Mapping[str, Known]:
    """Known endpoints by host."""
    raw = tomllib.loads(Path(__file__).with_name("endpoints.toml").read_text("utf-8"))
    found = {}
    for name, entry in raw.items():
        provider = _provider(name, entry["title"], entry["key"], entry["base_url"], entry)
        prices = {model: (cost[0], cost[1]) for model, cost in entry.get("models", {}).items()}
        field_name = entry.get("limit_field", "max_tokens")
        found[host_of(entry["base_url"])] = Known(
            provider, field_name, int(entry["top_logprobs"]), prices
        )
    return found


def endpoints() -> tuple[Known, ...]:
    """The endpoints that the data names."""
    return tuple(_endpoints().values())


def known_of(base_url: str, key_variable: str) -> Known:
    """What is known of the endpoint at an address; "" stands for OpenAI's own.

    An endpoint that the data does not name may want a key or not; one of this machine is free.
    """
    host = host_of(base_url.strip()) if base_url.strip() else "api.openai.com"
    found = _endpoints().get(host)
    if found is not None:
        return found
    provider = _provider(host, host, key_variable, "", {"key_optional": True})
    return Known(provider, free=bool(host) and urls.is_private(base_url))


def _provider(name: str, title: str, key: str, base_url: str, entry: Mapping[str, Any]) -> Provider:
    return Provider(
        name=name,
        title=title,
        path="/chat/completions",
        scale="order",
        unit="tokens",
        default="",
        as_of=str(entry.get("as_of", "")),
        source=str(entry.get("source", "")),
        reply=ReplyMap("", "", "", error="error.message"),
        key=key,
        key_optional=bool(entry.get("key_optional", False)),
        base_url=base_url,
    )


def _same_model(asked: str, served: str) -> bool:
    """An alias may be answered by a dated version, and routers leave out or add the owner."""
    short, got = (name.split("/")[-1].lower() for name in (asked, served))
    return got.startswith(short) or short.startswith(got)


def _said(reply: Any) -> Said:
    choice = reply.choices[0]
    message = choice.message
    if message is None:
        return Said("")
    told = getattr(choice.logprobs, "content", None) if choice.logprobs else None
    first = None
    if told:
        first = tuple((str(t.token), float(t.logprob)) for t in told[0].top_logprobs or [])
    refused = choice.finish_reason == "content_filter" or bool(getattr(message, "refusal", None))
    return Said(str(message.content or ""), choice.finish_reason == "length", refused, first)


def _fault_of(response: Any) -> Fault:
    return Fault(
        "status",
        status=response.status_code,
        headers=dict(response.headers),
        body=response.text,
    )


def _unreadable(base: str, why: str) -> BackendError:
    return BackendError(
        f"The endpoint at {host_of(base)} gave a reply that cannot be read: {why}.",
        hint="Check that the base URL is an OpenAI-compatible one; most end in /v1.",
    )
