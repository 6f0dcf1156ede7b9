"""Workers in this process: the thread that asks, or several threads beside it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Generic

from rerank_lab.core.context import CancelToken, Context
from rerank_lab.core.errors import LabError
from rerank_lab.core.guard import lab_errors
from rerank_lab.jobs.workers.pool import Answer, Finished, Task, Workload
from rerank_lab.pipeline.engine import Engine


@dataclass(frozen=True, slots=True)
class InThisThread:
    """One worker: the thread that waits for the answers."""

    words: str = ""

    @contextmanager
    def pool(
        self, work: Workload[Task, Answer], ctx: Context, engine: Engine
    ) -> Iterator[_OwnThread[Task, Answer]]:
        """As `Workers.pool`."""
        yield _OwnThread(work.open(engine), ctx)


class _OwnThread(Generic[Task, Answer]):
    """A task is done while its answer is waited for."""

    second_runs = False
    ahead = 0

    def __init__(self, call: Callable[[Task, Context], Answer], ctx: Context) -> None:
        self._call = call
        self._ctx = ctx
        self._submitted: list[tuple[int, Task]] = []

    def workers(self) -> Sequence[int]:
        return (0,)

    def submit(self, worker: int, ticket: int, task: Task) -> None:
        self._submitted.append((ticket, task))

    def wait(self, timeout_s: float) -> Sequence[Finished[Answer]]:
        ticket, task = self._submitted.pop()
        return [Finished(0, ticket, self._call(task, self._ctx))]


@dataclass(frozen=True, slots=True)
class Threads:
    """So many threads of this process: enough where work is mostly waiting for a server."""

    count: int

    @property
    def words(self) -> str:
        """How many."""
        return f"{self.count} threads"

    @contextmanager
    def pool(
        self, work: Workload[Task, Answer], ctx: Context, engine: Engine
    ) -> Iterator[_ThreadPool[Task, Answer]]:
        """As `Workers.pool`."""
        token = CancelToken(ctx.cancel)
        inner = replace(ctx, cancel=token, lanes=None)
        pool = _ThreadPool(work.open(engine), inner, self.count)
        try:
            yield pool
        finally:
            token.cancel()
            pool.close()


class _ThreadPool(Generic[Task, Answer]):
    """They share models, meter and limits of the process, and end at their next checkpoint."""

    second_runs = False
    ahead = 0

    def __init__(self, call: Callable[[Task, Context], Answer], ctx: Context, count: int) -> None:
        self._call = call
        self._ctx = ctx
        self._finished: queue.SimpleQueue[Finished[Answer]] = queue.SimpleQueue()
        self._tasks: list[queue.SimpleQueue[tuple[int, Task] | None]] = [
            queue.SimpleQueue() for _ in range(count)
        ]
        self._threads = [
            threading.Thread(
                target=self._run, args=(number,), name=f"rerank-lab-worker-{number}", daemon=True
            )
            for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def workers(self) -> Sequence[int]:
        return range(len(self._tasks))

    def submit(self, worker: int, ticket: int, task: Task) -> None:
        self._tasks[worker].put((ticket, task))

    def wait(self, timeout_s: float) -> Sequence[Finished[Answer]]:
        try:
            finished = [self._finished.get(timeout=timeout_s)]
        except queue.Empty:
            return []
        while not self._finished.empty():
            finished.append(self._finished.get())
        return finished

    def close(self) -> None:
        """Let the threads end; those at work do so when they notice the cancel."""
        for tasks in self._tasks:
            tasks.put(None)

    def _run(self, number: int) -> None:
        while (submitted := self._tasks[number].get()) is not None:
            ticket, task = submitted
            try:
                with lab_errors("A worker"):
                    finished = Finished(number, ticket, self._call(task, self._ctx))
            except LabError as error:
                finished = Finished(number, ticket, error=error)
            self._finished.put(finished)
