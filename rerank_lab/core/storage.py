"""Files and SQLite databases in the data folder: written in one step, safe for several processes.

Nothing else in the package writes a file that others read, opens SQLite, or explains the disk.
"""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import shutil
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from rerank_lab.core.errors import StorageError
from rerank_lab.core.paths import HOME_VARIABLE, data_home

MEMORY = Path(":memory:")
"""The path of a database that lives in memory only."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_DENIED = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_DISK = _FULL | _DENIED | {errno.EIO, errno.ENOTDIR, errno.ENAMETOOLONG}
_SQLITE_DENIED = frozenset(
    {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH}
)
_SQLITE_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_SQLITE_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_BUSY_S = 60.0
_STAGED, _SET_ASIDE, _DELETED = ".new-", ".old-", ".deleted-"
_ABANDONED_S = 24 * 3600.0


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """A binary file to write to, which takes the place of `path` when the block ends well.

    The file is flushed to the disk before it is moved, and removed when the block fails. Readers
    see the old content or the new one. Of several processes that write at once, the last one wins.
    A link stays a link, and a device such as /dev/stdout is written directly.

    Raises:
        StorageError: the folder cannot be made or written, or the disk is full.
    """
    with disk_errors(path):
        target = path.resolve()
        if target.exists() and not target.is_file() and not target.is_dir():
            with target.open("wb") as device:
                yield device
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(f".{target.name[:80]}.{uuid.uuid4().hex}.part")
        try:
            with unfinished.open("xb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(unfinished, target)
        except BaseException:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
            raise
        _flush_folder(target.parent)


def write_file(path: Path, content: str | bytes) -> None:
    """Write a whole file with `atomic_write`; a text is written as UTF-8 with its own line ends."""
    with atomic_write(path) as stream:
        stream.write(content.encode("utf-8") if isinstance(content, str) else content)


@contextmanager
def file_lock(path: Path, timeout_s: float = _BUSY_S) -> Iterator[None]:
    """Hold `path` for this process and thread alone, by the file `<path>.lock` beside it.

    Raises:
        StorageError: another process holds it for longer than `timeout_s`, or the folder cannot be
            written.
    """
    from filelock import FileLock, Timeout

    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_name(f"{path.name}.lock"), timeout=timeout_s)
        try:
            lock.acquire()
        except Timeout:
            raise _busy(path) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def staged_folder(
    target: Path, *, replace: bool = False, complete: Callable[[Path], bool] | None = None
) -> Iterator[Path]:
    """An empty folder to write into, which becomes `target` when the block ends well.

    It is removed when the block fails, and swept away later when the process dies. What is in
    `target` by then is replaced, under a lock that `recover_folders` takes too, so that no other
    process sees the moment between the two renames; or it stays:

    Args:
        target: where the folder goes.
        replace: takes the place of what is there.
        complete: tells whether a folder is finished, where any finished one is as good as another:
            the first process to finish wins, and the others drop theirs.

    Raises:
        FileExistsError: `target` is there, and neither argument says what to do.
        StorageError: the folder cannot be written, or the disk is full.
    """
    occupied = False
    with disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        recover_folders(target.parent)
        mark = f"{_host()}-{os.getpid()}.{uuid.uuid4().hex[:8]}"
        folder = target.with_name(f"{_STAGED}{mark}.part")
        folder.mkdir()
        try:
            yield folder
            if complete is not None:
                _place_once(folder, target, complete)
            else:
                occupied = not _place(folder, target, replace=replace)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    if occupied:
        raise FileExistsError(target)


def recover_folders(home: Path) -> None:
    """Undo in `home` what processes had begun with `staged_folder` when they died."""
    if any(home.glob(f"{_SET_ASIDE}*")):
        with file_lock(home):
            _put_back(home)
    for folder in (*home.glob(f"{_STAGED}*"), *home.glob(f"{_DELETED}*")):
        if _abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)


def remove_folder(folder: Path) -> None:
    """Out of sight in one step, then deleted: a reader never meets half a folder."""
    doomed = folder.with_name(f"{_DELETED}{uuid.uuid4().hex[:8]}")
    folder.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def _place(folder: Path, target: Path, *, replace: bool) -> bool:
    """Whether the folder took its place: not where there is one that is not to be replaced."""
    old = target.with_name(f"{_SET_ASIDE}{target.name}")
    with file_lock(target.parent):
        _put_back(target.parent)
        if target.exists():
            if not replace:
                return False
            os.replace(target, old)
        try:
            os.replace(folder, target)
        except OSError:
            if old.exists():
                os.replace(old, target)
            raise
        shutil.rmtree(old, ignore_errors=True)
    return True


def _place_once(folder: Path, target: Path, complete: Callable[[Path], bool]) -> None:
    if target.exists() and not complete(target):
        with suppress(FileNotFoundError):
            remove_folder(target)
    try:
        folder.rename(target)
    except OSError:
        if not complete(target):
            raise


def _put_back(home: Path) -> None:
    """Give set-aside folders their place again, or drop those that were replaced well."""
    for old in home.glob(f"{_SET_ASIDE}*"):
        target = home / old.name.removeprefix(_SET_ASIDE)
        if target.exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            os.replace(old, target)


def _abandoned(folder: Path) -> bool:
    """Whether no process works on a staged folder any longer: its own is gone, or it is old."""
    from psutil import pid_exists

    host, _, process = folder.name.removeprefix(_STAGED).partition(".")[0].rpartition("-")
    if host == _host() and process.isdecimal() and not pid_exists(int(process)):
        return True
    try:
        return time.time() - folder.stat().st_mtime > _ABANDONED_S
    except OSError:
        return False


def _host() -> str:
    """This machine, or container: process ids of another one mean nothing here."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def open_sqlite(
    path: Path, schema: str = "", *, busy_s: float = _BUSY_S, any_thread: bool = False
) -> sqlite3.Connection:
    """A connection to a database, which is made with `schema` when it is not there yet.

    The write-ahead log is used where the file system allows it, so that readers do not wait for a
    writer. A second writer waits up to `busy_s` seconds.

    Args:
        path: the file, or MEMORY.
        schema: statements that do nothing the second time (`create table if not exists`).
        busy_s: seconds to wait for a writer in another thread or process.
        any_thread: several threads may use the connection, under a lock of the caller.

    Raises:
        StorageError: the file cannot be opened or written, or is not a database (`.damaged`).
    """
    with disk_errors(path):
        if path != MEMORY:
            path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=busy_s, check_same_thread=not any_thread)
        try:
            _use_write_ahead_log(connection, busy_s)
            connection.execute("pragma synchronous=normal")
            _retried(connection, schema, busy_s)
        except BaseException:
            connection.close()
            raise
    return connection


