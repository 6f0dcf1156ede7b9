"""A number in each document says how good it is; the server is real, its model is a function."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import pytest

from rerank_lab.core.context import Context
from rerank_lab.core.types import Document, Query
from rerank_lab.rerankers.base import Reranker
from rerank_lab.testing.chat_server import FakeChat, Mind, sorter
from rerank_lab.testing.provider_servers import KEY

QUERY = Query("q", "which number is the largest?")


def value(text: str) -> float:
    found = re.search(r"value (\d+)", text)
    return float(found[1]) if found else -1.0


def by_value(query: str, texts: Sequence[str]) -> list[float]:
    return [value(text) for text in texts]


def documents(values: Sequence[int]) -> list[Document]:
    return [Document(f"d{v}", f"This passage has the value {v} in it.") for v in values]


Serve = Callable[..., FakeChat]


@pytest.fixture(autouse=True)
def operator(monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator allows this machine's own addresses; no key of the machine is around."""
    monkeypatch.setenv("RERANK_LAB_ALLOW_PRIVATE_URLS", "1")
    monkeypatch.setattr("rerank_lab.remote.retries.FIRST_PAUSE_S", 0.001)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "RERANK_LAB_KEY_HOSTS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def serve() -> Iterator[Serve]:
    with ExitStack() as stack:

        def start(mind: Mind | None = None, **options: Any) -> FakeChat:
            return stack.enter_context(FakeChat(mind or sorter(by_value), **options))

        yield start


@pytest.fixture
def ctx() -> Context:
    return Context(secrets={"OPENAI_API_KEY": KEY})


def make(kind: type[Reranker], server: FakeChat, **options: Any) -> Reranker:
    return kind(base_url=server.url, model="test-model", **options)
