"""Saved comparisons on disk: `comparisons/<id>.jsonl` in the data folder.

An id is made here from the content and never read from a file, so that no file can choose where
it is written.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.paths import data_home
from rerank_lab.core.storage import write_file
from rerank_lab.services.access import Action, needs
from rerank_lab.services.comparisons.records import comparison_of, header_of, refused, to_bytes
from rerank_lab.services.comparisons.value import MAX_BYTES, MAX_TITLE, Comparison, Header

_log = logging.getLogger(__name__)
_ID = re.compile(r"[0-9a-f]{16}")
_LONGEST_HEADER = 1_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the list. `size` in bytes, `changed` in nanoseconds since 1970."""

    id: str
    header: Header
    size: int
    changed: int


def folder() -> Path:
    """Where saved comparisons are."""
    return data_home() / "comparisons"


@needs(Action.EDIT)
def keep(comparison: Comparison, secrets: Sequence[str] = ()) -> str:
    """Save, without any of the secrets, and return the id. Raises InvalidInput when too large."""
    data = to_bytes(comparison, secrets)
    return _write(hashlib.sha256(data).hexdigest()[:16], data)


@needs(Action.IMPORT)
def add(data: bytes) -> str:
    """Take in a file that was saved elsewhere, all or nothing, and return the id.

    What is written is what was understood of it. Raises InvalidInput that says what is wrong.
    """
    return keep(comparison_of(data))


def list_saved() -> list[Entry]:
    """All that can be read, the latest first. Reads the first line of each file only."""
    entries = []
    for path in folder().glob("*.jsonl"):
        if _ID.fullmatch(path.stem):
            try:
                entries.append(_entry(path))
            except (OSError, InvalidInput) as fault:
                _log.warning("The saved comparison %s cannot be read: %s", path.name, fault)
    return sorted(entries, key=lambda entry: (entry.header.created_at, entry.id), reverse=True)


def find(comparison_id: str) -> Entry | None:
    """The list's line of that id, or None when there is none that can be read."""
    try:
        return _entry(_path(comparison_id))
    except (OSError, InvalidInput):
        return None


def read(comparison_id: str) -> bytes:
    """The file as it can be downloaded. Raises InvalidInput when it is not (or no longer) there."""
    path = _path(comparison_id)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError:
        raise _missing() from None
    if len(data) > MAX_BYTES:
        raise refused(f"it is larger than {MAX_BYTES // 2**20} MB")
    return data


def load(comparison_id: str) -> Comparison:
    """The comparison of that id. Raises InvalidInput when it is not there or cannot be read."""
    return comparison_of(read(comparison_id))


@needs(Action.EDIT, "comparison_id")
def rename(comparison_id: str, title: str) -> None:
    """Give another title. Raises InvalidInput for an empty or overlong one."""
    flat = " ".join(title.split())
    if not 0 < len(flat) <= MAX_TITLE:
        raise InvalidInput(
            "A saved comparison needs a name.", hint=f"Give one of 1 to {MAX_TITLE} characters."
        )
    saved = load(comparison_id)
    _write(comparison_id, to_bytes(replace(saved, header=replace(saved.header, title=flat))))


@needs(Action.DELETE, "comparison_id")
def delete(comparison_id: str) -> None:
    """Remove it; one that is not there is no matter."""
    _path(comparison_id).unlink(missing_ok=True)


def _path(comparison_id: str) -> Path:
    if not _ID.fullmatch(comparison_id):
        raise _missing()
    return folder() / f"{comparison_id}.jsonl"


def _missing() -> InvalidInput:
    return InvalidInput(
        "There is no such saved comparison here.",
        hint="Choose another one, or add its file under Saved comparisons.",
    )


def _entry(path: Path) -> Entry:
    with path.open("rb") as file:
        line = file.readline(_LONGEST_HEADER)
    stat = path.stat()
    header = header_of(line.decode("utf-8", "replace"))
    return Entry(path.stem, header, stat.st_size, stat.st_mtime_ns)


def _write(comparison_id: str, data: bytes) -> str:
    write_file(_path(comparison_id), data)
    return comparison_id
