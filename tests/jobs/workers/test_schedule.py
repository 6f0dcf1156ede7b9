"""Every task is answered once, whatever becomes of the workers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from rerank_lab.core.context import CancelToken, Context
from rerank_lab.core.errors import BackendError, Cancelled, InvalidInput, LabError
from rerank_lab.jobs.workers import InThisThread, Threads, Workers, answers, schedule
from rerank_lab.jobs.workers.pool import Finished, WorkerLost
from rerank_lab.pipeline.engine import Engine


@dataclass
class Doubling:
    """Twice the number; `spoilt` tasks fail."""

    local_models = False
    spoilt: frozenset[int] = frozenset()
    calls: list[int] = field(default_factory=list)

    def open(self, engine: Engine) -> Callable[[int, Context], int]:
        def double(task: int, ctx: Context) -> int:
            ctx.checkpoint()
            self.calls.append(task)
            if task in self.spoilt:
                raise BackendError(f"No {task} today.", hint="Try tomorrow.")
            return 2 * task

        return double

    def failed(self, task: int, error: LabError) -> int:
        if isinstance(error, WorkerLost):
            return -1
        raise error


class Scripted:
    """Workers whose every step a test decides; they answer with twice the task."""

    second_runs = True

    def __init__(self, count: int, ahead: int = 0) -> None:
        self.ready = list(range(count))
        self.ahead = ahead
        self.at: dict[int, list[tuple[int, int]]] = {number: [] for number in range(count)}
        self.steps: list[Callable[[], Sequence[Finished[int]]]] = []
        self.submitted: list[tuple[int, int]] = []

    def workers(self) -> Sequence[int]:
        return list(self.ready)

    def submit(self, worker: int, ticket: int, task: int) -> None:
        assert len(self.at[worker]) <= self.ahead
        self.at[worker].append((ticket, task))
        self.submitted.append((worker, task))

    def wait(self, timeout_s: float) -> Sequence[Finished[int]]:
        if self.steps:
            return self.steps.pop(0)()
        return [self.done(worker) for worker, tasks in self.at.items() if tasks]

    def done(self, worker: int) -> Finished[int]:
        ticket, task = self.at[worker].pop(0)
        return Finished(worker, ticket, 2 * task)

    def lost(self, worker: int) -> list[Finished[int]]:
        tasks, self.at[worker] = self.at[worker], []
        self.ready.remove(worker)
        error = WorkerLost("It ended.", hint="")
        return [
            Finished(worker, ticket, error=error, begun=place == 0)
            for place, (ticket, _) in enumerate(tasks)
        ]


def lots(*sizes: int) -> Iterator[Iterator[int]]:
    first = 0
    for size in sizes:
        yield iter(range(first, first + size))
        first += size


def through(pool: Scripted, *sizes: int) -> list[tuple[int, int]]:
    return list(answers(Doubling(), pool, lots(*sizes), Context()))


@pytest.mark.parametrize("workers", [InThisThread(), Threads(1), Threads(5)])
def test_every_task_is_answered_once(workers: Workers) -> None:
    work = Doubling()
    with workers.pool(work, Context(), Engine()) as pool:
        done = list(answers(work, pool, lots(3, 0, 1, 4), Context()))
    assert sorted(done) == [(task, 2 * task) for task in range(8)]
    assert sorted(work.calls) == list(range(8))


def test_a_lot_stays_with_its_worker_until_others_have_nothing_to_do() -> None:
    pool = Scripted(2)
    assert sorted(through(pool, 3, 1)) == [(task, 2 * task) for task in range(4)]
    assert pool.submitted == [(0, 0), (1, 3), (0, 1), (1, 2)]


@pytest.mark.parametrize("workers", [InThisThread(), Threads(3)])
def test_the_error_of_a_task_reaches_who_asked(workers: Workers) -> None:
    work = Doubling(frozenset({1}))
    with (
        pytest.raises(BackendError, match="No 1 today"),
        workers.pool(work, Context(), Engine()) as pool,
    ):
        list(answers(work, pool, lots(4), Context()))


@pytest.mark.parametrize("workers", [InThisThread(), Threads(3)])
def test_a_cancel_ends_the_waiting(workers: Workers) -> None:
    token, work = CancelToken(), Doubling()
    ctx = Context(cancel=token)
    with workers.pool(work, ctx, Engine()) as pool:
        coming = answers(work, pool, lots(*[1] * 100), ctx)
        next(coming)
        token.cancel()
        with pytest.raises(Cancelled):
            list(coming)
    assert len(work.calls) <= 6


def test_the_task_of_a_worker_that_ended_is_done_by_another() -> None:
    pool = Scripted(2)
    pool.steps = [lambda: pool.lost(0)]
    assert sorted(through(pool, 3, 2)) == [(task, 2 * task) for task in range(5)]


def test_a_task_that_ends_every_worker_is_given_up() -> None:
    pool = Scripted(4)
    pool.steps = [lambda: pool.lost(pool.ready[0]) for _ in range(3)]
    assert through(pool, 1) == [(0, -1)]
    assert len(pool.submitted) == schedule.MOST_LOSSES


def test_a_slow_task_is_run_again_and_the_first_answer_counts_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(schedule, "SLOW_S", 0.02)
    pool = Scripted(2)

    def wait() -> Sequence[Finished[int]]:
        time.sleep(0.03)
        return []

    pool.steps = [lambda: [pool.done(1)], wait, lambda: [pool.done(1), pool.done(0)]]
    assert sorted(through(pool, 1, 1)) == [(0, 0), (1, 2)]
    assert pool.submitted == [(0, 0), (1, 1), (1, 0)]


def test_a_second_run_that_is_lost_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "SLOW_S", 0.0)
    monkeypatch.setattr(schedule, "SLOW_FACTOR", 0.0)
    pool = Scripted(2)
    pool.steps = [lambda: [pool.done(1)], list, lambda: pool.lost(1)]
    assert sorted(through(pool, 1, 1)) == [(0, 0), (1, 2)]


def test_short_tasks_wait_with_their_workers_and_long_ones_do_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool = Scripted(2, ahead=1)
    assert sorted(through(pool, *[1] * 8)) == [(task, 2 * task) for task in range(8)]
    assert pool.submitted[:6] == [(0, 0), (1, 1), (0, 2), (1, 3), (0, 4), (1, 5)]
    monkeypatch.setattr(schedule, "AHEAD_S", 0.0)
    pool = Scripted(2, ahead=1)
    pool.steps = [lambda: [pool.done(0)], lambda: [pool.done(0)]]
    through(pool, *[1] * 8)
    assert pool.submitted[:4] == [(0, 0), (1, 1), (0, 2), (0, 3)]


def test_what_waited_with_a_lost_worker_is_not_taken_to_have_ended_it() -> None:
    pool = Scripted(8, ahead=1)
    pool.ready = [0]
    waiting_with: list[int] = []

    def lose() -> Sequence[Finished[int]]:
        worker = pool.ready[0]
        pool.ready.append(worker + 1)
        waiting_with.append(len(pool.at[worker]))
        return pool.lost(worker)

    pool.steps = [lambda: [pool.done(0)], *[lose] * 3]
    assert sorted(through(pool, 1, 1, 1, 1)) == [(0, 0), (1, -1), (2, 4), (3, 6)]
    assert waiting_with == [2, 2, 2]


def test_what_waits_behind_a_slow_task_is_run_elsewhere_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(schedule, "SLOW_S", 0.0)
    monkeypatch.setattr(schedule, "SLOW_FACTOR", 0.0)
    pool = Scripted(2, ahead=1)

    def only_the_second() -> Sequence[Finished[int]]:
        return [pool.done(1)]

    both = [lambda: [pool.done(0), pool.done(1)]]
    pool.steps = [*both, *[only_the_second] * 20]
    assert sorted(through(pool, *[1] * 6)) == [(task, 2 * task) for task in range(6)]


def test_errors_are_the_same_in_another_process() -> None:
    import pickle

    error = InvalidInput("Wrong.", hint="Right it.", problems=["one", "two"])
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), vars(again), str(again)) == (InvalidInput, vars(error), str(error))
    broken = pickle.loads(pickle.dumps(BackendError("No.", hint="Yes.", retryable=True)))
    assert broken.retryable
