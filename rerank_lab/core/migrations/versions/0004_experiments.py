"""Experiments and their cells."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "experiments",
        sa.Column("row_id", ROW_ID, primary_key=True),
        sa.Column("experiment_id", sa.Text(), nullable=False),
        sa.Column("design", sa.LargeBinary(), nullable=False),
        sa.Column("changes", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.Double(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("archived", sa.Boolean(), nullable=False),
        sa.Column("cloned_from", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
    )
    op.create_index("experiments_id", "experiments", ["experiment_id"], unique=True)
    op.create_table(
        "experiment_cells",
        sa.Column("experiment", ROW_ID, primary_key=True, autoincrement=False),
        sa.Column("query", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("pipeline", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
    )
    op.create_index("experiment_cells_change", "experiment_cells", ["experiment", "change"])
