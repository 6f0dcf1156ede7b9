"""Recordings: the answers of hosted providers, kept without key, so that a comparison opens again.

A recording is one SQLite file. What is kept of an exchange: the digest of the request (address and
JSON body, never a header), the provider's name, the status, the body and a few harmless headers.

    with Recording(path, "record") as recording:
        Pipeline(...).run(query, corpus, Context(recording=recording))
    with Recording(path, "replay") as recording: ...      # neither key nor network

A recording in memory (`path=MEMORY`) is the one that a saved comparison carries as lines.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from rerank_lab.core.context import RecordingStore, Response
from rerank_lab.core.errors import BackendError, InvalidInput, StorageError
from rerank_lab.core.paths import data_home
from rerank_lab.core.storage import MEMORY, open_sqlite
from rerank_lab.core.text import load_json

Mode = Literal["record", "replay"]
FORMAT = "rerank-lab-tape-1"
KEPT_HEADERS = frozenset(
    {"content-type", "x-request-id", "x-compute-type", "x-compute-time", "x-compute-characters"}
    | {"x-compute-tokens", "x-total-time", "x-tokenization-time", "x-queue-time"}
    | {"x-inference-time", "retry-after"}
)
_LARGEST_STATUS = 999
MAX_LINE = 64 * 1024 * 1024
MAX_MEMORY = 16 * 1024 * 1024
_PASSING = frozenset({401, 402, 403, 408, 409, 429})
_SCHEMA = """
create table if not exists exchanges (
  key text primary key, provider text not null, status int not null,
  headers text not null, body text not null, at text not null
) without rowid;
"""


def request_digest(provider: str, url: str, body: Any) -> str:
    """What an exchange is found by: SHA-256 of provider, address and JSON body."""
    canonical = json.dumps([provider, url, body], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def recorded(recording: RecordingStore, digest: str, provider: str) -> Response:
    """The recorded response. Raises BackendError when the recording does not hold it."""
    response = recording.play(digest)
    if response is None:
        raise BackendError(
            f"The recording holds no answer of {provider} to this request.",
            hint="Documents, query, model or options differ from the recording: record it again "
            "with a key.",
        )
    return response


def keepable(status: int) -> bool:
    """Whether an outcome belongs on a recording: final, and not about the key."""
    return status < 300 or (400 <= status < 500 and status not in _PASSING)


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that a recording keeps, in lower case; all others may identify somebody."""
    return {k.lower(): v for k, v in headers.items() if k.lower() in KEPT_HEADERS}


