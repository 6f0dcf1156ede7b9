"""Workers that are Ray actors: processes of this machine, or of all machines of a cluster.

A worker opens the work once, with its own engine and models, and answers task after task. Nothing
is written there but caches. Keys come from the environment of the worker's process; they are never
handed over. Of a worker that ends only the task that it had is lost, and another takes its place.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, cast

from rerank_lab.core.context import Context
from rerank_lab.core.errors import BackendError, InvalidInput, LabError, MissingExtra
from rerank_lab.core.guard import lab_errors
from rerank_lab.core.machine import THREADS_VARIABLE
from rerank_lab.core.paths import data_home
from rerank_lab.jobs.workers.ledger import Ledger, LedgerCounters, LedgerMeter, TaskProgress
from rerank_lab.jobs.workers.pool import Answer, Finished, Task, WorkerLost, Workload
from rerank_lab.pipeline.engine import Engine
from rerank_lab.remote.limits import count_elsewhere

_log = logging.getLogger(__name__)
_FAILED_STARTS = 3
"""Workers that may end one after the other before they are ready."""
_START_S = 300.0
"""So long there may be no worker that is ready, at first or after all were lost."""
_HEAR_S = 1.0


@dataclass(frozen=True, slots=True)
class RayWorkers:
    """Ray actors, one model each.

    Attributes:
        count: how many; 0 for one a core of the cluster, or one a GPU where there are some.
        address: of a running cluster, as Ray takes it; "" for one of this command's own, on this
            machine, which ends with it.
    """

    count: int = 0
    address: str = ""

    @property
    def words(self) -> str:
        """How many, and where."""
        count = f"{self.count} workers" if self.count else "workers"
        return f"{count} on Ray at {self.address}" if self.address else f"{count} on Ray"

    @contextmanager
    def pool(
        self, work: Workload[Task, Answer], ctx: Context, engine: Engine
    ) -> Iterator[_RayPool[Task, Answer]]:
        """As `Workers.pool`."""
        if any(ctx.secrets.values()):
            raise InvalidInput(
                "Keys that were typed in are not sent to workers on other machines.",
                hint="Set the keys in the environment of the machines, where Ray is started.",
            )
        with _cluster(self.address) as ray:
            share = _share(ray, self.count, local_models=work.local_models)
            pool: _RayPool[Task, Answer] = _RayPool(ray, work, ctx, engine, share)
            try:
                pool.start()
                yield pool
            finally:
                pool.close()


@dataclass(frozen=True, slots=True)
class _Share:
    """How many workers there are, and what each of them takes of the cluster."""

    count: int
    cpus: float = 0.0
    gpus: float = 0.0


@dataclass(frozen=True, slots=True)
class _Terms:
    """How a worker works. No secret is in it: it lies in Ray's object store."""

    worker: int
    home: str
    cached: bool
    seed: int
    remote_stage_s: float | None
    limit: float | None
    currency: str
    threads: int


