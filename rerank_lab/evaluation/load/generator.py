"""The open-loop load generator: queries are due by a schedule, whether or not the last is answered.

A closed loop asks the next query when the last is answered, so a slow answer holds up the load and
hides the queue behind it ("coordinated omission": Schroeder, Wierman and Harchol-Balter, "Open
versus closed", NSDI 2006). Here each query has its moment, and its latency runs from that moment,
however late a worker takes it up.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

SPIN_S = 0.0005
"""The last part of a wait is spent looking at the clock: a sleep ends up to this much late."""
_NAP_S = 0.05
"""How often a waiting worker looks whether it should stop."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one call: whether there is a ranking, and the work that it took."""

    ok: bool
    documents: int = 0
    tokens: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class TimedCall:
    """One query, in seconds from the start of the schedule.

    `free_at` is when its worker was free to take it. `started`, `ended` and `answer` are None for a
    query that was given up before it began.
    """

    due: float
    free_at: float | None = None
    started: float | None = None
    ended: float | None = None
    answer: Answer | None = None


class Clock(Protocol):
    """Where time comes from; tests have one that only counts."""

    def now(self) -> float:
        """Seconds from any fixed moment."""
        ...

    def wait_until(self, moment: float, stopped: Callable[[], bool]) -> None:
        """Return at that moment, or soon after `stopped` says so."""
        ...


class RealClock:
    """The monotonic clock of the machine."""

    def now(self) -> float:
        """Seconds, with the finest resolution there is."""
        return time.perf_counter()

    def wait_until(self, moment: float, stopped: Callable[[], bool]) -> None:
        """Sleep for most of the time, then look at the clock until the moment has come."""
        while not stopped():
            left = moment - time.perf_counter()
            if left <= 0:
                return
            # sleep(0) lets other threads run: spinning alone would hold up the very calls that
            # are being timed.
            time.sleep(min(left - SPIN_S, _NAP_S) if left > SPIN_S else 0)


Call = Callable[[int], Answer]
"""Answers the n-th query of the schedule, counted from 0; an error is an answer that is not ok."""


def drive(
    call: Call,
    moments: Sequence[float],
    workers: int,
    *,
    grace_s: float,
    clock: Clock | None = None,
    checkpoint: Callable[[], None] = lambda: None,
) -> list[TimedCall]:
    """Let `workers` threads answer queries, first come first served, none before it is due.

    Args:
        call: Answers one query.
        moments: When each is due, in seconds from now, in order.
        workers: How many are answered at once.
        grace_s: So long after the last is due, those that still wait are given up.
        clock: Where time comes from.
        checkpoint: Called all the while; what it raises ends the work.

    Returns:
        One a query, in the order of `moments`.

    Raises:
        Whatever `call` or `checkpoint` raises.
    """
    run = _Run(call, moments, clock or RealClock(), grace_s)
    threads = [
        threading.Thread(target=run.work, name=f"load-{n}", daemon=True) for n in range(workers)
    ]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            while thread.is_alive():
                thread.join(_NAP_S)
                checkpoint()
    finally:
        run.stop.set()
        for thread in threads:
            thread.join()
    if run.errors:
        raise run.errors[0]
    return run.calls


class _Run:
    """The queue that the workers share."""

    def __init__(self, call: Call, moments: Sequence[float], clock: Clock, grace_s: float) -> None:
        self.calls = [TimedCall(float(moment)) for moment in moments]
        self.stop = threading.Event()
        self.errors: list[BaseException] = []
        self._call = call
        self._clock = clock
        self._begin = clock.now()
        self._ends = (self.calls[-1].due if self.calls else 0.0) + grace_s
        self._next = iter(range(len(self.calls)))
        self._lock = threading.Lock()

    def work(self) -> None:
        try:
            while not self.stop.is_set() and self._take():
                pass
        except BaseException as error:  # handed to whoever waits for the threads
            self.errors.append(error)
            self.stop.set()

    def _take(self) -> bool:
        """Answer the next query; False when there is none, or it is too late for it."""
        with self._lock:
            index = next(self._next, None)
        if index is None:
            return False
        due = self.calls[index].due
        free_at = self._clock.now() - self._begin
        self._clock.wait_until(self._begin + due, self.stop.is_set)
        started = self._clock.now() - self._begin
        if self.stop.is_set() or started > self._ends:
            return False
        answer = self._call(index)
        ended = self._clock.now() - self._begin
        self.calls[index] = TimedCall(due, free_at, started, ended, answer)
        return True


def saturate(
    call: Call,
    workers: int,
    seconds: float,
    *,
    checkpoint: Callable[[], None] = lambda: None,
) -> tuple[list[TimedCall], float]:
    """Let each worker ask one query after the other for so long: the most that they can do.

    A closed loop, for throughput alone: its latencies say nothing of a queue.

    Returns:
        The calls that ended, and the seconds until the last of them did.
    """
    clock = RealClock()
    begin = clock.now()
    lock = threading.Lock()
    calls: list[TimedCall] = []
    numbers = iter(range(1_000_000_000))

    def take_turns(_: int) -> Answer:
        while clock.now() - begin < seconds:
            checkpoint()
            with lock:
                index = next(numbers)
            started = clock.now() - begin
            answer = call(index)
            with lock:
                calls.append(TimedCall(started, started, started, clock.now() - begin, answer))
        return Answer(True)

    drive(take_turns, [0.0] * workers, workers, grace_s=seconds, checkpoint=checkpoint)
    return calls, max((one.ended or 0.0 for one in calls), default=0.0)
