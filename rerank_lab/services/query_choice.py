"""Whose queries are asked. By itself, so that pages can say it without opening the database."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class QueryChoice:
    """Which queries are asked in place of the corpus' own: those of a set, with a tag or all."""

    query_set: str
    tag: str = ""
