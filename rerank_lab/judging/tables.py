"""The tables of the lab database that judging reads and writes; the migrations in core make them.

Columns stand in the order of the fields of the values in `records`.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Double,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    text,
)

METADATA = MetaData()
_ROW_ID = BigInteger().with_variant(Integer(), "sqlite")
_TIME = DateTime(timezone=True)
"""Written in UTC. SQLite keeps no time zone: who reads a time puts it back."""


def _text(name: str, *, key: bool = False) -> Column[str]:
    return Column(name, Text(), primary_key=key, nullable=False)


def _unique_where(name: str, *columns: str, condition: str) -> Index:
    where = text(condition)
    return Index(name, *columns, unique=True, sqlite_where=where, postgresql_where=where)


JUDGMENTS = Table(
    "judgments",
    METADATA,
    _text("corpus"),
    _text("query_id"),
    _text("doc_id"),
    Column("grade", Integer()),
    _text("judge"),
    _text("kind"),
    Column("at", _TIME, nullable=False),
    _text("note"),
    Column("seconds", Double(), nullable=False),
    _text("content_hash"),
    _text("passage_id"),
    Column("position", Integer(), nullable=False),
    _text("session_id"),
    Column("undoes", _ROW_ID),
    Column("row_id", _ROW_ID, primary_key=True),
    _text("token"),
    Index("judgments_pair", "corpus", "query_id", "doc_id"),
    Index("judgments_judge", "corpus", "judge"),
    Index("judgments_session", "session_id", "judge"),
    Index("judgments_order", "corpus", "row_id"),
    _unique_where("judgments_undone", "undoes", condition="undoes is not null"),
    _unique_where("judgments_token", "corpus", "token", condition="token <> ''"),
)
JUDGMENT_VERSIONS = Table(
    "judgment_versions", METADATA, _text("corpus", key=True), _text("version")
)
LABEL_SESSIONS = Table(
    "label_sessions",
    METADATA,
    _text("session_id", key=True),
    _text("corpus"),
    Column("created_at", _TIME, nullable=False),
    _text("content"),
    Index("label_sessions_corpus", "corpus"),
)
PAIR_CLAIMS = Table(
    "pair_claims",
    METADATA,
    _text("session_id", key=True),
    _text("query_id", key=True),
    _text("doc_id", key=True),
    _text("judge", key=True),
    Column("until", _TIME, nullable=False),
)
ARENA_VOTES = Table(
    "arena_votes",
    METADATA,
    _text("corpus"),
    _text("query_id"),
    _text("left"),
    _text("right"),
    _text("outcome"),
    _text("judge"),
    _text("kind"),
    Column("at", _TIME, nullable=False),
    _text("mode"),
    Column("seconds", Double(), nullable=False),
    _text("shown_hash"),
    Column("undoes", _ROW_ID),
    Column("row_id", _ROW_ID, primary_key=True),
    _text("token"),
    Index("arena_votes_query", "corpus", "query_id"),
    _unique_where("arena_votes_undone", "undoes", condition="undoes is not null"),
    _unique_where("arena_votes_token", "corpus", "token", condition="token <> ''"),
)
QUERY_SETS = Table(
    "query_sets",
    METADATA,
    _text("corpus", key=True),
    _text("name", key=True),
    Column("created_at", _TIME, nullable=False),
    _text("content"),
)
JUDGE_COMPARISONS = Table(
    "judge_comparisons",
    METADATA,
    _text("corpus", key=True),
    _text("judge", key=True),
    Column("compared_at", _TIME, nullable=False),
    _text("content"),
)
