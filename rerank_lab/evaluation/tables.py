"""The tables of the lab database that evaluations read and write; the migrations make them."""

from __future__ import annotations

from sqlalchemy import Column, Double, MetaData, Table, Text

METADATA = MetaData()


def _text(name: str, *, key: bool = False) -> Column[str]:
    return Column(name, Text(), primary_key=key, nullable=False)


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
