"""Slow work as jobs: one mechanism for the app, batch experiments and the HTTP API.

The same key is the same job, across browser sessions. Lanes bound how many run at once per kind of
resource. A job that nobody waits for any more is cancelled, unless it was submitted as detached.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Generic, TypeVar, cast, overload

from rerank_lab.core.context import CancelToken, Context, Progress
from rerank_lab.core.errors import Cancelled, LabError
from rerank_lab.core.guard import lab_errors
from rerank_lab.jobs.keys import JobKey, R_co
from rerank_lab.jobs.turns import Turns

K = TypeVar("K", bound=JobKey[Any])
R = TypeVar("R")
_log = logging.getLogger(__name__)

LANES: Mapping[str, int] = {
    "light": 4, "cpu": 1, "gpu": 1, "network": 32, "batch": 1, "load": 1,
    "experiments": 3,
}  # fmt: skip
INTERACTIVE = frozenset({"light", "cpu", "gpu"})
"""Lanes of work that somebody looks at a page for, and that needs this machine."""
LEASE_S = 30.0
STOP_LEASE_S = 4.0
"""How long a stop waits for a sign of the others who wait. Pages poll far more often: one that was
closed or loaded anew must not keep alive what its visitor cancels."""
_KEPT = 256
_SWITCH_POLL_S = 0.05


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


@dataclass(eq=False)
class Job(Generic[R_co]):
    """One piece of work. Fields are written by the table and its worker; readers only look."""

    key: JobKey[R_co]
    name: str
    lane: str
    work: Callable[[Context], R_co]
    ctx: Context
    by_stage: bool = False
    detached: bool = False
    token: CancelToken = field(default_factory=CancelToken)
    state: JobState = JobState.QUEUED
    progress: Progress = field(default_factory=lambda: Progress("waiting"))
    result: R_co | None = None
    error: LabError | None = None
    submitted_at: float = field(default_factory=time.monotonic)
    started_at: float | None = None
    ended_at: float | None = None
    waiters: dict[str, float] = field(default_factory=dict)
    stop_asked_at: float | None = None
    finished: threading.Event = field(default_factory=threading.Event)
    holds: str = ""
    """The lane of which it has a slot now; "" while it waits for one."""

    @property
    def seconds(self) -> float:
        """Since work began, or 0 while queued; frozen when it ended."""
        if self.started_at is None:
            return 0.0
        return (self.ended_at or time.monotonic()) - self.started_at

    @property
    def age_s(self) -> float:
        """Since it was submitted."""
        return time.monotonic() - self.submitted_at

    @property
    def remaining_s(self) -> float | None:
        """Seconds left by the pace so far, or None when that cannot be known yet."""
        steps, total = self.progress.done, self.progress.total
        if self.state is not JobState.RUNNING or steps < 1 or total < steps:
            return None
        return self.seconds / steps * (total - steps)

    def wait(self, timeout: float | None = None) -> R_co:
        """The result; raises the job's LabError, or Cancelled. TimeoutError when still at work."""
        if not self.finished.wait(timeout):
            raise TimeoutError(self.name)
        if self.error is not None:
            raise self.error
        return cast(R_co, self.result)


