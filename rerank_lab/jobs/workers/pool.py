"""What workers are to whoever has work for them, wherever they run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from rerank_lab.core.context import Context
from rerank_lab.core.errors import BackendError, LabError
from rerank_lab.pipeline.engine import Engine

Task = TypeVar("Task")
TaskIn = TypeVar("TaskIn", contravariant=True)
Answer = TypeVar("Answer")
AnswerOut = TypeVar("AnswerOut", covariant=True)


class Workload(Protocol[TaskIn, AnswerOut]):
    """A kind of work, opened once by each worker and then called for one task after the other.

    Work, tasks and answers can be pickled, so that workers may be other processes.
    """

    @property
    def local_models(self) -> bool:
        """Whether it computes with models on the machine of the worker, and so needs a core."""
        ...

    def open(self, engine: Engine) -> Callable[[TaskIn, Context], AnswerOut]:
        """What answers the tasks; raises the LabError that keeps it from working."""
        ...

    def failed(self, task: TaskIn, error: LabError) -> AnswerOut:
        """The answer to a task that ends every worker that takes it; may raise the error."""
        ...


class WorkerLost(BackendError):
    """A worker ended before it had answered; its task is as open as it was."""

    kind = "worker_lost"


@dataclass(frozen=True, slots=True)
class Finished(Generic[AnswerOut]):
    """What became of a task with a worker: an answer, or why there is none.

    `begun` is False for a task that a lost worker had not come to.
    """

    worker: int
    ticket: int
    answer: AnswerOut | None = None
    error: LabError | None = None
    begun: bool = True


class WorkerPool(Protocol[TaskIn, AnswerOut]):
    """Workers that have opened one kind of work, each doing one task after the other."""

    @property
    def second_runs(self) -> bool:
        """Whether a task that takes long may be given to a second worker as well."""
        ...

    @property
    def ahead(self) -> int:
        """How many short tasks may wait with a worker, so that it need not wait for the next."""
        ...

    def workers(self) -> Sequence[int]:
        """The numbers of the workers that are ready, busy or not; more may come, some may go."""
        ...

    def submit(self, worker: int, ticket: int, task: TaskIn) -> None:
        """Give a task to a worker, after those that it has; `ticket` names it in `Finished`."""
        ...

    def wait(self, timeout_s: float) -> Sequence[Finished[AnswerOut]]:
        """What has been finished since the last call; waits for the first at most so long.

        Raises:
            LabError: no worker can be had, or the work cannot be opened anywhere.
        """
        ...


class Workers(Protocol):
    """Where work is done: what a user chooses."""

    @property
    def words(self) -> str:
        """What to say of it while work goes on; "" for this thread alone."""
        ...

    def pool(
        self, work: Workload[Task, Answer], ctx: Context, engine: Engine
    ) -> AbstractContextManager[WorkerPool[Task, Answer]]:
        """Workers for some work, gone when the block ends, whatever they are at.

        Args:
            work: what they do.
            ctx: cancel, cache, spend limit and seed of the whole.
            engine: of this process.

        Raises:
            LabError: no worker can be had, or the work cannot be opened.
        """
        ...
