"""Answers of LLM judges that are kept, so that the same question is paid for once.

A fault of the file never stops a judge: it is a miss, and one logged warning.
"""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

from rerank_lab.core.errors import StorageError
from rerank_lab.core.storage import Database

_log = logging.getLogger(__name__)
_SCHEMA = "create table if not exists answers (key blob primary key, text text not null)"


class AnswerCache:
    """Answers by the SHA-256 of model, prompt and sampling. Safe for many threads and processes."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, _SCHEMA, busy_s=10.0)

    def get(self, key: str) -> str | None:
        """The answer that is kept under a key of hexadecimal digits, None when there is none."""
        sql = "select text from answers where key = ?"
        try:
            row = self._database.connection().execute(sql, (bytes.fromhex(key),)).fetchone()
        except (sqlite3.Error, StorageError) as error:
            _log.warning("Kept answers of LLM judges cannot be read: %s", error)
            return None
        return str(row[0]) if row else None

    def put(self, key: str, text: str) -> None:
        """Keep an answer, in the place of an earlier one."""
        sql = "insert or replace into answers values (?, ?)"
        try:
            connection = self._database.connection()
            with connection:
                connection.execute(sql, (bytes.fromhex(key), text))
        except (sqlite3.Error, StorageError) as error:
            _log.warning("An answer of an LLM judge cannot be kept: %s", error)
