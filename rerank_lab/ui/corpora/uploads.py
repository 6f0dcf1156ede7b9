"""Uploaded files on disk, under the data folder, until they are imported or a day has passed."""

from __future__ import annotations

import re
import shutil
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rerank_lab.core.paths import data_home
from rerank_lab.remote.objects.store import FileOrigin

_KEEP_S = 24 * 3600.0
_CHUNK = 1 << 20
_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]+')


class Uploaded(Protocol):
    """What Streamlit hands over for a file: a name from the visitor, and bytes to read."""

    name: str

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes from where the last read ended."""
        ...

    def seek(self, offset: int, /) -> int:
        """Go on reading at `offset`."""
        ...


@dataclass(frozen=True, slots=True)
class Upload:
    """Files as they came in. `path` is the file itself, or the folder when there are several.

    `origin` says where they were brought from, if not from the visitor's machine.
    """

    name: str
    path: Path
    folder: Path
    origin: FileOrigin | None = None


def stage(files: Sequence[Uploaded]) -> Upload:
    """Write the files to a folder of their own. Names are made harmless and distinct."""
    inside = new_folder()
    folder = inside.parent
    names: list[str] = []
    for file in files:
        name = _free(safe_name(file.name), names)
        names.append(name)
        file.seek(0)
        with (inside / name).open("wb") as out:
            while chunk := file.read(_CHUNK):
                out.write(chunk)
        file.seek(0)
    if len(names) == 1:
        return Upload(names[0], inside / names[0], folder)
    return Upload(f"{len(names)} files", inside, folder)


def new_folder() -> Path:
    """An empty folder for files; it lies alone in the folder of their upload."""
    home = data_home() / "uploads"
    _sweep(home)
    inside = home / uuid.uuid4().hex / "files"
    inside.mkdir(parents=True)
    return inside


def discard(upload: Upload) -> None:
    """Remove the staged files; missing ones are no matter."""
    shutil.rmtree(upload.folder, ignore_errors=True)


def safe_name(name: str) -> str:
    """A file name without folders, control characters or a leading dot, at most 150 long."""
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    plain = _UNSAFE.sub("_", last).strip().lstrip(".")
    stem, dot, suffix = plain.rpartition(".")
    if len(plain) > 150:
        plain = f"{stem[: 149 - len(suffix)]}{dot}{suffix}" if dot and len(suffix) < 20 else plain
    return plain[:150] or "file"


def _free(name: str, taken: Sequence[str]) -> str:
    number, free = 1, name
    while free.casefold() in {other.casefold() for other in taken}:
        number += 1
        stem, dot, suffix = name.rpartition(".")
        free = f"{stem} {number}.{suffix}" if dot else f"{name} {number}"
    return free


def _sweep(home: Path) -> None:
    oldest = time.time() - _KEEP_S
    for folder in home.iterdir() if home.is_dir() else ():
        try:
            if folder.stat().st_mtime < oldest:
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue
