"""Who does the work of a long job: this thread, more threads, or processes on other machines.

A job is cut into tasks. `answers` hands them out, notices workers that end or are slow, and gives
the answers back; where a worker is, is known to its pool only.
"""

from __future__ import annotations

from rerank_lab.jobs.workers.local import InThisThread, Threads
from rerank_lab.jobs.workers.pool import Workers
from rerank_lab.jobs.workers.ray_actors import RayWorkers
from rerank_lab.jobs.workers.schedule import answers

__all__ = ["InThisThread", "RayWorkers", "Threads", "Workers", "answers"]
