"""Fake providers on this machine, retries without long pauses, and limiters that start empty."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rerank_lab.components.registry import load
from rerank_lab.core.context import Context
from rerank_lab.core.types import Document, Query
from rerank_lab.remote import limits as limiter
from rerank_lab.remote import retries
from rerank_lab.remote.urls import ALLOW_PRIVATE
from rerank_lab.rerankers.base import Reranked
from rerank_lab.rerankers.hosted.base import HostedReranker
from rerank_lab.testing.provider_servers import KEY, FakeProvider

QUERY = Query("q1", "capital of France")
DOCS = [
    Document("a", "Bananas are yellow."),
    Document("b", "Paris is the capital of France."),
    Document("c", "The capital grew."),
    Document("d", "France and its capital"),
]
ORDER = ("b", "d", "c", "a")


@pytest.fixture(autouse=True)
def _local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALLOW_PRIVATE, "1")
    monkeypatch.setattr(retries, "FIRST_PAUSE_S", 0.002)
    limiter._limiters.clear()


@pytest.fixture
def fake() -> Iterator[Callable[..., FakeProvider]]:
    """Starts servers; all are stopped when the test ends."""
    started: list[FakeProvider] = []

    def start(provider: str, **options: Any) -> FakeProvider:
        started.append(FakeProvider(provider, **options).__enter__())
        return started[-1]

    yield start
    for server in started:
        server.__exit__(None, None, None)


def made(provider: str, server: FakeProvider, **options: Any) -> HostedReranker:
    """The provider's reranker, pointed to a server."""
    found: HostedReranker = load("reranker", provider)(base_url=server.url, **options)
    return found


def keyed(key: str = KEY, **fields: Any) -> Context:
    """A context whose session holds a key for every provider."""
    from rerank_lab.remote.providers import providers

    secrets = {provider.key: key for provider in providers().values()}
    return Context(secrets=secrets | {"AWS_ACCESS_KEY_ID": key}, **fields)


def run(
    provider: str, server: FakeProvider, ctx: Context | None = None, **options: Any
) -> Reranked:
    """One query over the four documents."""
    return made(provider, server, **options).rerank(QUERY, DOCS, ctx or keyed())


def many(n: int) -> list[Document]:
    """Documents of a few different lengths, so that scores and ties both occur."""
    return [Document(f"d{i:03}", f"{'capital ' * (i % 7)}of number {i}") for i in range(n)]