class Recording:
    """A recording in a file; safe for many threads. `path` defaults to one in the data folder.

    A `whole` recording holds all that its pipelines asked, so caches stay unused meanwhile. Another
    one keeps what happens to be asked. In memory, exchanges beyond MAX_MEMORY bytes are not kept.
    """

    def __init__(
        self, path: Path | None = None, mode: Mode = "record", *, whole: bool = True
    ) -> None:
        self.path = path or data_home() / "tapes" / "tape.sqlite"
        self.mode: Mode = mode
        self.whole = whole
        self._lock = threading.Lock()
        self._left = MAX_MEMORY if self.path == MEMORY else None
        if self.path != MEMORY:
            self._find()
        try:
            self._connection = open_sqlite(self.path, _SCHEMA, any_thread=True)
        except StorageError as error:
            if not error.damaged:
                raise
            raise self._damaged(error.message) from error

    def _find(self) -> None:
        if self.mode == "replay" and not self.path.exists():
            raise InvalidInput(
                f"There is no recording {self.path.name}.",
                hint="Record one first: run the same comparison with a key and mode record.",
            )

    @property
    def replaying(self) -> bool:
        """Whether answers are taken from the recording, so that nothing is sent."""
        return self.mode == "replay"

    def play(self, key: str) -> Response | None:
        """The exchange of that request, or None when the recording does not hold it."""
        sql = "select status, headers, body from exchanges where key = ?"
        try:
            with self._lock:
                row = self._connection.execute(sql, (key,)).fetchone()
            return Response(int(row[0]), dict(load_json(row[1])), str(row[2])) if row else None
        except (sqlite3.Error, ValueError, TypeError) as error:
            raise self._damaged(str(error)) from error

    def _damaged(self, details: str) -> InvalidInput:
        return InvalidInput(
            f"The recording {self.path.name} cannot be read: it is damaged.",
            hint="Choose a recording that this app recorded, or record a new one.",
            details=details,
        )

    def record(self, key: str, provider: str, response: Response) -> None:
        """Keep an exchange; a later one of the same request takes its place."""
        at = datetime.now(UTC).isoformat(timespec="seconds")
        headers = json.dumps(kept_headers(response.headers), sort_keys=True)
        row = (key, provider, response.status, headers, response.body, at)
        with self._lock, self._connection:
            if self._left is not None:
                self._left -= len(response.body) + len(headers)
                if self._left < 0:
                    return
            self._connection.execute("insert or replace into exchanges values (?,?,?,?,?,?)", row)

    def __len__(self) -> int:
        with self._lock:
            return int(self._connection.execute("select count(*) from exchanges").fetchone()[0])

    def lines(self) -> Iterable[str]:
        """The recording as JSON lines, the form in which a saved comparison carries it."""
        with self._lock:
            rows = self._connection.execute("select * from exchanges order by key").fetchall()
        yield json.dumps({"format": FORMAT, "exchanges": len(rows)})
        names = ("key", "provider", "status", "headers", "body", "at")
        for row in rows:
            fields = dict(zip(names, row, strict=True))
            yield json.dumps(fields | {"headers": load_json(fields["headers"])}, ensure_ascii=False)

    def add_lines(self, lines: Iterable[str]) -> int:
        """Take in exported lines, all or nothing, and return their number.

        Raises InvalidInput that lists every line that is not an exchange.
        """
        rows, problems = [], []
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            row, problem = _row(line, first=number == 1)
            if problem:
                problems.append(f"line {number}: {problem}")
            elif row:
                rows.append(row)
        if problems:
            raise InvalidInput(
                f"The recording cannot be imported: {problems[0]}.",
                hint="Export it again from the app that recorded it.",
                problems=problems,
            )
        with self._lock, self._connection:
            sql = "insert or replace into exchanges values (?,?,?,?,?,?)"
            self._connection.executemany(sql, rows)
        return len(rows)

    def close(self) -> None:
        """Close the file; a recording in memory is gone."""
        with self._lock:
            self._connection.close()

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()


def _row(line: str, *, first: bool) -> tuple[tuple[object, ...] | None, str]:
    if len(line) > MAX_LINE:
        return None, "longer than any answer"
    try:
        fields = load_json(line)
    except ValueError:
        return None, "not JSON"
    if not isinstance(fields, dict):
        return None, "not an object"
    if first:
        return None, "" if fields.get("format") == FORMAT else f"does not begin with {FORMAT}"
    wanted = {"key": str, "provider": str, "status": int, "headers": dict, "body": str, "at": str}
    wrong = [name for name, kind in wanted.items() if type(fields.get(name)) is not kind]
    if wrong:
        return None, f"field {wrong[0]} is missing or of another type"
    if len(fields["key"]) != 64 or not all(isinstance(v, str) for v in fields["headers"].values()):
        return None, "field key or headers is not of the right form"
    if not 0 <= fields["status"] <= _LARGEST_STATUS:
        return None, "field status is no status of HTTP"
    headers = json.dumps(kept_headers(fields["headers"]), sort_keys=True)
    values = (
        fields["key"],
        fields["provider"],
        fields["status"],
        headers,
        fields["body"],
        fields["at"],
    )
    if any(not _is_whole(value) for value in values if isinstance(value, str)):
        return None, "a field holds half a character"
    return values, ""


def _is_whole(text: str) -> bool:
    """Whether a text can be stored: JSON may write lone surrogates, which no encoding has."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
