"""Index folders that are there completely or not at all, whatever happens while writing."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rerank_lab.retrievers.base import MANIFEST, write_manifest

_ABANDONED_S = 24 * 3600


@contextmanager
def replacing(folder: Path, manifest: Mapping[str, Any]) -> Iterator[Path]:
    """An empty folder to write an index into; it becomes `folder` when the block ends well.

    What an earlier process left unfinished is swept away. When someone else finished the same index
    meanwhile, that folder stays and this one is dropped: both hold the same.
    """
    own = f".{folder.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}.part"
    unfinished = folder.with_name(own)
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


def _sweep(folder: Path) -> None:
    for left in folder.parent.glob(f".{folder.name}.*.part"):
        owner = left.name.removeprefix(f".{folder.name}.").partition(".")[0]
        if _abandoned(left, owner):
            shutil.rmtree(left, ignore_errors=True)


def _abandoned(left: Path, owner: str) -> bool:
    from psutil import pid_exists

    if not owner.isdecimal() or not pid_exists(int(owner)):
        return True
    try:
        return time.time() - left.stat().st_mtime > _ABANDONED_S
    except OSError:
        return True
