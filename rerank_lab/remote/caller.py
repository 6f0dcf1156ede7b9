"""The one caller of everything over a network.

Keys, the check of addresses, rate limits, the spend limit, timeouts, retries, recordings and the
wording of failures are here, once. Whoever calls says what to send and how the reply is read.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from rerank_lab.core.context import Context, Response
from rerank_lab.core.errors import BackendError, DeadlineExceeded
from rerank_lab.core.spend import CostEstimate
from rerank_lab.remote import urls
from rerank_lab.remote.access import Access, headers_of, replayed, server_of
from rerank_lab.remote.gather import watched
from rerank_lab.remote.limits import RateLimiter, limiter_of
from rerank_lab.remote.providers import Provider
from rerank_lab.remote.recordings import keepable, recorded, request_digest
from rerank_lab.remote.refusals import refusal
from rerank_lab.remote.responses import ErrorReply
from rerank_lab.remote.retries import (
    LONGEST_RETRY_AFTER_S,
    TransportError,
    pause,
    pause_before,
    retry_after,
)

T = TypeVar("T")
_SHORTEST_TIMEOUT_S = 0.05
_GRACE_S = 2.0
"""After the timeout, before an attempt is given up that its transport does not end, as when the
name of a host is looked up for minutes."""


@dataclass(frozen=True, slots=True)
class RequestPolicy:
    """How a provider is called for one query.

    `name` is what its recordings and rate limits are kept under, `recorded_place` what tells
    recordings of two servers apart: the address that somebody typed, "" for the provider's own.
    `timeout_s` bounds a call as a whole: all attempts, from connecting to the last byte, and the
    pauses between them. Only the wait for one's own rate limit comes before. `retries` are further
    attempts, as far as that time allows.
    """

    name: str
    provider: Provider
    access: Access
    recorded_place: str = ""
    timeout_s: float = 30.0
    retries: int = 3
    requests_per_minute: int = 0
    tokens_per_minute: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """One request: JSON to a full address.

    `tokens` count against the rate limit and `estimate` against the spend limit; `summary` is what
    messages say was sent. `sign` makes the headers of the final body, for providers whose key is
    not simply sent along.
    """

    url: str
    body: Mapping[str, Any]
    estimate: CostEstimate
    tokens: int = 0
    summary: str = ""
    sign: Callable[[str, bytes], Mapping[str, str]] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class CallResult(Generic[T]):
    """What was read of the reply, what it cost, and the seconds waited and spent on the network."""

    value: T
    cost: float
    queue_s: float
    network_s: float
    retries: int


class RemoteCaller:
    """Sends the requests of one query under one policy. Safe for many threads."""

    def __init__(self, policy: RequestPolicy) -> None:
        self.policy = policy

    def call(
        self,
        request: Request,
        read: Callable[[Response], T],
        cost_of: Callable[[T], float],
        ctx: Context,
    ) -> CallResult[T]:
        """Send a request until it succeeds, cannot succeed, or has been tried often enough.

        Args:
            request: What to send.
            read: Checks a reply of status 2xx and gives its value; raises BackendError when the
                reply is of no use. Such a request may have been billed, so its estimate counts.
            cost_of: What the value was billed, in the currency of the estimate.
            ctx: Cancel, deadline, spend meter and recording of the query.

        Raises:
            RemoteError: No usable reply came; it says what the provider answered.
            SpendLimit: The request could pass the spend limit; it was not sent.
            Cancelled, DeadlineExceeded: Within 50 ms, even while a server takes its time.
        """
        policy = self.policy
        attempts = 1 if replayed(ctx) else 1 + policy.retries
        limiter = self._limiter()
        queue_s = 0.0 if replayed(ctx) else limiter.acquire(request.tokens, ctx)
        network_s = 0.0
        ends = time.monotonic() + policy.timeout_s
        bounded = replace(ctx, deadline=ends if ctx.deadline is None else min(ends, ctx.deadline))
        for attempt in range(attempts):
            start = time.perf_counter()
            try:
                longest_s = self._timeout(bounded) + _GRACE_S
                value, cost = watched(
                    lambda: self._metered(request, read, cost_of, bounded), ctx, longest_s
                )
            except TransportError as error:
                network_s += time.perf_counter() - start
                if attempt + 1 == attempts or not error.retryable:
                    raise self._refusal(error, attempt + 1, request) from None
                wait = self._pause(attempt, error, request, ctx, ends)
                queue_s += wait + self._acquired_again(attempt, error, request, bounded, ctx)
            else:
                network_s += time.perf_counter() - start
                return CallResult(value, cost, queue_s, network_s, attempt)
        raise AssertionError("unreachable")

    def _pause(
        self, attempt: int, error: TransportError, request: Request, ctx: Context, ends: float
    ) -> float:
        """Wait before the next attempt; the seconds that took.

        Raises the refusal at once when the wait is too long, or passes the `ends` of the call.
        """
        requested = retry_after(error.headers) or 0.0
        wait = pause_before(attempt, error)
        if error.status == 429 and requested <= LONGEST_RETRY_AFTER_S:
            self._limiter().hold(requested)
        # A wait that passes the deadline of the query is said to do so by `pause`.
        within = ctx.deadline is None or time.monotonic() + wait <= ctx.deadline
        if requested > LONGEST_RETRY_AFTER_S or (within and time.monotonic() + wait >= ends):
            refused = self._refusal(error, attempt + 1, request)
            if requested:
                refused.hint += (
                    f" It asks to wait {requested:.1f} s; timeout_s allows "
                    f"{self.policy.timeout_s:g} s for the whole call."
                )
            raise refused from None
        pause(wait, ctx, self.policy.provider.title)
        return wait

    def _acquired_again(
        self,
        attempt: int,
        error: TransportError,
        request: Request,
        bounded: Context,
        ctx: Context,
    ) -> float:
        """Wait for the rate limit before another attempt, no longer than the call may take."""
        try:
            return self._limiter().acquire(request.tokens, bounded)
        except DeadlineExceeded:
            if bounded.deadline == ctx.deadline:
                raise
            raise self._refusal(error, attempt + 1, request) from None

    def _metered(
        self,
        request: Request,
        read: Callable[[Response], T],
        cost_of: Callable[[T], float],
        ctx: Context,
    ) -> tuple[T, float]:
        """One attempt within the spend limit. One that timed out counts: it may be billed."""
        if replayed(ctx):
            value = read(self._exchanged(request, ctx))
            return value, cost_of(value)
        what = f"a request to {self.policy.provider.title}"
        reserved = ctx.spend.reserve(request.estimate, what)
        billed = 0.0
        try:
            value = read(self._exchanged(request, ctx))
            billed = cost_of(value)
            return value, billed
        except TransportError as error:
            billed = reserved if error.kind == "timeout" else 0.0
            raise
        except ErrorReply as error:
            if not error.status:
                billed = reserved
                raise
            raise TransportError("status", status=error.status, body=error.details) from None
        except BackendError:
            billed = reserved
            raise
        finally:
            ctx.spend.settle(reserved, billed)

    def _exchanged(self, request: Request, ctx: Context) -> Response:
        """The reply, sent for or recorded. Raises TransportError unless its status is 2xx."""
        policy, recording = self.policy, ctx.recording
        place = policy.recorded_place
        if policy.provider.recorded_path:
            place += urls.path_of(request.url)
        digest = request_digest(policy.name, place, request.body)
        if recording is not None and recording.replaying:
            response = recorded(recording, digest, policy.name)
        else:
            response = self._sent(request, ctx)
            if recording is not None and keepable(response.status):
                recording.record(digest, policy.name, response)
        if not 200 <= response.status < 300:
            raise TransportError(
                "status", status=response.status, headers=response.headers, body=response.body
            )
        return response

    def _sent(self, request: Request, ctx: Context) -> Response:
        from rerank_lab.remote import transport

        access, provider = self.policy.access, self.policy.provider
        content = json.dumps(request.body, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if request.sign is None:
            headers |= headers_of(provider, access.key)
        else:
            headers |= request.sign(request.url, content)
        return transport.send(
            request.url,
            content,
            headers,
            timeout_s=self._timeout(ctx),
            secrets=access.secrets,
            own=access.own,
        )

    def _timeout(self, ctx: Context) -> float:
        if ctx.deadline is None:
            return self.policy.timeout_s
        left = ctx.deadline - time.monotonic()
        return max(_SHORTEST_TIMEOUT_S, min(self.policy.timeout_s, left))

    def _limiter(self) -> RateLimiter:
        policy = self.policy
        return limiter_of(
            policy.name,
            server_of(policy.access.base),
            policy.access.key,
            policy.requests_per_minute,
            policy.tokens_per_minute,
        )

    def _refusal(self, error: TransportError, attempts: int, request: Request) -> BackendError:
        provider, access = self.policy.provider, self.policy.access
        refused = refusal(error, provider, access.secrets, attempts, request.summary)
        if error.status in (401, 403) and provider.key_optional and not access.key:
            refused.hint = (
                f"The server wants a key: enter one for {provider.key} on the Models page of the "
                f"app. One in the environment is sent only to hosts named in {urls.KEY_HOSTS}."
            )
        return refused
