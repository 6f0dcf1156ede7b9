"""One store of loaded models a process: memory budget, one lock a model, least recent out first."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar, cast

from rerank_lab.components.model_state import LoadedModel
from rerank_lab.core.context import Context
from rerank_lab.core.errors import ModelUnavailable
from rerank_lab.models.runtime.engine import ModelEngine
from rerank_lab.models.runtime.request import Usage

BUDGET_VARIABLE = "RERANK_LAB_MODEL_MEMORY_GB"
_SHARE_OF_MEMORY = 0.5
_POLL_S = 0.05


E = TypeVar("E", bound=ModelEngine)


@dataclass(slots=True)
class _Slot:
    name: str
    lock: threading.Lock = field(default_factory=threading.Lock)
    engine: ModelEngine | None = None
    users: int = 0
    used_at: float = 0.0


class ModelStore:
    """Keeps engines by key, within `budget` bytes, and hands one to one caller at a time."""

    def __init__(self, budget: int | None = None) -> None:
        self.budget = default_budget() if budget is None else budget
        self._slots: dict[str, _Slot] = {}
        self._guard = threading.Lock()

    @contextmanager
    def hold(
        self, key: str, load: Callable[[], E], ctx: Context, name: str = "", size: int = 0
    ) -> Iterator[tuple[E, Usage]]:
        """The engine of `key`, loaded when it is not in memory, for this caller alone.

        `size` is the bytes to expect, so that room is made before loading. Waiting for another
        caller counts as queue time and can be cancelled. Raises ModelUnavailable when the model
        by itself is larger than the budget.
        """
        usage = Usage()
        with self._guard:
            slot = self._slots.setdefault(key, _Slot(name or key))
            slot.users += 1
        try:
            started = time.perf_counter()
            while not slot.lock.acquire(timeout=_POLL_S):
                ctx.checkpoint()
            usage.queue_s = time.perf_counter() - started
            try:
                engine = slot.engine
                if engine is None:
                    engine = self._load(slot, load, size)
                    usage.load_s = time.perf_counter() - started - usage.queue_s
                usage.backend = engine.backend
                yield cast(E, engine), usage  # one key always loads one kind of engine
            finally:
                slot.used_at = time.monotonic()
                slot.lock.release()
        finally:
            with self._guard:
                slot.users -= 1

    def loaded(self) -> tuple[LoadedModel, ...]:
        """The models in memory, the most recently used first."""
        now = time.monotonic()
        with self._guard:
            slots = sorted(self._slots.values(), key=lambda s: -s.used_at)
            return tuple(
                LoadedModel(s.name, s.engine.backend, s.engine.size, s.users > 0, now - s.used_at)
                for s in slots
                if s.engine is not None
            )

    def unload(self, key: str) -> bool:
        """Free a model unless somebody is using it; True when it is no longer in memory."""
        with self._guard:
            slot = self._slots.get(key)
            if slot is None or slot.engine is None:
                return True
            if slot.users:
                return False
            engine, slot.engine = slot.engine, None
        engine.close()
        return True

    def _load(self, slot: _Slot, load: Callable[[], E], size: int) -> E:
        if size > self.budget:
            raise ModelUnavailable(
                f"{slot.name} needs about {size / 1e9:.1f} GB; "
                f"models may use {self.budget / 1e9:.1f} GB here.",
                hint=f"Choose a smaller model, or set {BUDGET_VARIABLE} higher.",
            )
        self._make_room(size)
        engine = load()
        with self._guard:
            slot.engine = engine
        self._make_room(0)
        return engine

    def _make_room(self, needed: int) -> None:
        for key in self._least_recent_first():
            if self._in_memory() + needed <= self.budget:
                return
            self.unload(key)

    def _least_recent_first(self) -> list[str]:
        with self._guard:
            idle = [
                (s.used_at, k)
                for k, s in self._slots.items()
                if s.engine is not None and not s.users
            ]
        return [key for _, key in sorted(idle)]

    def _in_memory(self) -> int:
        with self._guard:
            return sum(s.engine.size for s in self._slots.values() if s.engine is not None)


def default_budget() -> int:
    """Bytes for models: `RERANK_LAB_MODEL_MEMORY_GB`, else half of the machine's memory."""
    try:
        return int(float(os.environ.get(BUDGET_VARIABLE, "")) * 1e9)
    except ValueError:
        pass
    import psutil

    return int(psutil.virtual_memory().total * _SHARE_OF_MEMORY)


_store: ModelStore | None = None
_store_guard = threading.Lock()


def store() -> ModelStore:
    """The one store of this process."""
    global _store
    with _store_guard:
        if _store is None:
            _store = ModelStore()
        return _store


def loaded_models() -> tuple[LoadedModel, ...]:
    """The models in this process' memory, the most recently used first."""
    return store().loaded()
