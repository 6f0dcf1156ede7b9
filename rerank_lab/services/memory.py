"""The memory of pipelines as a use case: measured once, each in a process of its own, and kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.machine import processor_name
from rerank_lab.core.paths import HOME_VARIABLE
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.evaluation.memory import MEMORY, MemoryPeak, MemoryStudy
from rerank_lab.evaluation.studies import save_study
from rerank_lab.jobs.keys import JobKey
from rerank_lab.jobs.table import Job
from rerank_lab.pipeline.engine import Engine
from rerank_lab.services.access import Action, needs
from rerank_lab.services.session import Session
from rerank_lab.services.stage_facts import stage_facts

QUERIES = 3
"""So many queries are asked: the first one opens everything, the others may take more."""
_POLL_S = 0.1


def measure(evaluation: Evaluation, ctx: Context, engine: Engine, corpus: str = "") -> MemoryStudy:
    """Measure the pipelines of an evaluation that run here, one after another, and keep it.

    Args:
        evaluation: Its first queries are asked, without the score cache.
        ctx: Cancel and progress.
        engine: The data folder. Indexes that are not there yet are built and counted in.
        corpus: A name or path, where the documents are not under the evaluation's name any more.

    Raises:
        Cancelled: The process at work is ended; nothing is kept.
    """
    design = evaluation.design
    queries = [query.text for query in design.queries[:QUERIES]]
    peaks: dict[str, MemoryPeak] = {}
    problems: dict[str, str] = {}
    for place, spec in enumerate(design.pipelines):
        ctx.report("measuring memory", place, len(design.pipelines))
        stages = stage_facts(spec)
        if not stages or any(stage.remote for stage in stages):
            problems[spec] = "It asks a provider or is a run of another system: nothing runs here."
            continue
        answer = _measured(corpus or design.corpus, queries, spec, ctx, engine)
        if "peak" in answer:
            peaks[spec] = MemoryPeak(
                int(str(answer["peak"])), int(str(answer["queries"])), processor_name()
            )
        else:
            problems[spec] = str(answer["error"])
    study = MemoryStudy(peaks, problems)
    save_study(evaluation.id, MEMORY, {"queries": len(queries)}, study.to_json(), engine.home)
    return study


def _measured(
    corpus: str, queries: Sequence[str], spec: str, ctx: Context, engine: Engine
) -> dict[str, object]:
    """What the process said: `peak` and `queries`, or `error`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "rerank_lab.services.memory_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {HOME_VARIABLE: str(engine.home)},
        text=True,
    )
    request: str | None = json.dumps({"corpus": corpus, "queries": list(queries), "pipeline": spec})
    try:
        while True:
            ctx.checkpoint()
            try:
                written, _ = process.communicate(request, timeout=_POLL_S)
                break
            except subprocess.TimeoutExpired:
                request = None
    except BaseException:
        process.kill()
        process.communicate()
        raise
    last = written.strip().rpartition("\n")[2]
    if process.returncode or not last.startswith("{"):
        return {"error": f"The process ended with code {process.returncode}."}
    answer: dict[str, object] = json.loads(last)
    return answer


@dataclass(frozen=True, slots=True)
class MemoryKey(JobKey[MemoryStudy]):
    """A measurement for an experiment, and how many there were before."""

    experiment_id: str
    number: int


@needs(Action.EDIT)
def start(evaluation: Evaluation, session: Session) -> Job[MemoryStudy]:
    """The job that measures; one that is at work already is joined.

    Raises:
        InvalidInput: No query was asked.
    """
    if not evaluation.design.queries:
        raise InvalidInput("There is no query to ask.", hint="Evaluate with queries first.")
    earlier = jobs_of(evaluation.id, session)
    engine = session.engine
    return session.jobs.submit(
        MemoryKey(evaluation.id, sum(job.state.ended for job in earlier)),
        lambda ctx: measure(evaluation, ctx, engine),
        lane="load",
        name=f"Measuring memory on {evaluation.design.corpus}",
        waiter=session.waiter,
        detached=True,
    )


def jobs_of(experiment_id: str, session: Session) -> list[Job[MemoryStudy]]:
    """The measurements for an experiment that are at work or have ended, oldest first."""
    return session.jobs.jobs(MemoryKey, lambda key: key.experiment_id == experiment_id)