@contextmanager
def _cluster(address: str) -> Iterator[Any]:
    """Ray, connected to a cluster; one that this process is connected to already is used."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise MissingExtra.of("Work on Ray", "ray") from None
    if ray.is_initialized():
        yield ray
        return
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address:
        options["address"] = address
    else:
        options |= {"include_dashboard": False, "num_cpus": len(os.sched_getaffinity(0))}
    try:
        ray.init(**options)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise BackendError(
            f"Ray cannot be reached at {address!r}." if address else "Ray does not start here.",
            hint="Check the address, and that its machines run the same versions of Ray and "
            "Python. A cluster that asks for a token needs RAY_AUTH_MODE=token and RAY_AUTH_TOKEN "
            "here."
            if address
            else "See the details; --workers N works without Ray.",
            details=str(error),
        ) from None
    try:
        yield ray
    finally:
        ray.shutdown()


def _share(ray: Any, count: int, *, local_models: bool) -> _Share:
    resources = ray.cluster_resources()
    cpus, gpus = int(resources.get("CPU", 1)), int(resources.get("GPU", 0))
    if not local_models:  # they wait for others, and take no core
        return _Share(count or max(1, cpus))
    if gpus:
        most = count or gpus
        return _Share(most, gpus=1.0 if most <= gpus else gpus / most)
    most = min(count or cpus, max(1, cpus))
    return _Share(most, cpus=float(max(1, cpus // most)))


class WorkerProcess:
    """What runs in an actor."""

    def __init__(self) -> None:
        self._call: Callable[[Any, Context], Any] | None = None
        self._ctx = Context()

    def open(self, work: Workload[Any, Any], terms: _Terms, ledger: Any) -> LabError | None:
        """Get ready; the error that keeps it from that."""
        if terms.threads:
            os.environ.setdefault(THREADS_VARIABLE, str(terms.threads))
        home = Path(terms.home)
        engine = Engine(home if home.is_dir() else data_home())
        link = _Link(ledger)
        try:
            with lab_errors("A worker"):
                count_elsewhere(LedgerCounters(link), link.ask("salt"))
                self._ctx = Context(
                    cache=engine.scores if terms.cached else None,
                    seed=terms.seed,
                    remote_stage_s=terms.remote_stage_s,
                    progress=TaskProgress(link),
                    spend=LedgerMeter(terms.limit, terms.currency, terms.worker, link),
                )
                self._call = work.open(engine)
        except LabError as error:
            return error
        return None

    def run(self, task: Any) -> Any:
        """The answer to a task, or its LabError."""
        try:
            with lab_errors("A worker"):
                return cast(Callable[[Any, Context], Any], self._call)(task, self._ctx)
        except LabError as error:
            return error


@dataclass(frozen=True, slots=True)
class _Link:
    """The ledger's actor, as `LedgerLink`. `ask` raises WorkerLost when it is gone."""

    ledger: Any

    def ask(self, method: str, *values: Any) -> Any:
        import ray
        from ray.exceptions import RayError

        try:
            answer = ray.get(getattr(self.ledger, method).remote(*values))
        except RayError as error:
            raise WorkerLost(
                "Nobody counts what is spent any more.",
                hint="Run it again to go on from here.",
                details=str(error),
            ) from None
        if isinstance(answer, LabError):
            raise answer
        return answer

    def tell(self, method: str, *values: Any) -> None:
        getattr(self.ledger, method).remote(*values)


@dataclass(slots=True)
class _Actor:
    """An actor and what it is at."""

    handle: Any
    opening: Any = None
    """What `WorkerProcess.open` returns; None once it is ready."""
    tickets: list[int] = field(default_factory=list)
    """Of its tasks, the one at work first."""


