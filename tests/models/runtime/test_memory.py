"""The model store: a budget, least recent out first, nobody's model taken away in use."""

from __future__ import annotations

import threading
import time

import pytest

from rerank_lab.core.context import CancelToken, Context
from rerank_lab.core.errors import Cancelled, ModelUnavailable
from rerank_lab.models.runtime.memory import ModelStore, default_budget


class Engine:
    backend = "test"

    def __init__(self, size: int = 10) -> None:
        self.size = size
        self.closed = False

    def close(self) -> None:
        self.closed = True


def use(store: ModelStore, key: str, size: int = 10) -> Engine:
    with store.hold(key, lambda: Engine(size), Context(), name=key, size=size) as (engine, _):
        assert isinstance(engine, Engine)
        return engine


def names(store: ModelStore) -> set[str]:
    return {row.name for row in store.loaded()}


def test_a_model_is_loaded_once_and_loading_is_told_from_waiting() -> None:
    store = ModelStore(100)
    first = use(store, "a")
    with store.hold("a", Engine, Context()) as (engine, usage):
        assert engine is first
        assert usage.load_s == 0


def test_the_least_recently_used_makes_room() -> None:
    store = ModelStore(25)
    a = use(store, "a")
    use(store, "b")
    use(store, "a")
    use(store, "c")
    assert names(store) == {"a", "c"}
    assert not a.closed


def test_an_unloaded_model_is_closed_and_loads_again() -> None:
    store = ModelStore(15)
    a = use(store, "a")
    use(store, "b")
    assert a.closed
    assert use(store, "a") is not a


def test_a_model_in_use_is_never_unloaded() -> None:
    store = ModelStore(15)
    with store.hold("a", lambda: Engine(10), Context(), size=10) as (engine, _):
        use(store, "b")
        assert not engine.closed
        assert not store.unload("a")
    assert store.unload("a")
    assert engine.closed


def test_a_model_larger_than_the_budget_is_refused_with_what_to_do() -> None:
    with pytest.raises(ModelUnavailable, match="big needs about") as caught:
        use(ModelStore(10), "big", size=11)
    assert "RERANK_LAB_MODEL_MEMORY_GB" in caught.value.hint


def test_callers_take_turns_and_waiting_is_counted_as_queue() -> None:
    store, inside, most = ModelStore(100), [0], [0]
    queued: list[float] = []

    def work() -> None:
        with store.hold("a", Engine, Context()) as (_, usage):
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            time.sleep(0.02)
            inside[0] -= 1
            queued.append(usage.queue_s)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 1
    assert max(queued) > 0.02


def test_waiting_for_a_turn_can_be_cancelled() -> None:
    store, token = ModelStore(100), CancelToken()
    with store.hold("a", Engine, Context()):
        threading.Timer(0.05, token.cancel).start()
        with pytest.raises(Cancelled), store.hold("a", Engine, Context(cancel=token)):
            pass
    assert store.unload("a"), "the cancelled waiter still counts as a user"


def test_a_model_that_fails_to_load_can_be_tried_again() -> None:
    store = ModelStore(100)

    def broken() -> Engine:
        raise ValueError("no")

    with pytest.raises(ValueError), store.hold("a", broken, Context()):
        pass
    assert use(store, "a")


def test_the_budget_is_read_in_gigabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RERANK_LAB_MODEL_MEMORY_GB", "1.5")
    assert default_budget() == 1_500_000_000
    monkeypatch.setenv("RERANK_LAB_MODEL_MEMORY_GB", "much")
    assert default_budget() > 100_000_000
