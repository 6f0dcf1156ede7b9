"""The comparisons of LLM judges with people."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "judge_comparisons",
        sa.Column("corpus", sa.Text(), primary_key=True),
        sa.Column("judge", sa.Text(), primary_key=True),
        sa.Column("compared_at", TIME, nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
    )
