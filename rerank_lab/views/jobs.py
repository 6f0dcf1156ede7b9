"""Jobs in words: what one is doing, how far it is, and whose it is."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from rerank_lab.jobs.keys import JobKey
from rerank_lab.jobs.table import Job

LEFT = "goes on for another visitor"
STOPPING = "stopping, unless another visitor waits for it"
OTHERS = "asked for by another visitor"


@dataclass(frozen=True, slots=True)
class JobLine:
    """One job at work. `can_stop` is False for what only other visitors wait for."""

    key: JobKey[object]
    name: str
    doing: str
    share: float | None
    can_stop: bool


def job_line(job: Job[object], me: str, left: Container[JobKey[object]] = ()) -> JobLine:
    """A job as the visitor `me` sees it; `left` holds the keys of those that `me` has left."""
    others = any(waiter != me for waiter in job.waiters)
    mine = me in job.waiters or not others
    gone = job.key in left and me not in job.waiters
    sentence = doing(job.progress.message, job.progress.done, job.progress.total, _elapsed(job))
    if job.remaining_s is not None and job.remaining_s >= 1:
        sentence += f" · about {job.remaining_s:.0f} s left"
    if gone:
        sentence += f" · {LEFT if job.stop_asked_at is None else STOPPING}"
    elif not mine:
        sentence += f" · {OTHERS}"
    total = job.progress.total
    share = min(1.0, job.progress.done / total) if total else None
    return JobLine(job.key, job.name, sentence, share, mine and not gone)


def doing(message: str, done: int = 0, total: int = 0, elapsed_s: float | None = None) -> str:
    """`scoring 40 / 100 · 2.1 s`."""
    counted = f" {done:,} / {total:,}" if total else ""
    took = "" if elapsed_s is None else f" · {elapsed_s:.1f} s"
    return f"{message}{counted}{took}"


def _elapsed(job: Job[object]) -> float | None:
    return None if job.started_at is None else job.seconds
