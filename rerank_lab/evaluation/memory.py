"""The memory that pipelines were measured to take, kept with an experiment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from rerank_lab.evaluation.studies import studies

MEMORY = "memory"
"""Under which it is kept among the studies of an experiment."""


@dataclass(frozen=True, slots=True)
class MemoryPeak:
    """The most memory that a process held which did nothing but answer queries by one pipeline.

    Attributes:
        peak: resident bytes, of the interpreter, the libraries, the corpus, the index, the models
            and the work together.
        queries: how many it answered.
        processor: of the machine.
    """

    peak: int
    queries: int
    processor: str


@dataclass(frozen=True, slots=True)
class MemoryStudy:
    """What was measured, and why what was not: by pipeline."""

    peaks: Mapping[str, MemoryPeak]
    problems: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values; `from_json` reads it back."""
        written: dict[str, Any] = msgspec.to_builtins(self)
        return written

    @classmethod
    def from_json(cls, written: object) -> MemoryStudy:
        """The study of JSON values. Raises ValueError for anything else."""
        return msgspec.convert(written, cls)


def memory_peaks(experiment_id: str, home: Path | None = None) -> dict[str, MemoryPeak]:
    """The last peak measured of each pipeline of an experiment, by spec."""
    peaks: dict[str, MemoryPeak] = {}
    for study in reversed(studies(experiment_id, MEMORY, home)):
        peaks.update(MemoryStudy.from_json(study.result).peaks)
    return peaks
