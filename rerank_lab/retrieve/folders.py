"""Index folders that are there completely or not at all, whatever happens while writing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rerank_lab.errors import BackendError
from rerank_lab.retrieve.base import MANIFEST, write_manifest


@contextmanager
def replacing(folder: Path, manifest: Mapping[str, Any]) -> Iterator[Path]:
    """An empty folder to write an index into; it becomes `folder` when the block ends well.

    What an earlier process left unfinished is swept away. When another process finished the same
    index meanwhile, its folder stays and this one is dropped: both hold the same.
    """
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    _sweep(folder)
    unfinished.mkdir(parents=True)
    try:
        yield unfinished
        write_manifest(unfinished, manifest)
        if not (folder / MANIFEST).exists():
            shutil.rmtree(folder, ignore_errors=True)
        try:
            unfinished.rename(folder)
        except OSError:
            if not (folder / MANIFEST).exists():
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def damaged(name: str, folder: Path, why: str) -> BackendError:
    return BackendError(
        f"The {name} index in {folder.name!r} cannot be read: {why}",
        hint="Delete this index on the Corpora page (or its folder); it is then built anew.",
        details=str(folder),
    )


def _sweep(folder: Path) -> None:
    for left in folder.parent.glob(f".{folder.name}.*.part"):
        owner = left.name.removesuffix(".part").rpartition(".")[2]
        if not owner.isdecimal() or not _alive(int(owner)) or int(owner) == os.getpid():
            shutil.rmtree(left, ignore_errors=True)


def _alive(process: int) -> bool:
    from psutil import pid_exists

    return bool(pid_exists(process))
