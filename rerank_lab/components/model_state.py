"""Where a model of the catalogue stands: whether it can run here, and whether it is in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ready", "downloadable", "missing"]
Where = Literal["folder", "package", "hub cache", "hub", ""]


@dataclass(frozen=True, slots=True)
class Availability:
    """What can be said of a model without loading it. `size` in bytes, 0 when unknown."""

    state: State
    where: Where
    reason: str
    hint: str
    size: int


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A row for the Models page. `size` in bytes, `idle_s` in seconds."""

    name: str
    backend: str
    size: int
    in_use: bool
    idle_s: float
