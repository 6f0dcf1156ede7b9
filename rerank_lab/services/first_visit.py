"""What is offered once in a data folder: the guided tour."""

from __future__ import annotations

from pathlib import Path

from rerank_lab.core.storage import write_file

_MARK = "tour-offered.txt"


def tour_was_offered(home: Path) -> bool:
    """Whether somebody has taken or declined the tour in this data folder."""
    return (home / _MARK).is_file()


def remember_tour(home: Path) -> None:
    """Offer the tour to nobody in this data folder any more; it can still be started.

    Raises:
        StorageError: the folder cannot be written.
    """
    write_file(
        home / _MARK, "The guided tour was offered here. Delete this file to see it again.\n"
    )