class Database:
    """A database with one connection for each thread that uses it."""

    def __init__(self, path: Path, schema: str, *, busy_s: float = _BUSY_S) -> None:
        self.path = path
        self._schema = schema
        self._busy_s = busy_s
        self._local = threading.local()

    def connection(self) -> sqlite3.Connection:
        """This thread's connection. Raises StorageError as `open_sqlite` does."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = open_sqlite(self.path, self._schema, busy_s=self._busy_s)
            self._local.connection = connection
        return connection

    def disconnect(self) -> None:
        """Close this thread's connection; the next use opens another one."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        self._local.connection = None
        if connection is not None:
            connection.close()


def set_aside(path: Path) -> None:
    """Rename a damaged database to `<name>.damaged`, so that the next use begins an empty one."""
    with disk_errors(path):
        for suffix in ("", "-wal", "-shm"):
            file = path.with_name(path.name + suffix)
            with suppress(FileNotFoundError):
                file.replace(file.with_name(file.name + ".damaged"))


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what the operating system or SQLite says of the disk into a StorageError for people."""
    try:
        yield
    except (ConnectionError, TimeoutError):
        raise
    except (OSError, sqlite3.Error) as error:
        raise storage_error(path, error) from error


def is_disk_error(error: OSError) -> bool:
    """Whether the disk or its rights are the cause, and not a missing file or the network."""
    return error.errno in _DISK


def storage_error(path: Path, error: OSError | sqlite3.Error) -> StorageError:
    """The error for people: which folder, why, how much is free there, and the next step."""
    folder = path.parent
    if isinstance(error, sqlite3.Error):
        code = _code_of(error)
        denied, full = code in _SQLITE_DENIED, code == sqlite3.SQLITE_FULL
        if code in _SQLITE_BUSY:
            return _busy(path)
        if code in _SQLITE_DAMAGED:
            return StorageError(
                f"The file {path} is damaged ({error}).",
                hint="Remove it or restore it from a backup.",
                damaged=True,
            )
    else:
        denied, full = error.errno in _DENIED, error.errno in _FULL
    within = path.absolute().is_relative_to(data_home())
    elsewhere = (
        f"choose another data folder with {HOME_VARIABLE}" if within else "name another file"
    )
    if full:
        return StorageError(
            f"The disk is full: {path.name!r} cannot be written to the folder {folder}"
            f"{_free_words(folder)}.",
            hint=f"Make room there, or {elsewhere}.",
            details=str(error),
        )
    if denied:
        return StorageError(
            f"{path.name!r} cannot be opened or written in the folder {folder}: it is read-only "
            f"or belongs to someone else{_free_words(folder)}.",
            hint=f"Give yourself the right to write there, or {elsewhere}.",
            details=str(error),
        )
    words = getattr(error, "strerror", None) or str(error)
    return StorageError(
        f"{path.name!r} cannot be opened or written in the folder {folder}: {words}"
        f"{_free_words(folder)}.",
        hint=f"Check that folder and its disk, or {elsewhere}.",
        details=str(error),
    )


def free_bytes(folder: Path) -> int | None:
    """What is free where `folder` is or would be made, in bytes; None when that is not known."""
    for place in (folder, *folder.parents):
        with suppress(OSError):
            return shutil.disk_usage(place).free
    return None


def _free_words(folder: Path) -> str:
    free = free_bytes(folder)
    if free is None:
        return ""
    return f" ({free / 1e9:,.1f} GB free)" if free >= 1e8 else f" ({free / 1e6:,.1f} MB free)"


def _busy(path: Path) -> StorageError:
    return StorageError(
        f"{path} is in use by another process.",
        hint="Wait until it has finished, or stop it, and try again.",
    )


def _flush_folder(folder: Path) -> None:
    """Make the new name itself last through a power cut, where the system can do that."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _use_write_ahead_log(connection: sqlite3.Connection, busy_s: float) -> None:
    """Switch to the write-ahead log; a file system or folder without it keeps the usual journal."""
    try:
        _retried(connection, "pragma journal_mode=wal", busy_s)
    except sqlite3.OperationalError as error:
        if _code_of(error) in _SQLITE_BUSY:
            raise


def _code_of(error: sqlite3.Error) -> int:
    """The primary result code of SQLite, 0 when there is none."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _retried(connection: sqlite3.Connection, script: str, busy_s: float) -> None:
    """Run a script; the switch to the write-ahead log does not wait for others by itself."""
    end = time.monotonic() + busy_s
    pause = 0.01
    while True:
        try:
            connection.executescript(script)
        except sqlite3.OperationalError as error:
            if _code_of(error) not in _SQLITE_BUSY or time.monotonic() + pause > end:
                raise
            time.sleep(pause)
            pause = min(2 * pause, 0.5)
        else:
            return
