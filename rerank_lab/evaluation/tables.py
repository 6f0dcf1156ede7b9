"""The tables of the lab database that evaluations read and write; the migrations make them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

METADATA = MetaData()
_ROW_ID = BigInteger().with_variant(Integer(), "sqlite")


def _text(name: str, *, key: bool = False) -> Column[str]:
    return Column(name, Text(), primary_key=key, nullable=False)


EXPERIMENTS = Table(
    "experiments",
    METADATA,
    Column("row_id", _ROW_ID, primary_key=True),
    _text("experiment_id"),
    Column("design", LargeBinary(), nullable=False),
    # Goes up with every cell and every change of the design: what is read by then can be told.
    Column("changes", BigInteger(), nullable=False),
    # Of the last cell, in seconds since 1970; 0 without one.
    Column("changed_at", Double(), nullable=False),
    _text("name"),
    _text("tags"),
    _text("note"),
    Column("archived", Boolean(), nullable=False),
    _text("cloned_from"),
    _text("environment"),
    Index("experiments_id", "experiment_id", unique=True),
)
# A cell stands at the places of its query and its pipeline in the design.
EXPERIMENT_CELLS = Table(
    "experiment_cells",
    METADATA,
    Column("experiment", _ROW_ID, primary_key=True, autoincrement=False),
    Column("query", Integer(), primary_key=True, autoincrement=False),
    Column("pipeline", Integer(), primary_key=True, autoincrement=False),
    Column("change", BigInteger(), nullable=False),
    Column("content", LargeBinary(), nullable=False),
    Index("experiment_cells_change", "experiment", "change"),
)
STUDIES = Table(
    "studies",
    METADATA,
    _text("experiment_id", key=True),
    _text("digest", key=True),
    _text("kind"),
    Column("created_at", Double(), nullable=False),
    _text("request"),
    _text("result"),
)
