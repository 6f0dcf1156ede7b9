"""The disk: one step for every file, several processes at once, and errors that help."""

from __future__ import annotations

import errno
import multiprocessing
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from rerank_lab.core import storage
from rerank_lab.core.errors import StorageError
from rerank_lab.core.storage import (
    MEMORY,
    Database,
    atomic_write,
    disk_errors,
    file_lock,
    open_sqlite,
    recover_folders,
    set_aside,
    staged_folder,
    write_file,
)

SCHEMA = "create table if not exists numbers (n int)"
PROCESSES = multiprocessing.get_context("spawn")


@pytest.fixture(autouse=True)
def plain_main_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that are started anew run no page that another test has left as the main module."""
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))


def _in_processes(work: Callable[..., None], *arguments: Any, count: int = 3) -> None:
    running = [PROCESSES.Process(target=work, args=(*arguments, n)) for n in range(count)]
    for process in running:
        process.start()
    for process in running:
        process.join(60)
    assert [process.exitcode for process in running] == [0] * count


def _write_often(path: Path, number: int) -> None:
    for _ in range(60):
        write_file(path, str(number) * 200_000)
        content = path.read_text()
        assert len(content) == 200_000
        assert set(content) <= {content[0]}


def test_processes_that_write_one_file_leave_it_whole_and_nothing_beside_it(tmp_path: Path) -> None:
    _in_processes(_write_often, tmp_path / "new" / "manifest.json")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["manifest.json"]


def _insert_often(path: Path, number: int) -> None:
    for _ in range(20):
        connection = open_sqlite(path, SCHEMA)
        with connection:
            connection.execute("insert into numbers values (?)", (number,))
        connection.close()


def test_processes_open_and_fill_one_new_database(tmp_path: Path) -> None:
    _in_processes(_insert_often, tmp_path / "new" / "x.sqlite")
    connection = open_sqlite(tmp_path / "new" / "x.sqlite")
    assert connection.execute("select count(*) from numbers").fetchone() == (60,)
    assert connection.execute("pragma journal_mode").fetchone() == ("wal",)


def _add_under_lock(path: Path, number: int) -> None:
    for _ in range(50):
        with file_lock(path):
            path.write_text(str(int(path.read_text()) + 1))


def _replace_often(target: Path, _: int) -> None:
    replace = os.replace

    def slow_replace(source: Path, place: Path) -> None:
        replace(source, place)
        time.sleep(0.01)  # what another process does in between would show

    storage.os.replace = slow_replace
    for turn in range(15):
        with staged_folder(target, replace=True) as folder:
            for name in ("a", "b"):
                (folder / name).write_text(f"{os.getpid()} {turn}", "utf-8")


def test_processes_that_replace_one_folder_leave_it_whole_and_nothing_beside_it(
    tmp_path: Path,
) -> None:
    target = tmp_path / "home" / "folder"
    _in_processes(_replace_often, target, count=2)
    assert (target / "a").read_text("utf-8") == (target / "b").read_text("utf-8")
    assert [path.name for path in target.parent.iterdir()] == ["folder"]


def _finish_once(target: Path, _: int) -> None:
    with staged_folder(target, complete=lambda path: (path / "done").exists()) as folder:
        (folder / "done").write_text(str(os.getpid()), "utf-8")
        time.sleep(0.3)


def test_of_processes_that_make_one_folder_the_first_to_finish_wins(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    target.mkdir()
    (target / "half").touch()
    _in_processes(_finish_once, target, count=2)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    assert [path.name for path in target.iterdir()] == ["done"]


def test_a_folder_is_replaced_only_when_that_was_asked_for(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    with staged_folder(target) as folder:
        (folder / "first").touch()
    with pytest.raises(FileExistsError), staged_folder(target) as folder:
        (folder / "second").touch()
    with pytest.raises(ValueError), staged_folder(target, replace=True):
        raise ValueError
    assert [path.name for path in target.iterdir()] == ["first"]
    assert not list(tmp_path.glob(".new-*"))


def _die_before_the_end(target: Path, _: int) -> None:
    with staged_folder(target, replace=True):
        os._exit(0)


def test_what_a_dead_process_left_is_swept_and_what_it_set_aside_comes_back(
    tmp_path: Path,
) -> None:
    _in_processes(_die_before_the_end, tmp_path / "folder", count=1)
    (tmp_path / ".old-set-aside").mkdir()
    other_machine = tmp_path / f".new-00000000-{os.getpid()}.abcdef.part"
    other_machine.mkdir()
    assert len(list(tmp_path.glob(".new-*"))) == 2
    recover_folders(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == [
        other_machine.name,
        "set-aside",
    ]


def test_a_lock_lets_one_process_after_the_other_in(tmp_path: Path) -> None:
    file = tmp_path / "count"
    file.write_text("0")
    _in_processes(_add_under_lock, file)
    assert file.read_text() == "150"


def test_a_lock_that_another_holds_is_an_error_in_the_end(tmp_path: Path) -> None:
    errors: list[StorageError] = []

    def attempt() -> None:
        try:
            with file_lock(tmp_path / "corpus", timeout_s=0.05):
                pass
        except StorageError as error:
            errors.append(error)

    with file_lock(tmp_path / "corpus"):
        thread = threading.Thread(target=attempt)
        thread.start()
        thread.join(10)
    assert "in use by another process" in errors[0].message


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    write_file(file, "old")
    with pytest.raises(TypeError), atomic_write(file) as stream:
        stream.writelines([b"half of the new content", "not bytes"])  # type: ignore[list-item]
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "file.json")
    write_file(link, "x")
    assert link.is_symlink()
    assert (tmp_path / "file.json").read_text() == "x"


def test_a_long_name_can_be_written(tmp_path: Path) -> None:
    file = tmp_path / ("x" * 250)
    write_file(file, "x")
    assert list(tmp_path.iterdir()) == [file]


def test_line_ends_and_bytes_are_kept(tmp_path: Path) -> None:
    write_file(tmp_path / "a", "a\r\nb\n")
    assert (tmp_path / "a").read_bytes() == b"a\r\nb\n"
    write_file(tmp_path / "a", b"\xff\x00")
    assert (tmp_path / "a").read_bytes() == b"\xff\x00"


@pytest.mark.parametrize(
    ("code", "words", "hint"),
    [
        (errno.ENOSPC, "The disk is full", "Make room there"),
        (errno.EDQUOT, "The disk is full", "Make room there"),
        (errno.EROFS, "read-only", "Give yourself the right"),
        (errno.EACCES, "read-only", "Give yourself the right"),
        (errno.EIO, "Input/output error", "Check that folder"),
    ],
)
def test_disk_errors_name_the_folder_what_is_free_and_the_next_step(
    code: int, words: str, hint: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    for folder, other in ((home, "RERANK_LAB_HOME"), (tmp_path, "name another file")):
        with pytest.raises(StorageError) as raised:
            write_file(folder / "a.json", "x")
        message = raised.value.message
        assert words in message
        assert str(folder) in message
        assert "B free)" in message
        assert raised.value.hint.startswith(hint)
        assert other in raised.value.hint
        assert raised.value.to_json()["error"] == "storage_error"
        assert not list(folder.glob("*.part"))


def test_a_real_full_disk_is_named_as_such() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(StorageError, match="The disk is full"):
        write_file(Path("/dev/full"), "x")


def test_a_file_where_the_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    for attempt in (write_file, open_sqlite):
        with pytest.raises(StorageError, match="home"):
            attempt(tmp_path / "home" / "x", "")


def test_a_damaged_database_is_set_aside_and_begun_anew(tmp_path: Path) -> None:
    file = tmp_path / "x.sqlite"
    file.write_bytes(b"no database at all, whatever its name says" * 100)
    with pytest.raises(StorageError) as raised:
        open_sqlite(file, SCHEMA)
    assert raised.value.damaged
    set_aside(file)
    open_sqlite(file, SCHEMA).execute("insert into numbers values (1)")
    assert (tmp_path / "x.sqlite.damaged").exists()


def test_a_full_disk_under_a_database_is_named(tmp_path: Path) -> None:
    file = tmp_path / "x.sqlite"
    connection = open_sqlite(file, "create table if not exists texts (t text)")
    connection.execute("pragma max_page_count = 3")
    with pytest.raises(StorageError, match="The disk is full"), disk_errors(file), connection:
        connection.execute("insert into texts values (?)", ("x" * 100_000,))


def test_a_writer_in_another_connection_is_waited_for_and_then_named(tmp_path: Path) -> None:
    file = tmp_path / "x.sqlite"
    first, second = open_sqlite(file, SCHEMA), open_sqlite(file, SCHEMA, busy_s=0.05)
    first.execute("begin immediate")
    with pytest.raises(StorageError, match="in use by another process"), disk_errors(file):
        second.execute("insert into numbers values (1)")


def test_a_folder_without_write_ahead_log_keeps_the_usual_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = storage._retried

    def no_log(connection: sqlite3.Connection, script: str, busy_s: float) -> None:
        if "wal" in script:
            raise sqlite3.OperationalError("disk I/O error")
        run(connection, script, busy_s)

    monkeypatch.setattr(storage, "_retried", no_log)
    connection = open_sqlite(tmp_path / "x.sqlite", SCHEMA)
    connection.execute("insert into numbers values (1)")
    assert connection.execute("pragma journal_mode").fetchone() == ("delete",)


def test_each_thread_has_a_connection_of_its_own(tmp_path: Path) -> None:
    database = Database(tmp_path / "x.sqlite", SCHEMA)
    connections = [database.connection(), database.connection()]
    thread = threading.Thread(target=lambda: connections.append(database.connection()))
    thread.start()
    thread.join(10)
    assert connections[0] is connections[1]
    assert connections[2] is not connections[0]
    database.disconnect()
    assert database.connection() is not connections[0]


def test_memory_is_a_place_too() -> None:
    connection = open_sqlite(MEMORY, SCHEMA, any_thread=True)
    connection.execute("insert into numbers values (1)")