@dataclass
class _RayPool(Generic[Task, Answer]):
    """The actors of one job, and the ledger that counts for them."""

    ray: Any
    work: Workload[Task, Answer]
    ctx: Context
    engine: Engine
    share: _Share
    second_runs: bool = True
    ahead: int = 1
    _actors: dict[int, _Actor] = field(default_factory=dict)
    _at: dict[Any, tuple[int, int]] = field(default_factory=dict)
    """Whose answer an object of Ray's will be, and to which ticket; -1 for its readiness."""
    _started: int = 0
    _failed_starts: int = 0
    _ready_at: float = 0.0
    """When there was a worker that is ready, or the first was started."""
    _counted: float = 0.0
    _heard_at: float = 0.0

    def start(self) -> None:
        """Start the ledger and the workers. Raises what keeps the first of them from working."""
        self.ctx.report(f"starting {self.share.count} workers")
        spend = self.ctx.spend
        # Where the head is: no other machine can be lost with it.
        options = {"num_cpus": 0, "resources": {"node:__internal_head__": 0.001}}
        self._ledger = self.ray.remote(Ledger).options(**options).remote(spend.left, spend.currency)
        self._work = self.ray.put(self.work)
        self._class = self.ray.remote(WorkerProcess)
        for _ in range(self.share.count):
            self._start_worker()
        self._ready_at = time.monotonic()
        while not self.workers():
            self.ctx.checkpoint()
            self.wait(0.1)

    def _start_worker(self) -> None:
        number, self._started = self._started, self._started + 1
        handle = self._class.options(
            num_cpus=self.share.cpus, num_gpus=self.share.gpus, max_restarts=0
        ).remote()
        terms = _Terms(
            worker=number,
            home=str(self.engine.home),
            cached=self.ctx.cache is not None,
            seed=self.ctx.seed,
            remote_stage_s=self.ctx.remote_stage_s,
            limit=self.ctx.spend.limit,
            currency=self.ctx.spend.currency,
            threads=int(self.share.cpus),
        )
        actor = _Actor(handle, handle.open.remote(self._work, terms, self._ledger))
        self._actors[number] = actor
        self._at[actor.opening] = number, -1

    def workers(self) -> Sequence[int]:
        """Those that are ready."""
        return [number for number, actor in self._actors.items() if actor.opening is None]

    def submit(self, worker: int, ticket: int, task: Task) -> None:
        """As `WorkerPool.submit`."""
        actor = self._actors[worker]
        actor.tickets.append(ticket)
        self._at[actor.handle.run.remote(task)] = worker, ticket

    def wait(self, timeout_s: float) -> Sequence[Finished[Answer]]:
        """As `WorkerPool.wait`."""
        self._hear()
        self._look_for_workers()
        if not self._at:
            time.sleep(timeout_s)
            return []
        ready, others = self.ray.wait(list(self._at), num_returns=1, timeout=timeout_s)
        if ready and others:
            ready += self.ray.wait(others, num_returns=len(others), timeout=0)[0]
        return [one for reference in ready for one in self._finished(reference)]

    def _look_for_workers(self) -> None:
        """Raises BackendError where none was ready for long: those that ended get no place."""
        now = time.monotonic()
        if self.workers():
            self._ready_at = now
        elif now > self._ready_at + _START_S:
            raise BackendError(
                f"Ray started no worker within {_START_S:g} s.",
                hint="See `ray status`: the cluster may have no free core or GPU. Run it again to "
                "go on from here.",
            )

    def _finished(self, reference: Any) -> Sequence[Finished[Answer]]:
        from ray.exceptions import RayError

        if reference not in self._at:  # of a worker that is known to be lost
            return ()
        number, ticket = self._at.pop(reference)
        actor = self._actors[number]
        try:
            answer = self.ray.get(reference)
        except RayError as error:
            return self._lost(number, error)
        if ticket < 0:
            actor.opening = None
            if isinstance(answer, LabError):
                raise answer
            self._failed_starts = 0
            return ()
        actor.tickets.remove(ticket)
        if isinstance(answer, LabError):
            return (Finished(number, ticket, error=answer),)
        return (Finished(number, ticket, cast(Answer, answer)),)

    def _lost(self, number: int, error: Exception) -> Sequence[Finished[Answer]]:
        """A worker ended; another takes its place. What becomes of the tasks that it had."""
        actor = self._actors.pop(number)
        self.ray.kill(actor.handle)
        self._ledger.ended.remote(number)
        _log.info("Worker %s ended: %s", number, error)
        if actor.opening is not None:
            self._failed_starts += 1
            if self._failed_starts >= max(_FAILED_STARTS, self.share.count):
                raise BackendError(
                    f"{self._failed_starts} workers ended before they were ready.",
                    hint="Install the same version of Rerank Lab on all machines of Ray, with "
                    "memory for the models.",
                    details=str(error),
                ) from None
        self._at = {one: place for one, place in self._at.items() if place[0] != number}
        self._start_worker()
        lost = WorkerLost(
            "Worker processes ended while they were at work on this query.",
            hint="See the logs of Ray: the machine may have run out of memory.",
            details=str(error),
        )
        return [
            Finished(number, ticket, error=lost, begun=place == 0)
            for place, ticket in enumerate(actor.tickets)
        ]

    def _hear(self, *, now: bool = False) -> None:
        """What the workers have spent, and how far they are, now and then."""
        from ray.exceptions import RayError

        if not now and time.monotonic() < self._heard_at + _HEAR_S:
            return
        try:
            spent, progress = self.ray.get(self._ledger.news.remote())
        except RayError as error:
            raise BackendError(
                "The head of Ray's cluster is gone, and with it the count of what is spent.",
                hint="Start Ray again, and run it again to go on from here.",
                details=str(error),
            ) from None
        self.ctx.spend.settle(0.0, spent - self._counted)
        self._counted, self._heard_at = spent, time.monotonic()
        if progress is not None:
            self.ctx.report(progress.message, progress.done, progress.total)

    def close(self) -> None:
        """End the workers, whatever they are at, and count what they have spent."""
        from ray.exceptions import RayError

        with suppress(RayError, BackendError):
            for number, actor in self._actors.items():
                self.ray.kill(actor.handle)
                self._ledger.ended.remote(number)
            self._hear(now=True)
        with suppress(RayError):
            self.ray.kill(self._ledger)
