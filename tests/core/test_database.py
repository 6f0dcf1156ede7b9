"""The lab database: opened by several at once, brought up to date, and errors that help."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from rerank_lab.core import database
from rerank_lab.core.database import DATABASE_VARIABLE, SCHEMA_REVISION, open_database
from rerank_lab.core.errors import InvalidInput, StorageError
from rerank_lab.evaluation.tables import METADATA as OF_EVALUATIONS
from rerank_lab.jobs.tables import METADATA as OF_JOBS
from rerank_lab.judging.tables import METADATA as OF_JUDGING
from rerank_lab.testing.postgres_server import PostgresServer

OPEN = "from rerank_lab.core.database import open_database; open_database()"


def test_the_tables_are_those_that_the_code_reads(lab_database: str) -> None:
    tables = [OF_EVALUATIONS, OF_JOBS, OF_JUDGING]
    with open_database().reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables) == []


def test_the_newest_migration_is_the_one_that_this_version_names() -> None:
    folder = Path(database.__file__).parent / "migrations"
    assert ScriptDirectory(str(folder)).get_current_head() == SCHEMA_REVISION


def test_processes_that_open_a_new_database_at_once_make_it_once(lab_database: str) -> None:
    processes = [subprocess.Popen([sys.executable, "-c", OPEN]) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    with open_database().reading() as connection:
        versions = connection.execute(text("select version_num from alembic_version")).all()
    assert versions == [(SCHEMA_REVISION,)]


def test_a_database_of_a_newer_version_is_refused_and_left_alone(lab_database: str) -> None:
    opened = open_database()
    with opened.writing() as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))
    database._OPEN.clear()
    with pytest.raises(StorageError, match=r"newer version.*schema 9999.*up to") as caught:
        open_database()
    assert "Update Rerank Lab" in caught.value.hint
    with opened.reading() as connection:
        assert connection.scalar(text("select version_num from alembic_version")) == "9999"


def test_commits_wait_for_the_disk(lab_database: str) -> None:
    with open_database().reading() as connection:
        if lab_database == "sqlite":
            assert connection.scalar(text("pragma journal_mode")) == "wal"
            assert connection.scalar(text("pragma synchronous")) == 2
        else:
            assert connection.scalar(text("show synchronous_commit")) == "on"


def test_only_blocks_for_what_can_be_made_again_do_not_wait_for_the_disk(
    lab_database: str,
) -> None:
    opened = open_database()
    of_sqlite = lab_database == "sqlite"
    setting = text("pragma synchronous" if of_sqlite else "show synchronous_commit")
    with opened.writing_soon() as connection:
        assert connection.scalar(setting) == (1 if of_sqlite else "off")
        connection.execute(text("insert into judgment_versions values ('c', 'v')"))
    with opened.writing() as connection:
        assert connection.scalar(setting) == (2 if of_sqlite else "on")
        assert connection.scalar(text("select version from judgment_versions")) == "v"


def test_a_block_that_fails_leaves_nothing(lab_database: str) -> None:
    opened = open_database()

    def fail_halfway() -> None:
        with opened.writing("x") as connection:
            connection.execute(text("insert into judgment_versions values ('c', 'v')"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_halfway()
    with opened.reading() as connection:
        assert connection.scalar(text("select count(*) from judgment_versions")) == 0


def test_a_file_that_was_removed_is_noticed(home: Path) -> None:
    first = open_database()
    assert open_database() is first
    for file in home.glob("lab.db*"):
        file.unlink()
    with open_database().reading() as connection:
        assert connection.scalar(text("select count(*) from judgments")) == 0
    assert (home / "lab.db").exists()


def test_a_folder_that_cannot_be_made_is_said(home: Path) -> None:
    home.write_text("a file where the folder should be")
    with pytest.raises(StorageError, match=r"lab\.db"):
        open_database()


def test_a_full_disk_is_said_and_stores_nothing(home: Path) -> None:
    opened = open_database()

    def fill() -> None:
        with opened.writing() as connection:
            pages = connection.scalar(text("pragma page_count"))
            connection.exec_driver_sql(f"pragma max_page_count = {pages}")
            insert = text("insert into judgment_versions values (:corpus, :version)")
            for number in range(500):
                connection.execute(insert, {"corpus": f"c{number}", "version": "v" * 900})

    with pytest.raises(StorageError, match="The disk is full"):
        fill()
    with opened.reading() as connection:
        assert connection.scalar(text("select count(*) from judgment_versions")) == 0


def test_a_damaged_file_is_said(home: Path) -> None:
    home.mkdir()
    (home / "lab.db").write_bytes(b"no database at all, but long enough to be read as one" * 99)
    with pytest.raises(StorageError, match="damaged"):
        open_database()


@pytest.mark.parametrize("address", ["mysql://u:secret@h/d", "sqlite://", "h:5432/secret"])
def test_an_address_of_another_kind_is_refused(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATABASE_VARIABLE, address)
    with pytest.raises(InvalidInput, match=DATABASE_VARIABLE) as caught:
        open_database()
    assert "postgresql://" in caught.value.hint
    assert "secret" not in str(caught.value.to_json())


def test_a_wrong_password_is_said_and_never_shown(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = postgres.address().replace(postgres.password, "hunter2")
    monkeypatch.setenv(DATABASE_VARIABLE, address.replace("postgresql:", "postgres:"))
    with pytest.raises(StorageError, match="refuses the user 'lab' or the password") as caught:
        open_database()
    assert "hunter2" not in str(caught.value.to_json())


def test_a_server_that_does_not_answer_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("psycopg")
    monkeypatch.setenv(DATABASE_VARIABLE, "postgresql://lab:hunter2@127.0.0.1:1/labels")
    with pytest.raises(StorageError, match=r"127\.0\.0\.1:1/labels cannot be reached") as caught:
        open_database()
    assert "hunter2" not in str(caught.value.to_json())


def test_a_user_who_may_not_write_is_said(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = postgres.address() + "%20-cdefault_transaction_read_only%3Don"
    monkeypatch.setenv(DATABASE_VARIABLE, address)
    with pytest.raises(StorageError, match="does not let 'lab' write"):
        open_database()
