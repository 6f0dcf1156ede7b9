from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rerank_lab.pipeline.engine import default_engine

Calls = list[tuple[str, object]]


@pytest.fixture(autouse=True)
def fresh_process(home: Path, plugin: Calls) -> Iterator[None]:
    default_engine.cache_clear()
    yield
    default_engine.cache_clear()


def wait_for(calls: Calls, wanted: tuple[str, object]) -> None:
    """Until the plugin has noted `wanted`; fails after four seconds."""
    end = time.monotonic() + 4
    while wanted not in calls:
        assert time.monotonic() < end, f"{wanted} never came: {calls}"
        time.sleep(0.01)
