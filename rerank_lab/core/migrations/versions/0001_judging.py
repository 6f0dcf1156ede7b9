"""Judgments, sessions, claims on pairs, arena votes and query sets."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the first tables."""
    _judgments()
    _sessions()
    _votes()
    op.create_table(
        "query_sets",
        sa.Column("corpus", sa.Text(), primary_key=True),
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
    )


def _judgments() -> None:
    op.create_table(
        "judgments",
        sa.Column("row_id", ROW_ID, primary_key=True),
        sa.Column("corpus", sa.Text(), nullable=False),
        sa.Column("query_id", sa.Text(), nullable=False),
        sa.Column("doc_id", sa.Text(), nullable=False),
        sa.Column("grade", sa.Integer()),
        sa.Column("judge", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("passage_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("undoes", ROW_ID),
        sa.Column("token", sa.Text(), nullable=False),
    )
    op.create_index("judgments_pair", "judgments", ["corpus", "query_id", "doc_id"])
    op.create_index("judgments_judge", "judgments", ["corpus", "judge"])
    op.create_index("judgments_session", "judgments", ["session_id", "judge"])
    op.create_index("judgments_order", "judgments", ["corpus", "row_id"])
    _unique_where("judgments_undone", "judgments", ["undoes"], "undoes is not null")
    _unique_where("judgments_token", "judgments", ["corpus", "token"], "token <> ''")
    op.create_table(
        "judgment_versions",
        sa.Column("corpus", sa.Text(), primary_key=True),
        sa.Column("version", sa.Text(), nullable=False),
    )


def _sessions() -> None:
    op.create_table(
        "label_sessions",
        sa.Column("session_id", sa.Text(), primary_key=True),
        sa.Column("corpus", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
    )
    op.create_index("label_sessions_corpus", "label_sessions", ["corpus"])
    op.create_table(
        "pair_claims",
        sa.Column("session_id", sa.Text(), primary_key=True),
        sa.Column("query_id", sa.Text(), primary_key=True),
        sa.Column("doc_id", sa.Text(), primary_key=True),
        sa.Column("judge", sa.Text(), primary_key=True),
        sa.Column("until", TIME, nullable=False),
    )


def _votes() -> None:
    op.create_table(
        "arena_votes",
        sa.Column("row_id", ROW_ID, primary_key=True),
        sa.Column("corpus", sa.Text(), nullable=False),
        sa.Column("query_id", sa.Text(), nullable=False),
        sa.Column("left", sa.Text(), nullable=False),
        sa.Column("right", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("judge", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("shown_hash", sa.Text(), nullable=False),
        sa.Column("undoes", ROW_ID),
        sa.Column("token", sa.Text(), nullable=False),
    )
    op.create_index("arena_votes_query", "arena_votes", ["corpus", "query_id"])
    _unique_where("arena_votes_undone", "arena_votes", ["undoes"], "undoes is not null")
    _unique_where("arena_votes_token", "arena_votes", ["corpus", "token"], "token <> ''")


def _unique_where(name: str, table: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, unique=True, sqlite_where=where, postgresql_where=where)
