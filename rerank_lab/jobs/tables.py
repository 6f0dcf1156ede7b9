"""The tables of the lab database that jobs read and write; the migrations make them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, MetaData, Table, Text

METADATA = MetaData()
JOB_CLAIMS = Table(
    "job_claims",
    METADATA,
    Column("name", Text(), primary_key=True, nullable=False),
    # A value of the process' own for each time that it claims something.
    Column("owner", Text(), nullable=False),
    # In seconds since 1970, by the clock of the server, or of the machine for SQLite.
    Column("lease_ends_at", Double(), nullable=False),
    Column("message", Text(), nullable=False),
    Column("done", BigInteger(), nullable=False),
    Column("total", BigInteger(), nullable=False),
)
