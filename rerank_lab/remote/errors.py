"""What went wrong with a request: which faults pass, how long to wait, what to tell a person."""

from __future__ import annotations

import email.utils
import json
import math
import random
import time
from collections.abc import Mapping, Sequence
from datetime import UTC

from rerank_lab.core.context import Context
from rerank_lab.core.errors import BackendError, DeadlineExceeded, LabError
from rerank_lab.remote.providers import Provider

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 20.0
LONGEST_RETRY_AFTER_S = 60.0
RETRYABLE = frozenset({408, 409, 429})
_STEP_S = 0.05
_SHOWN_CHARS = 400
_HINTS = {
    400: "The provider does not accept this request: compare model name and options with its "
    "documentation.",
    401: "Check the key in {key}: it may be mistyped, revoked or of another provider.",
    402: "The account has no credit left: check billing at the provider.",
    403: "The key in {key} may not use this: check its permissions, the account's credit and "
    "whether the model is still offered.",
    404: "There is no such model or address: check the model name and the base URL.",
    413: "The request is too large: rerank fewer candidates, or cut the documents shorter.",
    422: "The provider does not know a field or value of this request: check model and options, "
    "and that the base URL speaks this provider's format.",
    424: "The server's model is not a reranker, or failed: check which model it serves.",
    429: "The provider's rate limit is used up: lower requests_per_minute or tokens_per_minute, "
    "or try again later.",
}


class Fault(Exception):
    """A request that gave no usable reply. `kind` is status, timeout or connection."""

    def __init__(
        self,
        kind: str,
        *,
        status: int = 0,
        headers: Mapping[str, str] | None = None,
        body: str = "",
    ) -> None:
        super().__init__(kind)
        self.kind = kind
        self.status = status
        self.headers = {k.lower(): v for k, v in (headers or {}).items()}
        self.body = body

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later: 408, 409, 429, 5xx, and no answer at all."""
        return self.kind != "status" or self.status in RETRYABLE or self.status >= 500


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds that the server asks to wait, from `retry-after-ms` or either form of `Retry-After`.

    `now` is a Unix time. None when no header says so, or none can be read.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after")
    seconds = _number(text)
    if seconds is not None or not text:
        return seconds
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, moment.timestamp() - (time.time() if now is None else now))


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def pause_before(attempt: int, fault: Fault) -> float:
    """Seconds before attempt `attempt` + 1 (attempts count from 0).

    What the server asks for, plus a little so that not all come back at once; else exponential
    with full jitter: anything between nothing and the doubled bound.
    """
    asked = retry_after(fault.headers)
    if asked is not None:
        return asked + random.uniform(0.0, min(1.0, 0.1 * asked))
    return random.uniform(0.0, min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**attempt))


def pause(seconds: float, ctx: Context, why: str) -> None:
    """Sleep, waking up for a cancel. Raises DeadlineExceeded at once when time will not suffice."""
    end = time.monotonic() + seconds
    ctx.checkpoint()
    if ctx.deadline is not None and end > ctx.deadline:
        raise DeadlineExceeded(
            f"{why} asks to wait {seconds:.1f} s, longer than the time left for this query.",
            hint="Allow more time, or lower the number of requests a minute.",
        )
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(_STEP_S, left))
        ctx.checkpoint()


def redacted(text: str, secrets: Sequence[str]) -> str:
    """`text` without any of the secrets, as they stand or as JSON would escape them."""
    for secret in secrets:
        for form in {secret, json.dumps(secret)[1:-1]} - {""}:
            text = text.replace(form, "[key removed]")
    return text


def error_of(
    fault: Fault, provider: Provider, secrets: Sequence[str], attempts: int, sent: str
) -> LabError:
    """The fault as an error for people, the provider's words in full, without the key."""
    body = redacted(fault.body, secrets)
    tries = f" after {attempts} attempts" if attempts > 1 else ""
    if fault.kind == "timeout":
        return BackendError(
            f"{provider.title} did not answer in time{tries} ({sent}).",
            hint="Raise timeout_s, rerank fewer candidates, or try again later.",
            details=body,
            retryable=True,
        )
    if fault.kind == "connection":
        return BackendError(
            f"The connection to {provider.title} failed{tries}: {body or 'no reason given'}.",
            hint="Check the base URL, that the server is up, and the network connection.",
            retryable=True,
        )
    if 300 <= fault.status < 400:
        return BackendError(
            f"{provider.title} redirects to another address ({fault.status}); not followed, so "
            "that keys and documents go nowhere unexpected.",
            hint="Give the final address as base_url if you trust it.",
            details=redacted(fault.headers.get("location", ""), secrets),
        )
    words = _words(body, provider.reply.error)
    hint = _HINTS.get(fault.status, "The provider has a fault: try again later.")
    if 400 <= fault.status < 500 and fault.status not in _HINTS:
        hint = _HINTS[400]
    return BackendError(
        f"{provider.title} answered {fault.status}{tries}: {words} ({sent}).",
        hint=hint.format(key=provider.key),
        details=body,
        retryable=fault.retryable,
    )


def _words(body: str, path: str) -> str:
    """The provider's own message where it can be told from the body, else the body's beginning."""
    try:
        found = json.loads(body)
    except ValueError:
        return _shortened(body)
    for name in [path, "message", "detail", "error.message", "error"]:
        value = found
        for part in name.split(".") if name else []:
            value = value.get(part) if isinstance(value, dict) else None
        if isinstance(value, str) and value.strip():
            return _shortened(value)
    return _shortened(body)


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    if len(text) > _SHOWN_CHARS:
        return text[:_SHOWN_CHARS] + " ..."
    return text.rstrip(".") or "no message"
