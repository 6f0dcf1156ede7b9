"""Which worker does what: tasks are handed out, lost ones again, slow ones to a second worker."""

from __future__ import annotations

import math
import statistics
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Generic, cast

from rerank_lab.core.context import Context
from rerank_lab.core.errors import Cancelled
from rerank_lab.jobs.workers.pool import Answer, Finished, Task, WorkerLost, WorkerPool, Workload

WAIT_S = 0.05
"""So long a cancel may take to be noticed."""
MOST_LOSSES = 3
"""So many workers may end over one task before it is taken to be what ends them."""
SLOW_FACTOR = 4.0
"""A task that takes so many times as long as is usual is given to a second worker too."""
SLOW_S = 2.0
"""But not before so many seconds."""
AHEAD_S = 0.5
"""Tasks that usually take less may wait with a worker: it then goes on at once."""
_REMEMBERED = 200


def answers(
    work: Workload[Task, Answer],
    pool: WorkerPool[Task, Answer],
    lots: Iterable[Iterator[Task]],
    ctx: Context,
) -> Iterator[tuple[Task, Answer]]:
    """The answer to each task, each once, in the order in which they come.

    Args:
        work: what the pool does.
        pool: who does it.
        lots: the tasks of a lot go to one worker as long as others have lots of their own, because
            what is done for the first is of use for the next. Tasks are taken from a lot when a
            worker is free for them.
        ctx: whose cancel or deadline ends the waiting.

    Raises:
        Cancelled, DeadlineExceeded: within `WAIT_S`.
        LabError: of a task, from `Workload.failed`, or of the pool.
    """
    yield from _Schedule(work, pool, iter(lots), ctx).answers()


@dataclass(slots=True)
class _Worker(Generic[Task]):
    """What a worker is at: the first of its tickets since `began_at`, the others wait."""

    lot: Iterator[Task]
    tickets: list[int] = field(default_factory=list)
    began_at: float = 0.0


@dataclass(slots=True)
class _Schedule(Generic[Task, Answer]):
    work: Workload[Task, Answer]
    pool: WorkerPool[Task, Answer]
    lots: Iterator[Iterator[Task]]
    ctx: Context
    at: dict[int, _Worker[Task]] = field(default_factory=dict)
    """Workers that have a task, or had one of a lot that may hold more."""
    pending: dict[int, Task] = field(default_factory=dict)
    """Tasks that have no answer yet, by ticket."""
    returned: deque[int] = field(default_factory=deque)
    """Tickets of tasks that were lost."""
    losses: Counter[int] = field(default_factory=Counter)
    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    tickets: int = 0

    def answers(self) -> Iterator[tuple[Task, Answer]]:
        while True:
            self.ctx.checkpoint()
            exhausted = self._hand_out()
            if not self.pending and exhausted:
                return
            for finished in self.pool.wait(WAIT_S):
                yield from self._taken(finished)

    def _hand_out(self) -> bool:
        """Give the workers tasks; whether there is none left that was never given out."""
        ready = self.pool.workers()
        for number in [number for number in self.at if number not in ready]:
            if not self.at[number].tickets:
                self.lots = chain([self.at.pop(number).lot], self.lots)
        workers = {number: self.at.setdefault(number, _Worker(iter(()))) for number in ready}
        exhausted = False
        for number, worker in workers.items():
            if not worker.tickets and not self._next_task(number, worker):
                exhausted = True
                self._help(number)
        if self.pool.ahead and not exhausted and self._usual_s() < AHEAD_S:
            for number, worker in workers.items():
                while 1 <= len(worker.tickets) <= self.pool.ahead:
                    if not self._next_task(number, worker, others=False):
                        break
        return exhausted

    def _next_task(self, number: int, worker: _Worker[Task], *, others: bool = True) -> bool:
        """Give a worker what is lost, else the next of its lot, a new one, or another's."""
        while self.returned:
            ticket = self.returned.popleft()
            if ticket in self.pending:
                self._submit(number, ticket)
                return True
        for lot in self._open_lots(worker, others=others):
            task = next(lot, None)
            if task is not None:
                ticket, self.tickets = self.tickets, self.tickets + 1
                self.pending[ticket] = task
                self._submit(number, ticket)
                return True
        return False

    def _usual_s(self) -> float:
        """What a task usually takes; for ever, as long as that is not known."""
        return statistics.median(self.seconds) if self.seconds else math.inf

    def _open_lots(self, worker: _Worker[Task], *, others: bool) -> Iterator[Iterator[Task]]:
        yield worker.lot
        for lot in self.lots:
            worker.lot = lot
            yield lot
        for other in list(self.at.values()) if others else ():
            yield other.lot

    def _submit(self, number: int, ticket: int) -> None:
        worker = self.at[number]
        if not worker.tickets:
            worker.began_at = time.monotonic()
        worker.tickets.append(ticket)
        self.pool.submit(number, ticket, self.pending[ticket])

    def _help(self, number: int) -> None:
        """Nothing is left to hand out: run again what another worker takes long for.

        What waits behind such a task counts as slow as well.
        """
        if not self.pool.second_runs or not self.seconds:
            return
        slow_s = max(SLOW_S, SLOW_FACTOR * self._usual_s())
        now = time.monotonic()
        runs = Counter(ticket for worker in self.at.values() for ticket in worker.tickets)
        slow = [
            (worker.began_at, ticket)
            for worker in self.at.values()
            for ticket in worker.tickets
            if ticket in self.pending and runs[ticket] == 1 and now - worker.began_at > slow_s
        ]
        if slow:
            self._submit(number, min(slow)[1])

    def _taken(self, finished: Finished[Answer]) -> Iterator[tuple[Task, Answer]]:
        """The answer to a task, unless another worker was quicker, or it has to be done again."""
        ticket, error = finished.ticket, finished.error
        self._note_end(finished)
        if ticket not in self.pending:
            return
        if isinstance(error, Cancelled):
            self.ctx.checkpoint()  # ours; else the worker was told to end
            error = WorkerLost("A worker was stopped.", hint="Run it again to go on from here.")
        if isinstance(error, WorkerLost):
            self.losses[ticket] += finished.begun
            if self.losses[ticket] < MOST_LOSSES:
                if all(ticket not in worker.tickets for worker in self.at.values()):
                    self.returned.append(ticket)
                return
        task = self.pending.pop(ticket)
        if error is not None:
            yield task, self.work.failed(task, error)
        else:
            yield task, cast(Answer, finished.answer)

    def _note_end(self, finished: Finished[Answer]) -> None:
        """A worker is no longer at a task, and begins the next that it has."""
        worker = self.at.get(finished.worker)
        if worker is None or finished.ticket not in worker.tickets:
            return
        now = time.monotonic()
        if worker.tickets[0] == finished.ticket:
            if finished.error is None:
                self.seconds.append(now - worker.began_at)
            worker.began_at = now
        worker.tickets.remove(finished.ticket)
