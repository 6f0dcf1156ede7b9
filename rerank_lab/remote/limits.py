"""Requests and tokens a minute, kept per provider and key by all threads of this process."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections import OrderedDict, deque

from rerank_lab.core.context import Context
from rerank_lab.remote.retries import pause

_SALT = os.urandom(16)
_MOST_LIMITERS = 256
_limiters: OrderedDict[tuple[str, ...], SentRequests] = OrderedDict()
_lock = threading.Lock()


class SentRequests:
    """What was sent lately with one key, by whomever, and until when nobody may send."""

    def __init__(self) -> None:
        self.requests: deque[tuple[float, int]] = deque()
        self.held_until = 0.0
        self.guard = threading.Lock()


class RateLimiter:
    """At most `requests` and `tokens` in any window of `window_s` seconds; 0 means no limit.

    A single request of more tokens than the limit is let through alone: the provider decides.
    Limiters over the same `sent` count each other's requests, each against its own limits.
    """

    def __init__(
        self, requests: int, tokens: int, window_s: float = 60.0, sent: SentRequests | None = None
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
        while (wait := self._try(tokens)) > 0:
            pause(wait, ctx, "The rate limit")
        return time.monotonic() - start

    def hold(self, seconds: float) -> None:
        """Nobody sends for so long: the provider said so to one of us."""
        with self.sent.guard:
            self.sent.held_until = max(self.sent.held_until, time.monotonic() + seconds)

    def _try(self, tokens: int) -> float:
        """Take a place and return 0, or return the seconds until it is worth asking again."""
        with self.sent.guard:
            now = time.monotonic()
            sent = self.sent.requests
            while sent and sent[0][0] <= now - self.window_s:
                sent.popleft()
            wait = max(self.sent.held_until - now, self._wait_for_room(now, tokens))
            if wait <= 0:
                sent.append((now, tokens))
            return wait

    def _wait_for_room(self, now: float, tokens: int) -> float:
        wait, sent = 0.0, self.sent.requests
        if self.requests and len(sent) >= self.requests:
            wait = sent[len(sent) - self.requests][0] + self.window_s - now
        used = sum(count for _, count in sent)
        if self.tokens and used and used + tokens > self.tokens:
            for moment, count in sent:
                used -= count
                if not used or used + tokens <= self.tokens:
                    return max(wait, moment + self.window_s - now)
        return wait


def limiter_of(provider: str, host: str, key: str, requests: int, tokens: int) -> RateLimiter:
    """A limiter that counts what everybody sends with this key to this host, whatever their limits.

    The key itself is not kept.
    """
    digest = hashlib.blake2b(key.encode(), key=_SALT).hexdigest()
    name = (provider, host, digest)
    with _lock:
        sent = _limiters.pop(name, None) or SentRequests()
        _limiters[name] = sent
        while len(_limiters) > _MOST_LIMITERS:
            _limiters.popitem(last=False)
        return RateLimiter(requests, tokens, sent=sent)
