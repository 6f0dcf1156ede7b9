"""Whether the lab database may hold something, without opening it as a whole."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from rerank_lab.core.database import DATABASE_VARIABLE, FILE_NAME, may_hold


def test_only_what_is_surely_not_there_is_denied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(DATABASE_VARIABLE, raising=False)
    assert not may_hold("judgments", "corpus", "mine", tmp_path)
    assert not (tmp_path / FILE_NAME).exists()
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as database, database:
        database.execute("create table judgments (corpus text)")
        database.execute("insert into judgments values ('other')")
    assert not may_hold("judgments", "corpus", "mine", tmp_path)
    assert may_hold("judgments", "corpus", "other", tmp_path)
    assert may_hold("no_such_table", "corpus", "mine", tmp_path)
    monkeypatch.setenv(DATABASE_VARIABLE, "postgresql://localhost/lab")
    assert may_hold("judgments", "corpus", "mine", tmp_path)


def test_a_damaged_file_may_hold_anything(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"no database")
    assert may_hold("judgments", "corpus", "mine", tmp_path)
