"""What came of a download that broke off: kept in the data folder, and gone on with next time."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from rerank_lab.core.errors import StorageError
from rerank_lab.core.paths import data_home
from rerank_lab.core.storage import disk_errors, file_lock
from rerank_lab.remote.objects.store import RemoteObject

SMALLEST_BYTES = 1 << 20
"""Smaller objects are read again from their beginning."""
_KEPT_S = 7 * 86_400
_SUFFIX = ".part"


@contextmanager
def kept_part(item: RemoteObject) -> Iterator[Path | None]:
    """The file in which an object is gathered, alone while the block lasts; perhaps a part of it.

    None for an object that is small, or of which nobody could tell whether another part belongs to
    the same version, or that another process reads just now.
    """
    with ExitStack() as stack:
        yield _locked(item, stack)


def forget_old_parts() -> None:
    """Remove what was begun over a week ago and never ended."""
    oldest = time.time() - _KEPT_S
    for path in _folder().glob("*"):
        with suppress(OSError, StorageError):
            if path.suffix != _SUFFIX or path.stat().st_mtime > oldest:
                continue
            with file_lock(path, timeout_s=0.0):
                path.unlink(missing_ok=True)
            path.with_name(f"{path.name}.lock").unlink(missing_ok=True)


def _folder() -> Path:
    return data_home() / "downloads"


def _locked(item: RemoteObject, stack: ExitStack) -> Path | None:
    if not item.version or (item.size or 0) < SMALLEST_BYTES:
        return None
    identity = f"{item.address}\n{item.version}\n{item.size}"
    name = hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    path = _folder() / f"{name}{_SUFFIX}"
    try:
        stack.enter_context(file_lock(path, timeout_s=0.0))
        stack.callback(_remove_lock, path)
        with disk_errors(path):
            if path.exists() and path.stat().st_size > (item.size or 0):
                path.unlink()
    except StorageError:
        return None  # a read-only data folder keeps nothing; another process keeps it for itself
    return path


def _remove_lock(path: Path) -> None:
    """A finished download leaves no lock behind."""
    if not path.exists():
        with suppress(OSError):
            path.with_name(f"{path.name}.lock").unlink(missing_ok=True)