class JobTable:
    """Jobs by key, run by a bounded number of daemon threads per lane."""

    def __init__(self, lanes: Mapping[str, int] = LANES, lease_s: float = LEASE_S) -> None:
        self._lanes = dict(lanes)
        self._lease_s = lease_s
        self._jobs: OrderedDict[JobKey[Any], Job[Any]] = OrderedDict()
        self._queues: dict[str, deque[Job[Any]]] = {lane: deque() for lane in lanes}
        self._busy: dict[str, int] = dict.fromkeys(lanes, 0)
        self._switching: dict[str, deque[Job[Any]]] = {lane: deque() for lane in lanes}
        self._lock = threading.RLock()
        self._freed = threading.Condition(self._lock)
        self._reaper: threading.Thread | None = None
        self.others_wait: Callable[[], bool] = lambda: False
        """Whether work that is no job is waited for; see LaneGuests."""
        self.turns = Turns()
        """For pieces of work of jobs that share a lane of several slots."""

    @property
    def lanes(self) -> tuple[str, ...]:
        """The kinds of resources that it knows."""
        return tuple(self._lanes)

    @property
    def changed(self) -> threading.Condition:
        """Guards who holds which slot, and is notified when one is free."""
        return self._freed

    def wanted(self, lane: str) -> bool:
        """Whether a job waits for a slot of this lane."""
        return self._queued(lane) or bool(self._switching[lane])

    def about_to_run(self, lane: str) -> bool:
        """Whether a job of the queue is the next to have a slot of this lane, without it yet."""
        held = any(job.holds == lane for job in self._jobs.values())
        return self._queued(lane) and not held

    def _queued(self, lane: str) -> bool:
        return any(not job.state.ended for job in self._queues[lane])

    def give_way(self, checkpoint: Callable[[], None], most_s: float) -> None:
        """Wait while somebody waits on a page for work that needs this machine.

        Args:
            checkpoint: called while it waits; what it raises ends the waiting.
            most_s: so many seconds at most, so that whoever gives way gets on as well.
        """
        end = time.monotonic() + most_s
        with self._lock:
            while self._awaited() and time.monotonic() < end:
                checkpoint()
                self._freed.wait(_SWITCH_POLL_S)

    def _awaited(self) -> bool:
        jobs = self._jobs.values()
        return self.others_wait() or any(
            j.lane in INTERACTIVE and j.waiters and not j.state.ended for j in jobs
        )

    def submit(
        self,
        key: JobKey[R],
        work: Callable[[Context], R],
        *,
        lane: str = "cpu",
        name: str = "",
        waiter: str = "",
        ctx: Context | None = None,
        detached: bool = False,
        by_stage: bool = False,
    ) -> Job[R]:
        """The job of that key: a running or done one when there is one, else a new one.

        `work` is given a Context whose cancel token and progress belong to the job. A job that
        failed or was cancelled is not reused. `waiter` names who waits; see `touch` and `release`.

        `lane` is held from the beginning to the end, or with `by_stage` until the work enters
        another one (`Context.enter_lane`).
        """
        with self._lock:
            job = self._jobs.get(key)
            reuse = job is not None and not job.token.cancelled and job.error is None
            if job is None or not reuse:
                job = Job(
                    key,
                    name or type(key).__name__,
                    lane,
                    work,
                    ctx or Context(),
                    by_stage,
                    detached,
                )
                self._jobs[key] = job
                self._queues[lane].append(job)
                self._start_worker(lane)
            self._jobs.move_to_end(key)
            if waiter:
                job.waiters[waiter] = time.monotonic()
                self._start_reaper()
            self._forget_old()
            return job

    def get(self, key: JobKey[R] | None) -> Job[R] | None:
        """The job of that key; None when there is none, or no key."""
        with self._lock:
            return self._jobs.get(key) if key is not None else None

    @overload
    def jobs(self) -> list[Job[object]]: ...

    @overload
    def jobs(self, kind: type[K], which: Callable[[K], bool] = ...) -> list[Job[Any]]: ...

    def jobs(
        self, kind: type[Any] = JobKey, which: Callable[[Any], bool] = lambda _: True
    ) -> list[Job[Any]]:
        """The jobs that are kept, oldest first: all, or those whose key is of `kind` and passes."""
        with self._lock:
            jobs = list(self._jobs.values())
        return [job for job in jobs if isinstance(job.key, kind) and which(job.key)]

    def touch(self, waiter: str) -> None:
        """Say that `waiter` is still there; call it at every poll."""
        with self._lock:
            for job in self._jobs.values():
                if waiter in job.waiters:
                    job.waiters[waiter] = time.monotonic()

    def release(self, key: JobKey[object], waiter: str) -> None:
        """`waiter` no longer wants this job; without any other waiter it is cancelled."""
        with self._lock:
            job = self._jobs.get(key)
            if job is not None and job.waiters.pop(waiter, None) is not None:
                self._cancel_if_alone(job)

    def join(self, key: JobKey[object], waiter: str) -> None:
        """`waiter` waits for this job too, as long as it is at work."""
        with self._lock:
            job = self._jobs.get(key)
            if job is not None and not job.state.ended:
                job.waiters[waiter] = time.monotonic()
                self._start_reaper()

    def leave(self, key: JobKey[object], waiter: str) -> None:
        """`waiter` asks for it to be stopped: cancelled, detached or not, unless others wait.

        Others count when they are heard of within the next `STOP_LEASE_S`.
        """
        with self._lock:
            job = self._jobs.get(key)
            if job is not None:
                job.waiters.pop(waiter, None)
                job.stop_asked_at = time.monotonic()
                if not job.waiters:
                    self.cancel(key)
                else:
                    self._start_reaper()

    def cancel(self, key: JobKey[object]) -> None:
        """Cancel for everybody. A queued job ends at once, a running one between two batches."""
        with self._lock:
            job = self._jobs.get(key)
            if job is None or job.state.ended:
                return
            job.token.cancel()
            if job.state is JobState.QUEUED:
                self._end(job, JobState.CANCELLED, error=Cancelled())

    def _cancel_if_alone(self, job: Job[Any]) -> None:
        if not job.waiters and not job.detached:
            self.cancel(job.key)

    def _start_worker(self, lane: str) -> None:
        """Take a free slot for the jobs that are queued; those at work that wait come first."""
        if self._queues[lane] and self._busy[lane] + len(self._switching[lane]) < self._lanes[lane]:
            self._busy[lane] += 1
            thread = threading.Thread(
                target=self._run_lane, args=(lane,), name=f"rerank-lab-{lane}", daemon=True
            )
            thread.start()

    def _run_lane(self, lane: str) -> None:
        """Run queued jobs with one slot of a lane, until none is left or the slot is passed on."""
        while True:
            with self._lock:
                queue = self._queues[lane]
                while queue and queue[0].state.ended:
                    queue.popleft()
                if not queue or self._switching[lane]:
                    self._free(lane)
                    return
                job = queue.popleft()
                job.state, job.started_at, job.holds = JobState.RUNNING, time.monotonic(), lane
                job.progress = Progress("starting")
            self._run(job)
            with self._lock:
                lane, job.holds = job.holds, ""
            if not lane:
                return

    def _free(self, lane: str) -> None:
        """Give back a slot: to a job at work that waits for it, else to the next in the queue."""
        self._busy[lane] -= 1
        self._freed.notify_all()
        self._start_worker(lane)

    def enter_lane(self, job: Job[Any], lane: str, checkpoint: Callable[[], None]) -> None:
        """Give the job a slot of this lane in place of the one it holds, once there is one.

        `checkpoint` is called while it waits, and may raise. The job counts as queued meanwhile.
        """
        lane = lane if lane in self._lanes else "cpu"
        with self._lock:
            if job.holds == lane:
                return
            self.leave_lane(job)
            waiting = self._switching[lane]
            waiting.append(job)
            try:
                while self._busy[lane] >= self._lanes[lane] or waiting[0] is not job:
                    checkpoint()
                    job.state, job.progress = JobState.QUEUED, Progress("waiting")
                    self._freed.wait(_SWITCH_POLL_S)
                checkpoint()
                self._busy[lane] += 1
                job.lane = job.holds = lane
                job.state = JobState.RUNNING
            finally:
                waiting.remove(job)
                self._freed.notify_all()
                self._start_worker(lane)

    def leave_lane(self, job: Job[Any]) -> str:
        """Take the job's slot from it; returns its lane, "" when it held none."""
        with self._lock:
            lane, job.holds = job.holds, ""
            if lane:
                self._free(lane)
            return lane

    def _run(self, job: Job[Any]) -> None:
        def progress(now: Progress) -> None:
            job.progress = now

        lanes = _JobLanes(self, job) if job.by_stage else None
        ctx = replace(job.ctx, cancel=job.token, progress=progress, lanes=lanes)
        try:
            with lab_errors(job.name):
                result = job.work(ctx)
        except LabError as error:
            cancelled = isinstance(error, Cancelled)
            state = JobState.CANCELLED if cancelled else JobState.FAILED
            with self._lock:
                self._end(job, state, error=error)
        except BaseException as fault:
            _log.exception("Job %s ended the worker", job.name)
            with self._lock:
                self._end(job, JobState.FAILED, error=Cancelled(f"The worker ended: {fault!r}."))
        else:
            with self._lock:
                self._end(job, JobState.DONE, result=result)

    @staticmethod
    def _end(
        job: Job[Any], state: JobState, *, result: Any = None, error: LabError | None = None
    ) -> None:
        if job.state.ended:  # cancelled while it waited for a lane
            return
        # A job is kept long after its session may have ended; the session's keys must not be.
        job.ctx = replace(job.ctx, secrets={})
        job.result, job.error = result, error
        job.state, job.ended_at = state, time.monotonic()
        job.finished.set()

    def _forget_old(self) -> None:
        ended = [key for key, job in self._jobs.items() if job.state.ended]
        for key in ended[: max(0, len(self._jobs) - _KEPT)]:
            del self._jobs[key]

    def _start_reaper(self) -> None:
        if self._reaper is None:
            self._reaper = threading.Thread(
                target=self._reap, name="rerank-lab-leases", daemon=True
            )
            self._reaper.start()

    def _reap(self) -> None:
        """Browser tabs leave without a word: cancel what only expired waiters wait for."""
        while True:
            time.sleep(min(self._lease_s / 3, 1.0))
            with self._lock:
                for job in self._jobs.values():
                    if not job.state.ended:
                        self._reap_job(job, time.monotonic())

    def _reap_job(self, job: Job[Any], now: float) -> None:
        gone = [w for w, at in job.waiters.items() if at < now - self._lease_s]
        for waiter in gone:
            del job.waiters[waiter]
        if gone:
            self._cancel_if_alone(job)
        stop_asked_at = job.stop_asked_at
        if stop_asked_at is not None and now - stop_asked_at > STOP_LEASE_S:
            job.stop_asked_at = None
            if all(at <= stop_asked_at for at in job.waiters.values()):
                self.cancel(job.key)


class _JobLanes:
    """`core.context.LaneSlots` of one job."""

    def __init__(self, table: JobTable, job: Job[Any]) -> None:
        self._table = table
        self._job = job

    def enter(self, lane: str, checkpoint: Callable[[], None]) -> None:
        self._table.enter_lane(self._job, lane, checkpoint)

    def leave(self) -> str:
        return self._table.leave_lane(self._job)
