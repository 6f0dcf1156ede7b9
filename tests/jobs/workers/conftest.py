"""A real Ray cluster of this machine, one for all tests of a run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from rerank_lab.remote.urls import ALLOW_PRIVATE, KEY_HOSTS
from rerank_lab.testing.provider_servers import KEY, FakeProvider


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[Any]:
    """Two cores; its processes have the key of a provider in their environment."""
    ray = pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("PYTHONPATH", os.getcwd())
        patch.setenv(ALLOW_PRIVATE, "1")
        patch.setenv(KEY_HOSTS, "127.0.0.1")
        patch.setenv("COHERE_API_KEY", KEY)
        ray.init(
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
            object_store_memory=100 * 2**20,
            _node_ip_address="127.0.0.1",
        )
    yield ray
    ray.shutdown()


@pytest.fixture
def cohere(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeProvider]:
    monkeypatch.setenv(ALLOW_PRIVATE, "1")
    monkeypatch.setenv(KEY_HOSTS, "127.0.0.1")
    monkeypatch.setenv("COHERE_API_KEY", KEY)
    with FakeProvider("cohere") as server:
        yield server
