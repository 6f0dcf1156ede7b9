"""A memo for many threads: work on the same key is done once, the others wait for it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from rerank_lab.core.context import Context

T = TypeVar("T")
_POLL_S = 0.05


def _keep(_: object) -> None:
    """Nothing to free when a value is dropped."""


class SingleFlight(Generic[T]):
    """A bounded least-recently-used memo in which each key is computed by one thread at a time."""

    def __init__(self, limit: int, on_drop: Callable[[T], None] = _keep) -> None:
        self._limit = limit
        self._on_drop = on_drop
        self._values: OrderedDict[Hashable, T] = OrderedDict()
        self._busy: set[Hashable] = set()
        self._changed = threading.Condition()

    def get(self, key: Hashable, compute: Callable[[], T], ctx: Context) -> tuple[T, bool]:
        """The value and whether it was there already. Waiting for another thread is cancellable.

        When the thread at work fails or is cancelled, the next one waiting takes over.
        """
        while True:
            with self._changed:
                if key in self._values:
                    self._values.move_to_end(key)
                    return self._values[key], True
                if key not in self._busy:
                    self._busy.add(key)
                    break
            # Whoever computes may need the very lane that this thread holds.
            with ctx.off_lane():
                self._wait_for(key, ctx)
        dropped: list[T] = []
        try:
            value = compute()
            with self._changed:
                self._values[key] = value
                while len(self._values) > self._limit:
                    dropped.append(self._values.popitem(last=False)[1])
        finally:
            with self._changed:
                self._busy.discard(key)
                self._changed.notify_all()
        for old in dropped:
            self._on_drop(old)
        return value, False

    def _wait_for(self, key: Hashable, ctx: Context) -> None:
        with self._changed:
            while key not in self._values and key in self._busy:
                self._changed.wait(_POLL_S)
                ctx.checkpoint()

    def clear(self) -> None:
        """Forget all values; what is being computed is kept when it is there."""
        with self._changed:
            self._values.clear()
