"""A score cache that several machines share: Redis or PostgreSQL, named by an address.

Keys and values are those of the cache in the data folder. A fault never fails a query: it is
reported once, and counts as a miss; the server is then left alone for some seconds.
"""

from __future__ import annotations

import json
import logging
import os
import struct
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

from rerank_lab.core.context import ScoreStore, StoredScore
from rerank_lab.core.errors import InvalidInput, LabError, MissingExtra
from rerank_lab.core.text import load_json
from rerank_lab.rerankers.score_cache import ScoreCache

CACHE_VARIABLE = "RERANK_LAB_CACHE"
_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_SCORE, _ORDER = b"s", b"o"
_HEAD = struct.Struct(">d?")
_CHUNK = 500
_TIMEOUT_S = 2.0
_AWAY_S = 10.0
"""So long a server that failed is not asked again."""
_TABLE = "rerank_lab_scores"


class CacheServer(Protocol):
    """Bytes by key on a server. Any method may raise any exception."""

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values, in the order of the keys; None for keys that are not known."""
        ...

    def put(self, values: Mapping[bytes, bytes]) -> None:
        """Keep values, in the place of earlier ones."""
        ...


class SharedScores:
    """Scores by SHA-256 key (64 hex digits) on a server. Safe for many threads and processes.

    Args:
        name: the address without its password, for people.
        server: keeps the values.
    """

    def __init__(self, name: str, server: CacheServer) -> None:
        self.name = name
        self._server = server
        self._lock = threading.Lock()
        self._asks_again_at = 0.0
        self._warned = False

    def get_many(self, keys: Sequence[str]) -> dict[str, StoredScore]:
        """The scores that are known; absent keys are misses."""
        scores: dict[str, StoredScore] = {}
        for start in range(0, len(keys), _CHUNK):
            chunk = keys[start : start + _CHUNK]
            values = self._known([_key(_SCORE, key) for key in chunk])
            for key, value in zip(chunk, values, strict=True):
                if value is not None and (score := _unpacked(value)) is not None:
                    scores[key] = score
        return scores

    def put_many(self, scores: Mapping[str, StoredScore]) -> None:
        """Keep scores, in the place of earlier ones."""
        packed = [(_key(_SCORE, key), _packed(score)) for key, score in scores.items()]
        for start in range(0, len(packed), _CHUNK):
            self._keep(dict(packed[start : start + _CHUNK]))

    def get_order(self, key: str) -> list[int] | None:
        """The order that a listwise model gave for exactly these documents in this order."""
        [value] = self._known([_key(_ORDER, key)])
        if value is None:
            return None
        try:
            return [int(place) for place in load_json(value.decode())]
        except (ValueError, TypeError):
            return None

    def put_order(self, key: str, order: Sequence[int]) -> None:
        """Keep an order, in the place of an earlier one."""
        self._keep({_key(_ORDER, key): json.dumps(list(order)).encode()})

    def fault(self) -> str:
        """The kind of fault that the server meets a question with now; "" for none."""
        try:
            self._server.get([_key(_SCORE, "00" * 32)])
        except Exception as fault:  # of whatever client it is
            return type(fault).__name__
        return ""

    def _known(self, keys: Sequence[bytes]) -> list[bytes | None]:
        misses: list[bytes | None] = [None] * len(keys)
        return self._guarded(lambda: self._server.get(keys), misses)

    def _keep(self, values: Mapping[bytes, bytes]) -> None:
        self._guarded(lambda: self._server.put(values), None)

    def _guarded(self, work: Callable[[], _T], otherwise: _T) -> _T:
        if time.monotonic() < self._asks_again_at:
            return otherwise
        try:
            return work()
        except Exception as fault:  # of whatever client it is: the cache is no reason to fail
            with self._lock:
                self._asks_again_at = time.monotonic() + _AWAY_S
                first, self._warned = not self._warned, True
            if first:
                _log.warning(
                    "The shared score cache %s is not usable (%s); working without.",
                    self.name,
                    type(fault).__name__,
                )
            return otherwise


def score_store(home: Path) -> ScoreStore:
    """The cache that `RERANK_LAB_CACHE` names, else the one in the data folder.

    An address that cannot be used is logged, and the data folder's cache is used.
    """
    file = ScoreCache(home / "scores.sqlite")
    address = os.environ.get(CACHE_VARIABLE, "").strip()
    if not address:
        return file
    try:
        return shared_scores(address)
    except LabError as error:
        _log.warning("%s %s Scores are kept in the data folder.", error.message, error.hint)
        return file


def shared_scores(address: str) -> SharedScores:
    """The cache at an address; it is not connected to yet.

    Raises:
        InvalidInput: the address cannot be used.
        MissingExtra: its client is not installed.
    """
    scheme, separator, _ = address.partition("://")
    if separator and scheme in ("redis", "rediss", "unix"):
        return SharedScores(_name(address), _RedisServer(address))
    if separator and scheme in ("postgres", "postgresql"):
        return SharedScores(_name(address), _PostgresServer(address))
    raise InvalidInput(
        f"{CACHE_VARIABLE} is no address of a cache.",
        hint="Set it to redis://host:6379/0 or postgresql://user:password@host:5432/database.",
    )


class _RedisServer:
    def __init__(self, address: str) -> None:
        try:
            import redis
        except ImportError:
            raise MissingExtra.of("A score cache in Redis", "redis") from None
        try:
            self._client = redis.Redis.from_url(
                address, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S
            )
        except ValueError:
            raise InvalidInput(
                f"{CACHE_VARIABLE} is no address of a Redis server.",
                hint="Set it to redis://host:6379/0.",
            ) from None

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return cast(list[bytes | None], self._client.mget(keys))

    def put(self, values: Mapping[bytes, bytes]) -> None:
        self._client.mset(dict(values))


class _PostgresServer:
    """One table, made at the first use."""

    def __init__(self, address: str) -> None:
        from sqlalchemy import create_engine
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import ArgumentError

        try:
            url = make_url(address).set(drivername="postgresql+psycopg")
            self._engine = create_engine(
                url, pool_pre_ping=True, connect_args={"connect_timeout": int(_TIMEOUT_S)}
            )
        except (ArgumentError, ValueError):
            raise InvalidInput(
                f"{CACHE_VARIABLE} is no address of a PostgreSQL server.",
                hint="Set it to postgresql://user:password@host:5432/database.",
            ) from None
        except ImportError:
            raise MissingExtra.of("A score cache in PostgreSQL", "postgres") from None
        self._ready = False

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        query = f"select key, value from {_TABLE} where key = any(%s)"
        with self._connection() as connection:
            rows = connection.exec_driver_sql(query, (list(keys),)).all()
        known = {bytes(key): bytes(value) for key, value in rows}
        return [known.get(key) for key in keys]

    def put(self, values: Mapping[bytes, bytes]) -> None:
        # In one order: two writers of the same keys must not wait for each other.
        keys = sorted(values)
        statement = (
            f"insert into {_TABLE} select * from unnest(%s::bytea[], %s::bytea[]) "
            "on conflict (key) do update set value = excluded.value"
        )
        with self._connection() as connection:
            connection.exec_driver_sql("set local synchronous_commit to off")
            connection.exec_driver_sql(statement, (keys, [values[key] for key in keys]))

    def _connection(self) -> Any:
        if not self._ready:
            columns = "key bytea primary key, value bytea not null"
            with self._engine.begin() as connection:
                # Two processes that make it at once would both fail to see that it is there.
                connection.exec_driver_sql("select pg_advisory_xact_lock(7216045)")
                connection.exec_driver_sql(f"create table if not exists {_TABLE} ({columns})")
            self._ready = True
        return self._engine.begin()


def _key(kind: bytes, key: str) -> bytes:
    return b"rerank-lab:" + kind + b":" + bytes.fromhex(key)


def _packed(score: StoredScore) -> bytes:
    """The score as a 64-bit number, whether its text was cut, and its spans as JSON."""
    spans = json.dumps(score.relevant_spans).encode() if score.relevant_spans else b""
    return _HEAD.pack(score.score, score.truncated) + spans


def _unpacked(value: bytes) -> StoredScore | None:
    """None for what this version did not write."""
    try:
        number, truncated = _HEAD.unpack_from(value)
        spans = load_json(value[_HEAD.size :].decode()) if len(value) > _HEAD.size else ()
        return StoredScore(number, truncated, tuple((int(a), int(b)) for a, b in spans))
    except (struct.error, ValueError, TypeError):
        return None


def _name(address: str) -> str:
    """The address without user, password and options."""
    scheme, _, rest = address.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"
