"""Pure view models: results in, rows and sentences out. Every number on the screen is made here."""

from __future__ import annotations

from rerank_lab.views.compare import (
    Card,
    Column,
    CompareView,
    Options,
    Outcome,
    Quality,
    Question,
    compare,
)
from rerank_lab.views.rank_changes import Movement, moves

__all__ = [
    "Card",
    "Column",
    "CompareView",
    "Movement",
    "Options",
    "Outcome",
    "Quality",
    "Question",
    "compare",
    "moves",
]
