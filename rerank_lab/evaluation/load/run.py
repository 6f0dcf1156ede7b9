"""Measure a pipeline under load: cold, warm, at the rate asked for, and how much it can take."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from statistics import median

from rerank_lab.core.context import Context
from rerank_lab.core.errors import Cancelled, InvalidInput
from rerank_lab.core.machine import cpu_threads, limited_threads
from rerank_lab.core.types import Query, Status
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.evaluation.load.arrivals import schedule
from rerank_lab.evaluation.load.generator import Answer, Call, drive, saturate
from rerank_lab.evaluation.load.machine import this_machine
from rerank_lab.evaluation.load.percentiles import percentile
from rerank_lab.evaluation.load.search import LargestLoad, keeps, largest_load
from rerank_lab.evaluation.load.steps import summarise
from rerank_lab.evaluation.load.study import Arrivals, ColdStart, LoadStep, LoadStudy, Saturated
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline

TRIES = 6
"""Rates that the search for the largest load may measure beside the one asked for."""
MOST_QUERIES = 200_000
"""Queries of one rate, at most."""
_ENOUGH = 40
"""Queries that a rate is measured by where three times the stated time allows it."""
_WARM_QUERIES, _WARM_S = 20, 5.0
_SATURATED_S = 5.0


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """What to measure.

    Queries arrive at `rate` a second for `seconds` (see `seconds_at`), and `workers` are answered
    at once. With a `bound` in seconds on p95, the largest rate that keeps it is looked for.
    `by_core` measures the throughput for each number of threads.
    """

    rate: float = 5.0
    seconds: float = 20.0
    workers: int = 1
    arrivals: Arrivals = "poisson"
    seed: int = 0
    bound: float | None = None
    tries: int = TRIES
    by_core: bool = False

    def check(self) -> None:
        """Raises InvalidInput for what cannot be measured."""
        limits = (
            ("The rate", self.rate, 0.001, 10_000, "queries a second"),
            ("The time", self.seconds, 0.01, 3600, "seconds"),
            ("The number of workers", self.workers, 1, 512, "workers"),
            ("The bound", self.bound if self.bound is not None else 1.0, 0.001, 600, "seconds"),
            ("The number of further rates", self.tries, 0, 20, "rates"),
        )
        for what, value, low, high, unit in limits:
            if not low <= value <= high:
                raise InvalidInput(
                    f"{what} must be {low:g} to {high:,g} {unit}, not {value:g}.",
                    hint="Give another value.",
                )
        if self.rate * self.seconds > MOST_QUERIES:
            raise InvalidInput(
                f"{self.rate * self.seconds:,.0f} queries are too many for one study.",
                hint=f"Up to {MOST_QUERIES:,} are measured: take a lower rate or less time.",
            )

    def seconds_at(self, rate: float) -> float:
        """For how long queries arrive at a rate: longer at low ones, so that enough of them do."""
        return max(self.seconds, min(_ENOUGH / rate, 3 * self.seconds))

    @property
    def grace_s(self) -> float:
        """So long after the last arrival, queries that still wait are given up."""
        return max(1.0, min(30.0, self.seconds / 4), 2 * (self.bound or 0.0))


DEFAULT_PLAN = LoadPlan()
"""Five queries a second for twenty seconds, one at a time."""


def measure_load(
    pipeline: Pipeline,
    plan: LoadPlan,
    corpus: Corpus,
    queries: Sequence[Query],
    ctx: Context,
    engine: Engine,
) -> LoadStudy:
    """Measure a pipeline of this process. No score is taken from the cache, and none is kept.

    Args:
        pipeline: What to measure.
        plan: How.
        corpus: What is searched.
        queries: Asked in turn, again and again.
        ctx: Keys, spend meter, progress and cancel.
        engine: Whose data folder holds the indexes. The study loads its models anew, so that the
            first query is a cold one, and lets go of them in the end.

    Raises:
        InvalidInput: The plan, or there is no query.
        LabError: What the first query failed with.
        Cancelled: Nothing is kept of what was measured by then.
    """
    plan.check()
    if not queries:
        raise InvalidInput(
            f"There is no query to ask of {corpus.name!r}.",
            hint="Give queries, or choose a corpus that has some.",
        )
    target = PipelineTarget(pipeline, corpus, queries, replace(ctx, cache=None))
    machine = this_machine()
    own = _like(engine)
    try:
        cold = target.cold(own)
        study = _Meter(plan, target.call(own), ctx).study(str(pipeline), corpus.name)
        by_core = _by_core(plan, target, engine, ctx) if plan.by_core else ()
    finally:
        own.forget()
    return replace(study, cold=cold, machine=machine, saturated=(*study.saturated, *by_core))


def measure_call(plan: LoadPlan, call: Call, name: str, ctx: Context) -> LoadStudy:
    """Measure anything that answers the n-th query, such as a server at an address.

    Raises:
        InvalidInput: The plan.
    """
    plan.check()
    return replace(_Meter(plan, call, ctx).study(name, ""), machine=this_machine())


@dataclass(frozen=True, slots=True)
class PipelineTarget:
    """A pipeline and what it is asked."""

    pipeline: Pipeline
    corpus: Corpus
    queries: Sequence[Query]
    ctx: Context

    def cold(self, engine: Engine) -> ColdStart:
        """Ask the first query of an engine that holds nothing yet. Raises what it fails with."""
        self.ctx.report("first query, with loading")
        begin = time.perf_counter()
        result = self.pipeline.run(self.queries[0], self.corpus, self.ctx, engine)
        seconds = time.perf_counter() - begin
        if result.error is not None:
            raise result.error
        return ColdStart(seconds, result.trace.load_s, result.trace.build_s)

    def call(self, engine: Engine) -> Call:
        """Answers queries in turn with that engine."""
        ctx = replace(self.ctx, progress=lambda _: None)

        def answer(index: int) -> Answer:
            query = self.queries[index % len(self.queries)]
            result = self.pipeline.run(query, self.corpus, ctx, engine)
            if result.status is Status.CANCELLED:
                raise Cancelled
            trace = result.trace
            ok = result.ranking is not None and result.status.answered
            error = "" if result.error is None else result.error.message
            reranked = sum(stage.trace.documents for stage in result.stages[1:])
            documents = reranked or (len(result.ranking) if result.ranking is not None else 0)
            return Answer(ok, documents, trace.tokens_in + trace.tokens_out, error)

        return answer


@dataclass(slots=True)
class _Meter:
    """Measures one call after the other; says how far it is."""

    plan: LoadPlan
    call: Call
    ctx: Context
    errors: list[str] = field(default_factory=list)

    def study(self, name: str, corpus: str) -> LoadStudy:
        """Everything but what needs engines of its own."""
        plan = self.plan
        alone = self._alone()
        first = self._step(plan.rate)
        largest = LargestLoad(None, None, (first,))
        if plan.bound is not None:
            highest = max(plan.rate, plan.workers / max(1e-4, median(alone)))
            largest = largest_load(self._step, plan.bound, first, highest, plan.tries)
        return LoadStudy(
            pipeline=name,
            corpus=corpus,
            rate=plan.rate,
            seconds=plan.seconds,
            workers=plan.workers,
            arrivals=plan.arrivals,
            seed=plan.seed,
            steps=largest.steps,
            warm=percentile(alone, 0.5),
            saturated=(self._saturated(),),
            bound=plan.bound,
            sustained=largest.sustained,
            broken=largest.broken,
            within=None if plan.bound is None else keeps(first, plan.bound),
            errors=tuple(dict.fromkeys(self.errors))[:3],
        )

    def _alone(self) -> list[float]:
        """Seconds of a few queries, one after the other."""
        self.ctx.report("one query after the other")
        seconds: list[float] = []
        while len(seconds) < _WARM_QUERIES and sum(seconds) < _WARM_S:
            self.ctx.checkpoint()
            begin = time.perf_counter()
            self._noted(len(seconds))
            seconds.append(time.perf_counter() - begin)
        return seconds

    def _step(self, rate: float) -> LoadStep:
        plan = self.plan
        seconds = plan.seconds_at(rate)
        moments = schedule(rate, seconds, plan.arrivals, plan.seed)[:MOST_QUERIES]
        begin = time.perf_counter()

        def checkpoint() -> None:
            self.ctx.checkpoint()
            past = min(seconds, time.perf_counter() - begin)
            figure = f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"
            self.ctx.report(f"{figure} queries a second", int(past), round(seconds))

        calls = drive(
            self._noted,
            [float(moment) for moment in moments],
            plan.workers,
            grace_s=plan.grace_s,
            checkpoint=checkpoint,
        )
        return summarise(
            calls,
            rate,
            seconds,
            plan.workers,
            plan.arrivals,
            grace_s=plan.grace_s,
            seed=plan.seed,
        )

    def _saturated(self) -> Saturated:
        self.ctx.report("all workers at work without a pause")
        return throughput(self.call, self.plan, None, self.ctx.checkpoint)

    def _noted(self, index: int) -> Answer:
        answer = self.call(index)
        if answer.error:
            self.errors.append(answer.error)
        return answer


def throughput(
    call: Call, plan: LoadPlan, threads: int | None, checkpoint: Callable[[], None]
) -> Saturated:
    """What the workers get done when they never wait."""
    seconds = min(plan.seconds, _SATURATED_S)
    calls, lasted = saturate(call, plan.workers, seconds, checkpoint=checkpoint)
    answers = [one.answer for one in calls if one.answer is not None and one.answer.ok]
    lasted = max(lasted, 1e-9)
    return Saturated(
        plan.workers,
        threads,
        len(answers) / lasted,
        sum(one.documents for one in answers) / lasted,
        sum(one.tokens for one in answers) / lasted,
        len(answers),
    )


def _by_core(
    plan: LoadPlan, target: PipelineTarget, engine: Engine, ctx: Context
) -> tuple[Saturated, ...]:
    """Throughput with models on 1, 2, 4, ... threads, up to what a model takes by itself."""
    points = []
    for threads in takewhile(lambda n: n <= cpu_threads(), (2**power for power in range(10))):
        ctx.report(f"models on {threads} thread{'s' if threads > 1 else ''}")
        own = _like(engine)
        try:
            with limited_threads(threads):
                target.cold(own)
            points.append(throughput(target.call(own), plan, threads, ctx.checkpoint))
        finally:
            own.forget()
    return tuple(points)


def _like(engine: Engine) -> Engine:
    """An engine with the same folders and nothing in memory."""
    fresh = Engine(engine.home)
    fresh.readable = engine.readable
    return fresh
