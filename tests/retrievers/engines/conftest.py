"""A PostgreSQL with a table of documents, as a user of the lab may have one."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from rerank_lab.core.types import Document
from rerank_lab.testing.postgres_server import PostgresServer

DSN = "RERANK_LAB_ENGINE_TEST"
ARTICLES = (
    Document("a1", "The fox jumps over the lazy dog.", "Fox"),
    Document("a2", "Reset the password in the settings of your account.", "Passwords"),
    Document("a3", "A password must be changed every year. Password rules.", "Rules"),
    Document("a4", "Zürich is a city in Switzerland; O'Brien lives there.", "Zürich"),
    Document("a5", "", "Empty"),
)


@dataclass(frozen=True)
class Database:
    """A schema of the test's own; `dsn` opens it."""

    server: PostgresServer
    dsn: str

    def run(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        import psycopg

        with psycopg.connect(self.dsn, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def fill(self, table: str, documents: Sequence[Document]) -> None:
        self.run(f"CREATE TABLE {table} (id text PRIMARY KEY, title text, text text)")
        for one in documents:
            self.run(
                f"INSERT INTO {table} VALUES (%s, %s, %s)", one.id, one.title or None, one.text
            )


@pytest.fixture
def database(vector_postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Database:
    """An empty schema; the variable `DSN` holds its address."""
    import psycopg

    schema = f"t_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(vector_postgres.address(), autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
    dsn = vector_postgres.address(f"{schema},public")
    monkeypatch.setenv(DSN, dsn)
    return Database(vector_postgres, dsn)


@pytest.fixture
def articles(database: Database) -> Database:
    """With the table `articles`."""
    database.fill("articles", ARTICLES)
    return database
