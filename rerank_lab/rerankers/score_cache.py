"""The persistent score cache: SQLite in WAL mode, shared by app, command line and API.

A cache fault never fails a query: it degrades to a miss and one logged warning.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from rerank_lab.core.context import ScoreStore, StoredScore
from rerank_lab.core.errors import StorageError
from rerank_lab.core.storage import Database, set_aside, storage_error
from rerank_lab.core.text import load_json
from rerank_lab.core.types import Spans

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_SCHEMA = """
create table if not exists scores
  (key blob primary key, score real not null, truncated int not null) without rowid;
create table if not exists orders (key blob primary key, ranks text not null) without rowid;
create table if not exists relevant_spans
  (key blob primary key, spans text not null) without rowid;
"""
_CHUNK = 500
_BUSY_S = 10.0


def cached_scores(
    store: ScoreStore | None,
    keys: Mapping[str, str],
    compute: Callable[[Sequence[str]], Sequence[StoredScore]],
    *,
    all_or_none: bool = False,
) -> dict[str, StoredScore]:
    """The score of each unit, from the store where it is known, else computed now and stored.

    Args:
        store: Where scores are kept; None keeps and reads nothing.
        keys: Unit (such as a text) -> the key of its score.
        compute: Scores the units handed to it, in their order; not called when none is missing.
        all_or_none: True where a score holds only beside the others: one miss is a miss of all.
    """
    known = store.get_many(list(keys.values())) if store else {}
    missing = [unit for unit, key in keys.items() if key not in known]
    if missing and all_or_none:
        missing = list(keys)
    if missing:
        fresh = {keys[u]: score for u, score in zip(missing, compute(missing), strict=True)}
        if store:
            store.put_many(fresh)
        known = known | fresh
    return {unit: known[key] for unit, key in keys.items()}


class ScoreCache:
    """Scores by SHA-256 key (64 hex digits). Safe for many threads and processes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._database = Database(path, _SCHEMA, busy_s=_BUSY_S)
        self._warned = False

    def get_many(self, keys: Sequence[str]) -> dict[str, StoredScore]:
        """The scores that are known; absent keys are misses."""
        return self._guarded(lambda: self._read(keys), {})

    def put_many(self, scores: Mapping[str, StoredScore]) -> None:
        """Keep scores, in the place of earlier ones."""
        rows = [(bytes.fromhex(k), s.score, int(s.truncated)) for k, s in scores.items()]
        spans = [
            (bytes.fromhex(key), json.dumps(score.relevant_spans))
            for key, score in scores.items()
            if score.relevant_spans
        ]
        self._guarded(
            lambda: self._write("insert or replace into scores values (?,?,?)", rows), None
        )
        if spans:
            sql = "insert or replace into relevant_spans values (?,?)"
            self._guarded(lambda: self._write(sql, spans), None)

    def get_order(self, key: str) -> list[int] | None:
        """The order that a listwise model gave for exactly these documents in this order."""
        return self._guarded(lambda: self._read_order(key), None)

    def put_order(self, key: str, order: Sequence[int]) -> None:
        """Keep an order, in the place of an earlier one."""
        row = (bytes.fromhex(key), json.dumps(list(order)))
        self._guarded(
            lambda: self._write("insert or replace into orders values (?,?)", [row]), None
        )

    def count(self) -> int:
        """How many scores are kept."""
        sql = "select count(*) from scores"
        return self._guarded(lambda: int(self._database.connection().execute(sql).fetchone()[0]), 0)

    def clear(self) -> None:
        """Forget everything."""
        self._guarded(lambda: self._write("delete from scores where key >= ?", [(b"",)]), None)
        self._guarded(lambda: self._write("delete from orders where key >= ?", [(b"",)]), None)
        sql = "delete from relevant_spans where key >= ?"
        self._guarded(lambda: self._write(sql, [(b"",)]), None)

    def _read(self, keys: Sequence[str]) -> dict[str, StoredScore]:
        scores: dict[str, StoredScore] = {}
        for start in range(0, len(keys), _CHUNK):
            chunk = [bytes.fromhex(key) for key in keys[start : start + _CHUNK]]
            marks = ",".join("?" * len(chunk))
            sql = (
                "select key, score, truncated, spans from scores left join relevant_spans "
                f"using (key) where key in ({marks})"
            )
            for key, score, cut, spans in self._database.connection().execute(sql, chunk):
                scores[key.hex()] = StoredScore(score, bool(cut), _spans(spans))
        return scores

    def _read_order(self, key: str) -> list[int] | None:
        sql = "select ranks from orders where key = ?"
        row = self._database.connection().execute(sql, (bytes.fromhex(key),)).fetchone()
        return [int(i) for i in load_json(row[0])] if row else None

    def _write(self, sql: str, rows: Sequence[tuple[object, ...]]) -> None:
        with self._database.connection() as connection:
            connection.executemany(sql, rows)

    def _guarded(self, work: Callable[[], _T], otherwise: _T) -> _T:
        try:
            return work()
        except (sqlite3.Error, ValueError, StorageError) as fault:
            self._recover(fault)
            if not self._warned:
                self._warned = True
                _log.warning(
                    "The score cache %s is not usable (%s); working without.", self.path, fault
                )
            return otherwise

    def _recover(self, fault: Exception) -> None:
        """Open the file again at the next use; one that is damaged is set aside first."""
        self._database.disconnect()
        error = storage_error(self.path, fault) if isinstance(fault, sqlite3.Error) else fault
        if isinstance(error, StorageError) and error.damaged:
            with suppress(StorageError):
                set_aside(self.path)


def _spans(text: str | None) -> Spans:
    return tuple((int(start), int(end)) for start, end in load_json(text)) if text else ()
