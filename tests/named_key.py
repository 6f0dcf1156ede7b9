"""A job key with nothing but a name."""

from __future__ import annotations

from dataclasses import dataclass

from rerank_lab.jobs.keys import JobKey


@dataclass(frozen=True, slots=True)
class NamedKey(JobKey):
    """The key of a job that a test submits."""

    name: str
