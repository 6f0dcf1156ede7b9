"""The API over pipelines without models, inside this process or really listening."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from rerank_lab.core.types import Document
from rerank_lab.core.work import Work
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.pipeline.engine import Engine
from rerank_lab.server.app import RerankAPI
from rerank_lab.server.mounting import ServerSettings, api_of
from rerank_lab.server.pipelines import served_pipelines
from rerank_lab.server.run import bound_socket, server_of

SPECS = {"words": "bm25 >> overlap"}
QUERY = "heat pump house"
TEXTS = ["Bread needs flour.", "A heat pump warms a house.", "The pump is loud."]
"""In the order of the share of the query's words: 1, 2, 0."""
SCORES = {1: 1.0, 2: 1 / 3, 0: 0.0}

MakeClient = Callable[..., TestClient]


def rerank_api(home: Path, **settings: Any) -> RerankAPI:
    specs, corpus = settings.pop("specs", SPECS), settings.pop("corpus", None)
    bounds = ServerSettings(**{"workers": 2, "waiting": 8, **settings})
    pipelines = served_pipelines(specs, bounds.limits.documents)
    return api_of(pipelines, Engine(home), corpus, bounds)


@pytest.fixture
def client(home: Path) -> Iterator[MakeClient]:
    """Makes a client of the API inside this process."""
    with ExitStack() as stack:

        def make(**settings: Any) -> TestClient:
            application = rerank_api(home, **settings).application()
            test_client = TestClient(application, base_url="http://127.0.0.1")
            return stack.enter_context(test_client)

        yield make


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """No reranking is done until it is set, or the request is cancelled."""
    opened = threading.Event()

    def score(_: object, query: str, texts: list[str], work: Work) -> list[float]:
        while not opened.wait(0.01):
            work.ctx.checkpoint()
        return [0.5 for _ in texts]

    monkeypatch.setattr("rerank_lab.rerankers.rules.overlap.Overlap.score", score)
    return opened


def wait_for(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.01)


def metric(address: str, name: str) -> str:
    lines = httpx.get(f"{address}/metrics").text.splitlines()
    return next((line.rpartition(" ")[2] for line in lines if line.startswith(name)), "")


@contextmanager
def listening(home: Path, **settings: Any) -> Iterator[str]:
    """The address of the API on a free port of this machine."""
    connections = settings.pop("connections", None)
    with bound_socket("127.0.0.1", 0) as bound:
        server = server_of(rerank_api(home, **settings).application(), connections)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        try:
            while not server.started:
                time.sleep(0.005)
            yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)


@pytest.fixture
def corpus() -> Corpus:
    return Corpus("small", tuple(Document(f"d{n}", text) for n, text in enumerate(TEXTS)))
