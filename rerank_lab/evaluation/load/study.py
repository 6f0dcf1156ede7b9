"""What a load study found out about one pipeline on one machine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec

from rerank_lab.components.registry import current_spec

LOAD = "load"
"""The kind of these studies."""
Arrivals = Literal["poisson", "fixed"]
ARRIVALS: tuple[Arrivals, ...] = ("poisson", "fixed")


@dataclass(frozen=True, slots=True)
class Percentile:
    """A percentile of latency in seconds with its 95 % interval, None where that cannot be had.

    `at_least` when queries that never finished stand above it: the true value is no smaller.
    """

    seconds: float
    low: float | None = None
    high: float | None = None
    at_least: bool = False


@dataclass(frozen=True, slots=True)
class LoadStep:
    """What became of the queries that arrived at one rate.

    Latency runs from the moment a query was due, so waiting for a free worker counts. `rate` is in
    queries a second, `seconds` the time over which they arrived. Of the `due` queries, `answered`
    gave a ranking, `failed` did not, and `unfinished` ones were given up at the end. Percentiles
    leave out the first `settling` queries, which found the queue empty. `waiting_s` is the mean
    time before a worker took a query up, `busy` the share of the workers' time spent at work, and
    `late_s` the 95th percentile of how late a free worker began, which is the clock's own error.
    `curve` are the latencies at 0, 1, ... 100 % of the queries.
    """

    rate: float
    seconds: float
    due: int
    answered: int
    failed: int
    unfinished: int
    settling: int
    mean_s: float | None
    p50: Percentile | None
    p95: Percentile | None
    p99: Percentile | None
    waiting_s: float | None
    busy: float
    late_s: float | None
    queries_per_s: float
    documents_per_s: float
    tokens_per_s: float
    curve: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class ColdStart:
    """The first query of a process: seconds in all, and of them loading and building."""

    total_s: float
    load_s: float
    build_s: float


@dataclass(frozen=True, slots=True)
class Saturated:
    """Throughput when `workers` ask one query after the other, each model on `threads` threads.

    `threads` is None where the components choose by themselves.
    """

    workers: int
    threads: int | None
    queries_per_s: float
    documents_per_s: float
    tokens_per_s: float
    queries: int


@dataclass(frozen=True, slots=True)
class Machine:
    """Where it was measured. `load` is the machine's own one-minute load average before it began,
    None where the system does not tell. `gpu` names the accelerator in use, "" without any.
    """

    processor: str
    cores: int
    load: float | None
    gpu: str = ""


@dataclass(frozen=True, slots=True)
class LoadStudy:
    """Latency and throughput of one pipeline.

    `steps` are in order of their rates; the one at `rate` is what was asked for. With a `bound` in
    seconds for p95, `sustained` is the largest rate that kept it and `broken` the smallest that did
    not, None where there was none among the rates tried; `within` says whether `rate` did. `warm`
    is the median of queries asked one by one. `errors` are messages of queries that failed.
    """

    pipeline: str
    corpus: str
    rate: float
    seconds: float
    workers: int
    arrivals: Arrivals
    seed: int
    steps: tuple[LoadStep, ...]
    cold: ColdStart | None = None
    warm: Percentile | None = None
    saturated: tuple[Saturated, ...] = ()
    bound: float | None = None
    sustained: float | None = None
    broken: float | None = None
    within: bool | None = None
    errors: tuple[str, ...] = ()
    machine: Machine = Machine("", 1, None)

    @property
    def at_rate(self) -> LoadStep | None:
        """The step at the rate that was asked for."""
        return next((step for step in self.steps if step.rate == self.rate), None)

    @property
    def capacity(self) -> float | None:
        """Queries a second that the machine answers: within the bound where there is one.

        None when no rate that was tried kept the bound.
        """
        if self.bound is not None:
            return self.sustained
        rates = [one.queries_per_s for one in self.saturated]
        rates += [step.queries_per_s for step in self.steps]
        return max(rates, default=None)

    def to_json(self) -> dict[str, Any]:
        """The study as it is kept."""
        written: dict[str, Any] = msgspec.to_builtins(self)
        return written

    @classmethod
    def from_json(cls, written: object) -> LoadStudy:
        """The study that was kept. Raises msgspec.ValidationError for anything else."""
        study = msgspec.convert(written, cls)
        return replace(study, pipeline=current_spec(study.pipeline))
