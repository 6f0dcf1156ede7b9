"""A real Ray cluster of this machine, one for all tests of a run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from rerank_lab.remote.urls import ALLOW_PRIVATE, KEY_HOSTS
from rerank_lab.testing.provider_servers import KEY, FakeProvider

STORE_BYTES = 100 * 2**20


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[Any]:
    """Two cores; its processes have the key of a provider in their environment.

    `ray_cluster.machines` adds machines to it, and takes them away.
    """
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("PYTHONPATH", os.getcwd())
        patch.setenv(ALLOW_PRIVATE, "1")
        patch.setenv(KEY_HOSTS, "127.0.0.1")
        patch.setenv("COHERE_API_KEY", KEY)
        head = {"num_cpus": 2, "include_dashboard": False, "object_store_memory": STORE_BYTES}
        machines = Cluster(initialize_head=True, head_node_args=head)
        ray.init(address=machines.address, log_to_driver=False, logging_level="ERROR")
    yield SimpleNamespace(ray=ray, machines=machines)
    ray.shutdown()
    machines.shutdown()


@pytest.fixture
def cohere(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeProvider]:
    monkeypatch.setenv(ALLOW_PRIVATE, "1")
    monkeypatch.setenv(KEY_HOSTS, "127.0.0.1")
    monkeypatch.setenv("COHERE_API_KEY", KEY)
    with FakeProvider("cohere") as server:
        yield server
