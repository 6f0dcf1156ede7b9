"""The shared score cache on a real Redis server and a real PostgreSQL."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rerank_lab.core.context import Context, StoredScore
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Document, Query
from rerank_lab.pipeline.engine import Engine
from rerank_lab.rerankers import shared_scores as module
from rerank_lab.rerankers.score_cache import ScoreCache, cached_scores
from rerank_lab.rerankers.shared_scores import CACHE_VARIABLE, SharedScores, shared_scores
from rerank_lab.testing.fake_rerankers import FakeReranker
from rerank_lab.testing.postgres_server import PostgresServer

PASSWORD = "not-to-be-shown"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


class RedisServer:
    """A server on a port of this machine that keeps nothing on the disk."""

    def __init__(self, program: str, folder: Path) -> None:
        self.port = free_port()
        self.address = f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"
        self._command = [
            *(program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""),
            *("--appendonly", "no", "--dir", str(folder), "--requirepass", PASSWORD),
        ]
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        pytest.fail("redis-server does not start")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    pytest.importorskip("redis")
    program = shutil.which("redis-server")
    if program is None:
        reason = "no redis-server here: install the package redis-server"
        if os.environ.get("RERANK_LAB_REQUIRE_REDIS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    server = RedisServer(program, tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture(params=["redis", "postgresql"])
def address(request: pytest.FixtureRequest) -> str:
    if request.param == "redis":
        server: RedisServer = request.getfixturevalue("redis_server")
        return server.address
    database: PostgresServer = request.getfixturevalue("postgres")
    return database.address()


def key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_it_gives_what_the_cache_of_the_data_folder_gives(address: str, tmp_path: Path) -> None:
    scores = {key(str(i)): StoredScore(i / 7 - 3, i % 2 == 0) for i in range(1200)}
    scores[key("spans")] = StoredScore(1e-300, False, ((0, 4), (9, 12)))
    file = ScoreCache(tmp_path / "s.sqlite")
    shared_scores(address).put_many(scores)
    file.put_many(scores)
    asked = [*scores, key("absent")]
    assert shared_scores(address).get_many(asked) == file.get_many(asked) == scores
    cache = shared_scores(address)
    cache.put_order(key("order"), [2, 0, 1])
    assert cache.get_order(key("order")) == [2, 0, 1]
    assert cache.get_order(key("0")) is None
    cache.put_many({key("0"): StoredScore(9.0)})
    assert shared_scores(address).get_many([key("0")]) == {key("0"): StoredScore(9.0)}


def test_many_threads_write_and_read_at_once(address: str) -> None:
    shared = {key(f"shared {i}"): StoredScore(float(i)) for i in range(200)}
    wrong: list[int] = []

    def work(thread: int) -> None:
        cache = shared_scores(address)
        items = list(shared.items())
        cache.put_many(dict(items if thread % 2 else items[::-1]))
        if cache.get_many(list(shared)) != shared:
            wrong.append(thread)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert wrong == []


def test_two_machines_ask_a_model_once(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, address)
    documents = [Document(f"d{i}", f"{address} text {i}") for i in range(5)]
    scores = {document.text: 1.0 + place / 3 for place, document in enumerate(documents)}
    rerankers = [FakeReranker(scores) for _ in range(2)]
    rankings = []
    for machine, reranker in zip(("one", "other"), rerankers, strict=True):
        ctx = Context(cache=Engine(tmp_path / machine).scores)
        rankings.append(reranker.rerank(Query("q", "question"), documents, ctx).ranking)
    assert rankings[0] == rankings[1]
    assert [len(reranker.calls) for reranker in rerankers] == [1, 0]


def test_a_server_that_is_gone_is_a_miss_said_once_and_found_again(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "_AWAY_S", 0.0)
    cache = shared_scores(redis_server.address)
    cache.put_many({key("a"): StoredScore(1.0)})
    redis_server.stop()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            fresh = cached_scores(cache, {"u": key("a")}, lambda units: [StoredScore(2.0)])
            assert fresh == {"u": StoredScore(2.0)}
        assert cache.get_order(key("a")) is None
    assert [record.name for record in caplog.records].count(module.__name__) == 1
    assert "ConnectionError" in cache.fault()
    assert PASSWORD not in caplog.text
    redis_server.start()
    cache.put_many({key("a"): StoredScore(3.0)})
    assert cache.get_many([key("a")]) == {key("a"): StoredScore(3.0)}
    assert cache.fault() == ""


def test_a_server_that_failed_is_left_alone_for_a_while() -> None:
    calls = []

    class Failing:
        def get(self, keys: object) -> list[bytes | None]:
            calls.append(keys)
            raise TimeoutError

        put = get

    cache = SharedScores("a server", Failing())  # type: ignore[arg-type]
    for _ in range(5):
        assert cache.get_many([key("a")]) == {}
        cache.put_many({key("a"): StoredScore(1.0)})
    assert len(calls) == 1


@pytest.mark.parametrize(
    "address", ["memcached://host", "redis", "postgresql://h:x/d", "redis://h:x"]
)
def test_an_address_that_cannot_be_used_is_said_and_the_data_folder_is_used(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(InvalidInput):
        shared_scores(address)
    monkeypatch.setenv(CACHE_VARIABLE, address)
    assert isinstance(Engine(tmp_path).scores, ScoreCache)
    assert CACHE_VARIABLE in caplog.text


def test_what_another_program_wrote_is_a_miss(redis_server: RedisServer) -> None:
    import redis

    client = redis.Redis.from_url(redis_server.address)
    client.set(b"rerank-lab:s:" + bytes.fromhex(key("odd")), b"short")
    client.set(b"rerank-lab:o:" + bytes.fromhex(key("odd")), b"{}")
    client.close()
    cache = shared_scores(redis_server.address)
    assert cache.get_many([key("odd")]) == {}
    assert cache.get_order(key("odd")) in (None, [])
