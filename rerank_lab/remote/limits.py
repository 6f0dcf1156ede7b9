"""Requests and tokens a minute, kept per provider and key by all threads of this process.

Where several processes work for one command, one of them counts for all: see `count_elsewhere`.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections import OrderedDict, deque
from typing import Protocol

from rerank_lab.core.context import Context
from rerank_lab.remote.retries import pause

_MOST_LIMITERS = 256
_lock = threading.Lock()
LimiterName = tuple[str, ...]
"""Provider, host and a digest of the key."""


class SentCounter(Protocol):
    """Counts what is sent with one key, by whomever."""

    def place(self, requests: int, tokens_limit: int, window_s: float, tokens: int) -> float:
        """Take a place and return 0, or return the seconds until it is worth asking again.

        Args:
            requests: of a window at most; 0 for no limit.
            tokens_limit: of a window at most; 0 for no limit.
            window_s: the length of a window.
            tokens: of the request that is to be sent.
        """
        ...

    def hold(self, seconds: float) -> None:
        """Nobody sends for so long."""
        ...


class SentRequests:
    """What was sent lately with one key, by whomever, and until when nobody may send."""

    def __init__(self) -> None:
        self.requests: deque[tuple[float, int]] = deque()
        self.held_until = 0.0
        self.guard = threading.Lock()

    def place(self, requests: int, tokens_limit: int, window_s: float, tokens: int) -> float:
        """As `SentCounter.place`."""
        with self.guard:
            now = time.monotonic()
            while self.requests and self.requests[0][0] <= now - window_s:
                self.requests.popleft()
            room = self._wait_for_room(requests, tokens_limit, now, window_s, tokens)
            wait = max(self.held_until - now, room)
            if wait <= 0:
                self.requests.append((now, tokens))
            return wait

    def hold(self, seconds: float) -> None:
        """As `SentCounter.hold`."""
        with self.guard:
            self.held_until = max(self.held_until, time.monotonic() + seconds)

    def _wait_for_room(
        self, requests: int, tokens_limit: int, now: float, window_s: float, tokens: int
    ) -> float:
        wait, sent = 0.0, self.requests
        if requests and len(sent) >= requests:
            wait = sent[len(sent) - requests][0] + window_s - now
        used = sum(count for _, count in sent) if tokens_limit else 0
        if used and used + tokens > tokens_limit:
            for moment, count in sent:
                used -= count
                if not used or used + tokens <= tokens_limit:
                    return max(wait, moment + window_s - now)
        return wait


class RateLimiter:
    """At most `requests` and `tokens` in any window of `window_s` seconds; 0 means no limit.

    A single request of more tokens than the limit is let through alone: the provider decides.
    Limiters over the same `sent` count each other's requests, each against its own limits.
    """

    def __init__(
        self, requests: int, tokens: int, window_s: float = 60.0, sent: SentCounter | None = None
    ) -> None:
        self.requests = requests
        self.tokens = tokens
        self.window_s = window_s
        self.sent = sent or SentRequests()

    def acquire(self, tokens: int, ctx: Context) -> float:
        """Wait until a request of `tokens` may be sent; the seconds that took.

        Raises Cancelled, or DeadlineExceeded at once when the wait would pass the deadline.
        """
        start = time.monotonic()
        while (wait := self.sent.place(self.requests, self.tokens, self.window_s, tokens)) > 0:
            pause(wait, ctx, "The rate limit")
        return time.monotonic() - start

    def hold(self, seconds: float) -> None:
        """Nobody sends for so long: the provider said so to one of us."""
        self.sent.hold(seconds)


class SentByName:
    """The counters of all providers and keys."""

    def __init__(self) -> None:
        self._counters: OrderedDict[LimiterName, SentCounter] = OrderedDict()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self._counters)})"

    def counter(self, name: LimiterName) -> SentCounter:
        """The counter of this name; those not used for long are forgotten."""
        with _lock:
            counter = self._counters.pop(name, None) or self.new_counter(name)
            self._counters[name] = counter
            while len(self._counters) > _MOST_LIMITERS:
                self._counters.popitem(last=False)
            return counter

    def new_counter(self, name: LimiterName) -> SentCounter:
        """A counter that has counted nothing."""
        return SentRequests()

    def clear(self) -> None:
        """Forget what was sent."""
        with _lock:
            self._counters.clear()


_salt = os.urandom(16)
_limiters = SentByName()


def count_elsewhere(counters: SentByName, salt: bytes) -> None:
    """From now on what this process sends is counted by others.

    Args:
        counters: gives the counter of a name.
        salt: of the digests of keys, the same in all processes that count together.
    """
    global _limiters, _salt
    _limiters, _salt = counters, salt


def limiter_of(provider: str, host: str, key: str, requests: int, tokens: int) -> RateLimiter:
    """A limiter that counts what everybody sends with this key to this host, whatever their limits.

    The key itself is not kept.
    """
    digest = hashlib.blake2b(key.encode(), key=_salt).hexdigest()
    return RateLimiter(requests, tokens, sent=_limiters.counter((provider, host, digest)))
