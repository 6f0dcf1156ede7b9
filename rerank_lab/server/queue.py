"""A bounded queue before a few threads: what does not fit is refused at once, not kept waiting."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

from rerank_lab.core.context import CancelToken, Context, LaneSlots
from rerank_lab.server.refusals import CLIENT_LEFT, RequestRefused

T = TypeVar("T")
Work = Callable[[Context], T]
"""Is handed a context with its cancel token and its deadline."""
_LONGEST_ADVICE_S = 60
_NEWEST_WEIGHT = 0.2


class QueueTimes(NamedTuple):
    """Seconds that a request waited for its turns, and that it was worked on.

    `tokenise_s`, of turning text into tokens for local models, is no part of `compute_s`.
    """

    queue_s: float
    compute_s: float
    tokenise_s: float = 0.0

    def split(self, trace_queue_s: float, tokenise_s: float) -> QueueTimes:
        """The same, with waiting and tokenising that its trace tells apart from computing."""
        computing_s = self.compute_s - trace_queue_s - tokenise_s
        return QueueTimes(self.queue_s + trace_queue_s, max(0.0, computing_s), tokenise_s)


NO_TIMES = QueueTimes(0.0, 0.0)
"""Of a request that never reached a thread."""


class WorkQueue:
    """At most `workers` requests in work and `waiting` behind them."""

    def __init__(
        self,
        workers: int,
        waiting: int,
        base: Context | None = None,
        slots: Callable[[], LaneSlots] | None = None,
    ) -> None:
        """Begin without work.

        Args:
            workers: Threads.
            waiting: Further requests that are kept.
            base: The context of all work but for its cancel, deadline and lanes.
            slots: Makes the hold on lanes of one piece of work, where jobs go on beside it.
        """
        self._slots = slots
        self._base = base or Context()
        self.workers = workers
        self.capacity = workers + waiting
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="rerank-lab-serve")
        self._lock = threading.Lock()
        self._pending = 0
        self._mean_s = 0.1

    @property
    def pending(self) -> int:
        """Requests in work and waiting."""
        return self._pending

    @property
    def full(self) -> bool:
        """Whether the next request would be refused."""
        return self._pending >= self.capacity

    async def run(
        self, work: Work[T], deadline: float, client_left: Callable[[], Awaitable[None]]
    ) -> tuple[T, QueueTimes]:
        """Do the work in a thread when its turn comes.

        Args:
            work: What to do.
            deadline: The `time.monotonic()` moment at which the request is given up.
            client_left: Ends when nobody waits for the answer any more.

        Raises:
            RequestRefused: the queue is full (429, with the time after which to try again), the
                deadline passed (504), or the client left.
        """
        arrived = time.monotonic()
        cancel = CancelToken()
        ctx = replace(self._base, cancel=cancel, deadline=deadline)
        job = self._submit(lambda: self._timed(work, ctx, deadline, arrived))
        answer = asyncio.wrap_future(job)
        left = asyncio.ensure_future(client_left())
        either: list[asyncio.Future[Any]] = [answer, left]
        try:
            await asyncio.wait(
                either,
                timeout=deadline - time.monotonic(),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if answer.done():
                return answer.result()
            if left.done():
                raise RequestRefused(CLIENT_LEFT, "The client left.")
            raise _too_late()
        finally:
            left.cancel()
            if not answer.done():
                cancel.cancel()
                answer.cancel()

    def close(self) -> None:
        """Let the threads end once what they work on is done."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _submit(self, work: Callable[[], T]) -> Future[T]:
        with self._lock:
            if self.full:
                raise RequestRefused(
                    429,
                    f"The queue of this server is full ({self.capacity} requests); try again.",
                    retry_after=self._advice(),
                )
            self._pending += 1
        job = self._threads.submit(work)
        # Called when the thread is done, not when the waiting for it is: it is busy until then.
        job.add_done_callback(self._leave)
        return job

    def _leave(self, _: Future[T]) -> None:
        with self._lock:
            self._pending -= 1

    def _timed(
        self, work: Work[T], ctx: Context, deadline: float, arrived: float
    ) -> tuple[T, QueueTimes]:
        begun = time.monotonic()
        if begun > deadline:
            raise _too_late()
        slots = self._slots() if self._slots is not None else None
        try:
            answer = work(replace(ctx, lanes=slots))
        finally:
            if slots is not None:
                slots.leave()
        took = time.monotonic() - begun
        with self._lock:
            self._mean_s += _NEWEST_WEIGHT * (took - self._mean_s)
        return answer, QueueTimes(begun - arrived, took)

    def _advice(self) -> int:
        """Whole seconds until what is here now should be done."""
        seconds = math.ceil(self._pending * self._mean_s / self.workers)
        return min(max(seconds, 1), _LONGEST_ADVICE_S)


def _too_late() -> RequestRefused:
    return RequestRefused(504, "The time allowed for a request is used up; send fewer documents.")
