"""Which failed requests are sent again, and how long is waited before."""

from __future__ import annotations

import email.utils
import math
import random
import re
import time
from collections.abc import Mapping
from datetime import UTC
from typing import Literal

from rerank_lab.core.context import Context
from rerank_lab.core.errors import DeadlineExceeded

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 20.0
LONGEST_RETRY_AFTER_S = 60.0
RETRYABLE = frozenset({408, 409, 429})
_STEP_S = 0.05
_TOO_LONG = re.compile(
    r"too (?:long|large to process)|context[ _]length|maximum (?:context|sequence|input)"
    r"|exceeds? (?:the )?(?:model'?s? )?(?:max|context|token|limit)|at most \d+ characters"
    r"|string_too_long|must have less than \d+ tokens|physical batch size",
    re.IGNORECASE,
)


class TransportError(Exception):
    """A request that gave no usable reply.

    `status`, `headers` (lower case) and `body` are those of the reply when `kind` is "status";
    otherwise `body` holds the reason in words.
    """

    def __init__(
        self,
        kind: Literal["status", "timeout", "connection"],
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
    def too_long(self) -> bool:
        """Whether the server refuses a text for its length: such a request never succeeds."""
        return (
            self.kind == "status"
            and self.status not in (401, 403, 404, 429)
            and bool(_TOO_LONG.search(self.body[:10_000]))
        )

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later: 408, 409, 429, 5xx, and no answer at all.

        Not a 5xx that refuses a text for its length, as llama.cpp does.
        """
        if self.kind != "status":
            return True
        return (self.status in RETRYABLE or self.status >= 500) and not self.too_long


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
    except (ValueError, TypeError, IndexError, OverflowError):
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


def pause_before(attempt: int, error: TransportError) -> float:
    """Seconds before attempt `attempt` + 1 (attempts count from 0).

    What the server asks for, plus a little so that not all come back at once; else exponential
    with full jitter: anything between nothing and the doubled bound.
    """
    requested = retry_after(error.headers)
    if requested is not None:
        return requested + random.uniform(0.0, min(1.0, 0.1 * requested))
    return random.uniform(0.0, min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**attempt))


def pause(seconds: float, ctx: Context, reason: str) -> None:
    """Sleep, waking up for a cancel.

    Raises:
        DeadlineExceeded: at once, when the deadline comes before the pause ends.
    """
    end = time.monotonic() + seconds
    ctx.checkpoint()
    if ctx.deadline is not None and end > ctx.deadline:
        raise DeadlineExceeded(
            f"{reason} asks to wait {seconds:.1f} s, longer than the time left for this query.",
            hint="Allow more time, or lower the number of requests a minute.",
        )
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(_STEP_S, left))
        ctx.checkpoint()
