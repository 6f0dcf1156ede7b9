"""A bounded queue before a few threads: what does not fit is refused at once, not kept waiting."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Generic, NamedTuple, TypeVar

from rerank_lab.core.context import CancelToken, Context, LaneSlots
from rerank_lab.server.refusals import CLIENT_LEFT, RequestRefused

T = TypeVar("T")
Work = Callable[[Context], T]
"""Is handed a context with its cancel token and its deadline."""
_LONGEST_ADVICE_S = 60
_SPARE_THREADS = 8
"""For work that nobody waits for any more and that has not noticed yet."""
_NEWEST_WEIGHT = 0.2


class QueueTimes(NamedTuple):
    """Seconds that a request waited for its turns, and that it was worked on.

    They are of this request's own clock and do not overlap: their sum is at most the time from its
    arrival to its answer. `tokenise_s`, of turning text into tokens for local models, is no part of
    `compute_s`. A batch that several requests share counts whole in the `compute_s` of each.
    """

    queue_s: float
    compute_s: float
    tokenise_s: float = 0.0

    def split(self, trace_queue_s: float, tokenise_s: float) -> QueueTimes:
        """The same, with waiting and tokenising that its trace tells apart from computing."""
        waited_s = min(trace_queue_s, self.compute_s)
        tokenised_s = min(tokenise_s, self.compute_s - waited_s)
        computing_s = self.compute_s - waited_s - tokenised_s
        return QueueTimes(self.queue_s + waited_s, computing_s, tokenised_s)


NO_TIMES = QueueTimes(0.0, 0.0)
"""Of a request that never reached a thread."""


@dataclass(slots=True, eq=False)
class _Job(Generic[T]):
    """Work on its way: waiting, in a thread, or given up."""

    work: Callable[[], T]
    answer: Future[T] = field(default_factory=Future)
    runs: bool = False
    left: bool = False
    """Whether it has given its place back."""


class WorkQueue:
    """At most `workers` requests in work and `waiting` behind them.

    A request that is given up gives its place back at once. Its thread goes on until it notices,
    which it does before the next batch: so many may do that beside the workers as there are spare
    threads, and further ones keep their place until then.
    """

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
        self._threads = ThreadPoolExecutor(
            workers + _SPARE_THREADS, thread_name_prefix="rerank-lab-serve"
        )
        self._lock = threading.Lock()
        self._waiting: deque[_Job[Any]] = deque()
        self._working = 0
        self._given_up = 0
        self._closed = False
        self._mean_s = 0.1

    @property
    def pending(self) -> int:
        """Requests in work and waiting."""
        return self._working + len(self._waiting)

    @property
    def unnoticed(self) -> int:
        """Threads that work on what was given up and have not noticed yet."""
        return self._given_up

    @property
    def full(self) -> bool:
        """Whether the next request would be refused."""
        return self.pending >= self.capacity

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
        answer = asyncio.wrap_future(job.answer)
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
                self._give_up(job)
                answer.cancel()

    def close(self) -> None:
        """Let the threads end once what they work on is done; what waits is left."""
        with self._lock:
            self._closed = True
            left = list(self._waiting)
            self._waiting.clear()
        for job in left:
            job.answer.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _submit(self, work: Callable[[], T]) -> _Job[T]:
        job = _Job(work)
        with self._lock:
            if self._closed:
                raise RequestRefused(503, "The server ends; ask another one.", retry_after=1)
            if self.full:
                raise RequestRefused(
                    429,
                    f"The queue of this server is full ({self.capacity} requests); try again.",
                    retry_after=self._advice(),
                )
            self._waiting.append(job)
            self._start_next()
        return job

    def _start_next(self) -> None:
        """Give free workers the work that waits; the lock is held."""
        while self._waiting and not self._closed and self._working < self.workers:
            job = self._waiting.popleft()
            job.runs = True
            self._working += 1
            self._threads.submit(self._work_on, job)

    def _work_on(self, job: _Job[T]) -> None:
        try:
            if job.answer.set_running_or_notify_cancel():
                job.answer.set_result(job.work())
        except BaseException as error:
            job.answer.set_exception(error)
        finally:
            with self._lock:
                if job.left:
                    self._given_up -= 1
                else:
                    self._working -= 1
                self._start_next()

    def _give_up(self, job: _Job[T]) -> None:
        """Nobody waits for it any more."""
        with self._lock:
            if job in self._waiting:
                self._waiting.remove(job)
            elif (
                job.runs and not (job.left or job.answer.done()) and self._given_up < _SPARE_THREADS
            ):
                job.left = True
                self._given_up += 1
                self._working -= 1
                self._start_next()

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
        seconds = math.ceil(self.pending * self._mean_s / self.workers)
        return min(max(seconds, 1), _LONGEST_ADVICE_S)


def _too_late() -> RequestRefused:
    return RequestRefused(504, "The time allowed for a request is used up; send fewer documents.")
