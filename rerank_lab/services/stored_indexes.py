"""The indexes that lie in the data folder: what each is, how large, and how to delete one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.storage import remove_folder
from rerank_lab.core.text import load_json
from rerank_lab.retrievers.base import MANIFEST

_PREFIX = 16
"""Digits of the content hash that name a corpus' folder, as `Retriever.index_folder` has it."""


@dataclass(frozen=True, slots=True)
class StoredIndex:
    """One index folder. `size` in bytes on disk; `changed_at` in seconds since 1970.

    An index without a readable manifest is unfinished or damaged: `complete` is False.
    """

    folder: Path
    retriever: str
    options: Mapping[str, Any] = field(default_factory=dict)
    documents: int = 0
    size: int = 0
    changed_at: float = 0.0
    complete: bool = True

    @property
    def name(self) -> str:
        """The folder's name: unique for a corpus."""
        return self.folder.name


def stored_indexes(indexes: Path, content_hash: str) -> tuple[StoredIndex, ...]:
    """The indexes of the corpus with that content hash, by name; empty when there are none."""
    home = indexes / content_hash[:_PREFIX]
    if not content_hash or not home.is_dir():
        return ()
    folders = (path for path in sorted(home.iterdir()) if path.is_dir())
    return tuple(_stored(path) for path in folders if not path.name.startswith("."))


def delete_index(indexes: Path, content_hash: str, name: str) -> None:
    """Remove one index from the disk. Raises InvalidInput when the corpus has none of that name."""
    known = {index.name: index for index in stored_indexes(indexes, content_hash)}
    if name not in known:
        raise InvalidInput(
            f"There is no index {name!r} of this corpus.",
            hint="It may have been deleted elsewhere; look again at what there is.",
        )
    remove_folder(known[name].folder)


def delete_indexes(indexes: Path, content_hash: str) -> None:
    """Remove every index of a corpus, unfinished ones included."""
    home = indexes / content_hash[:_PREFIX]
    if content_hash and home.is_dir():
        remove_folder(home)


def _stored(folder: Path) -> StoredIndex:
    files = [path for path in folder.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    changed = folder.stat().st_mtime
    try:
        about = load_json((folder / MANIFEST).read_text("utf-8"))
        return StoredIndex(
            folder,
            str(about["retriever"]),
            dict(about["options"]),
            int(about["documents"]),
            size,
            changed,
        )
    except (OSError, ValueError, TypeError, KeyError):
        retriever = folder.name.rpartition("-")[0] or folder.name
        return StoredIndex(folder, retriever, size=size, changed_at=changed, complete=False)
