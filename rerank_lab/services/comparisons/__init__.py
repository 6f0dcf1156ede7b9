"""Saved comparisons: one query's results with the answers of providers, to be opened anywhere.

    comparison = Comparison(...)                 # results, and the recording of what was asked
    comparison_id = keep(comparison, secrets=...)     # a file in the data folder, without any key
    load(comparison_id).columns                  # the same results; nothing is asked

A file is lines of JSON: a header, one line a column, then the lines of a recording
(`remote.recordings`).
"""

from __future__ import annotations

from rerank_lab.services.comparisons.records import comparison_of, to_bytes
from rerank_lab.services.comparisons.store import (
    Entry,
    add,
    delete,
    find,
    keep,
    list_saved,
    load,
    read,
    rename,
)
from rerank_lab.services.comparisons.value import (
    FORMAT,
    MAX_BYTES,
    MAX_TITLE,
    Comparison,
    Header,
    SavedColumn,
    default_title,
    known_secrets,
)

__all__ = [
    "FORMAT",
    "MAX_BYTES",
    "MAX_TITLE",
    "Comparison",
    "Entry",
    "Header",
    "SavedColumn",
    "add",
    "comparison_of",
    "default_title",
    "delete",
    "find",
    "keep",
    "known_secrets",
    "list_saved",
    "load",
    "read",
    "rename",
    "to_bytes",
]
