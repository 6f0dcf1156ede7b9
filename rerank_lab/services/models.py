"""The models of the catalogue as a use case: what can run here, and what is in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rerank_lab.components.catalogue import catalogue
from rerank_lab.components.model_state import Availability, LoadedModel
from rerank_lab.models import availability, loaded_models
from rerank_lab.models.runtime.memory import store


@dataclass(frozen=True, slots=True)
class ModelMemory:
    """The models in memory, the most recently used first, and the bytes that they may use."""

    loaded: Sequence[LoadedModel]
    budget: int


def model_states() -> Mapping[str, Availability]:
    """Of each model of the catalogue whether it can run here: cheap, no network."""
    return {name: availability(name) for name in catalogue()}


def model_memory() -> ModelMemory:
    """What is in memory now."""
    return ModelMemory(loaded_models(), store().budget)
