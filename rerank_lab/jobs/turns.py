"""Turns for small pieces of work of jobs that run at the same time."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_POLL_S = 0.05


class Turns:
    """One piece of work at a time, in the order in which they were asked for.

    Jobs that take a turn for each of their pieces go on side by side, and none of them measures the
    time of a machine that another one is using.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[object] = deque()

    @contextmanager
    def turn(self, checkpoint: Callable[[], None]) -> Iterator[None]:
        """Wait for the turn and have it until the block ends.

        Args:
            checkpoint: called while it waits; what it raises ends the waiting.
        """
        mine = object()
        with self._changed:
            self._waiting.append(mine)
        try:
            with self._changed:
                while self._waiting[0] is not mine:
                    checkpoint()
                    self._changed.wait(_POLL_S)
            yield
        finally:
            with self._changed:
                self._waiting.remove(mine)
                self._changed.notify_all()
