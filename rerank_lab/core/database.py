"""The lab database: what people enter in the lab, kept by SQLite or by a PostgreSQL server.

By default it is the file `lab.db` in the data folder; `RERANK_LAB_DATABASE` names a server. Its
tables are made and brought up to date by the migrations beside this module when it is opened.
A write is on the disk when its block ends, never later.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rerank_lab.core.errors import InvalidInput, LabError, MissingExtra, StorageError
from rerank_lab.core.paths import data_home
from rerank_lab.core.storage import file_lock, open_sqlite, storage_error

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine
    from sqlalchemy.exc import DBAPIError

DATABASE_VARIABLE = "RERANK_LAB_DATABASE"
FILE_NAME = "lab.db"
SCHEMA_REVISION = "0005"
"""The newest of the migrations; what this version reads and writes."""

_MIGRATIONS = Path(__file__).parent / "migrations"
_CONNECT_S = 10
_READS_ONLY = "lab_reads_only"
_WAITS_NOT = "lab_waits_not"
_LEVEL = "lab_synchronous"
_FULL = frozenset({"53100", "53200", "58030"})
_DENIED = frozenset({"42501", "25006"})
_PASSWORD = frozenset({"28P01", "28000"})
_TOO_LONG = "54000"


class LabDatabase:
    """An open lab database. Many threads and processes may use it at once.

    Attributes:
        name: the file, or the server's address without its password, for people.
        path: the SQLite file; None for a server.
        engine: of SQLAlchemy.
    """

    def __init__(self, engine: Engine, path: Path | None) -> None:
        self.engine = engine
        self.path = path
        self.name = (
            str(path) if path else engine.url.render_as_string(hide_password=True).split("?")[0]
        )

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for questions, which see one state of the database.

        Raises:
            StorageError: the database cannot be reached or read.
        """
        with self._errors(), self.engine.connect() as connection:
            yield connection.execution_options(**{_READS_ONLY: True})

    @contextmanager
    def writing(self, *names: str) -> Iterator[Connection]:
        """A connection for changes, all of them durable when the block ends, none if it fails.

        Blocks that name one thing in common run one after another, so that what a block reads of it
        still holds when it writes. (SQLite has one writer at a time in any case.)

        Raises:
            StorageError: the database cannot be reached or written.
        """
        with self._errors(), self.engine.begin() as connection:
            if self.path is None:
                for name in sorted(set(names)):
                    _hold(connection, name)
            yield connection

    @contextmanager
    def writing_soon(self, *names: str) -> Iterator[Connection]:
        """As `writing`, for what can be made again: it does not wait for the disk.

        Killing this process when the block has ended loses nothing of it; a power cut may, and
        leaves the database whole.

        Raises:
            StorageError: the database cannot be reached or written.
        """
        with self._errors(), self.engine.connect() as connection:
            options = {_WAITS_NOT: True} if self.path is not None else {}
            with connection.execution_options(**options).begin():
                if self.path is None:
                    connection.exec_driver_sql("set local synchronous_commit to off")
                    for name in sorted(set(names)):
                        _hold(connection, name)
                yield connection

    @contextmanager
    def turn(self, name: str) -> Iterator[bool]:
        """True inside for the one that holds this name, False for others at that time."""
        if self.path is None:
            with self._server_turn(name) as first:
                yield first
            return
        digest = hashlib.sha256(name.encode()).hexdigest()[:16]
        with ExitStack() as stack:
            try:
                lock = self.path.with_name("turns") / digest
                stack.enter_context(file_lock(lock, timeout_s=0))
            except StorageError:
                yield False
            else:
                yield True

    @contextmanager
    def _server_turn(self, name: str) -> Iterator[bool]:
        """A turn that the server knows of; it ends with the connection, should nobody end it."""
        from sqlalchemy import func, select
        from sqlalchemy.exc import DBAPIError

        with self._errors(), self.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            # Not the number of `writing`: who has the turn writes under this name as well.
            number = _number(f"turn {name}")
            first = bool(connection.scalar(select(func.pg_try_advisory_lock(number))))
            try:
                yield first
            finally:
                with suppress(DBAPIError):  # a connection that is lost holds nothing
                    if first:
                        connection.execute(select(func.pg_advisory_unlock(number)))

    def close(self) -> None:
        """Close the connections that nobody uses; the next use opens new ones."""
        self.engine.dispose()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        from sqlalchemy.exc import DBAPIError

        try:
            yield
        except DBAPIError as error:
            raise self._explained(error) from None

    def _explained(self, error: DBAPIError) -> LabError:
        if self.path is not None:
            cause = error.orig if isinstance(error.orig, sqlite3.Error) else sqlite3.Error(error)
            return storage_error(self.path, cause)
        return _server_error(error, self.engine.url, self.name)


def open_database(home: Path | None = None) -> LabDatabase:
    """The lab database of a data folder, or the one that `RERANK_LAB_DATABASE` names; up to date.

    Opening it again in one process gives the open one.

    Raises:
        InvalidInput: the address cannot be used.
        MissingExtra: the address names PostgreSQL and its driver is not installed.
        StorageError: it cannot be reached, opened, read or written, or a newer version wrote it.
    """
    address = os.environ.get(DATABASE_VARIABLE, "").strip()
    url = _url(address) if address else None
    path = None
    if url is None:
        path = (home or data_home()) / FILE_NAME
    elif url.get_backend_name() == "sqlite":
        path = Path(str(url.database)).expanduser().absolute()
    key = (os.getpid(), address if path is None else str(path))
    with _OPENING:
        database = _OPEN.get(key)
        if database is None or _replaced(database):
            database = _opened(url, path)
            _OPEN[key] = database
        return database


def known_database(home: Path | None = None) -> LabDatabase | None:
    """As `open_database`; None while the data folder holds no database, so that asking makes none.

    Raises:
        InvalidInput, MissingExtra, StorageError: as `open_database` does.
    """
    named = os.environ.get(DATABASE_VARIABLE, "").strip()
    if not named and not ((home or data_home()) / FILE_NAME).exists():
        return None
    return open_database(home)


def may_hold(table: str, column: str, value: str, home: Path | None = None) -> bool:
    """Whether the lab database may have a row with that value; False only where it has none.

    Asked without SQLAlchemy, whose import takes longer than many a command.
    """
    if os.environ.get(DATABASE_VARIABLE, "").strip():
        return True
    file = (home or data_home()) / FILE_NAME
    if not file.exists():
        return False
    try:
        with closing(open_sqlite(file)) as database:
            question = f'select 1 from "{table}" where "{column}" = ? limit 1'
            return database.execute(question, (value,)).fetchone() is not None
    except (StorageError, sqlite3.Error):
        return True  # whoever opens it as a whole says what is wrong


_OPENING = threading.Lock()
_OPEN: dict[tuple[int, str], LabDatabase] = {}
_FILES: dict[LabDatabase, tuple[int, int]] = {}


def _opened(url: URL | None, path: Path | None) -> LabDatabase:
    database = LabDatabase(_sqlite(path) if path else _postgresql(url), path)  # type: ignore[arg-type]
    try:
        _migrate(database)
    except BaseException:
        database.close()
        raise
    if path is not None:
        status = path.stat()
        _FILES[database] = (status.st_dev, status.st_ino)
    return database


def _replaced(database: LabDatabase) -> bool:
    """Whether the file was removed or put back from a backup: open connections have the old one."""
    if database.path is None:
        return False
    try:
        status = database.path.stat()
    except OSError:
        status = None
    if status is not None and _FILES.get(database) == (status.st_dev, status.st_ino):
        return False
    database.close()
    _FILES.pop(database, None)
    return True


def _url(address: str) -> URL:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    hint = (
        f"Set {DATABASE_VARIABLE} to postgresql://user:password@host:5432/database, or unset it to "
        f"use {FILE_NAME} in the data folder."
    )
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise InvalidInput(f"{DATABASE_VARIABLE} is no database address.", hint=hint) from None
    if url.drivername in ("postgres", "postgresql", "postgresql+psycopg"):
        return url.set(drivername="postgresql+psycopg")
    if url.drivername == "sqlite" and url.database not in (None, "", ":memory:"):
        return url
    raise InvalidInput(
        f"{DATABASE_VARIABLE} begins with {url.drivername}://, which the lab cannot use.", hint=hint
    )


def _sqlite(path: Path) -> Engine:
    """An engine whose connections flush each commit to the disk, and whose writers queue.

    A block that writes takes the write lock at its beginning: one that first reads and then writes
    would fail when another has written in between.
    """
    from sqlalchemy import URL, create_engine, event
    from sqlalchemy.pool import QueuePool

    def connect() -> sqlite3.Connection:
        connection = open_sqlite(path, any_thread=True)
        connection.execute("pragma synchronous=full")
        connection.isolation_level = None
        return connection

    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if not options.get(_READS_ONLY):
            level = "normal" if options.get(_WAITS_NOT) else "full"
            if connection.info.get(_LEVEL) != level:
                connection.exec_driver_sql(f"pragma synchronous={level}")
                connection.info[_LEVEL] = level
        connection.exec_driver_sql("begin" if options.get(_READS_ONLY) else "begin immediate")

    engine = create_engine(
        URL.create("sqlite", database=str(path)), creator=connect, poolclass=QueuePool
    )
    event.listen(engine, "begin", begin)
    return engine


def _postgresql(url: URL) -> Engine:
    """An engine whose connections wait for the disk even where the server's default is not to."""
    from sqlalchemy import create_engine, event

    try:
        engine = create_engine(
            url, pool_pre_ping=True, connect_args={"connect_timeout": _CONNECT_S}
        )
    except ImportError:
        raise MissingExtra.of("PostgreSQL as the lab database", "postgres") from None

    def connected(connection: sqlite3.Connection, _record: object) -> None:
        with_cursor = connection.cursor()
        with_cursor.execute("show synchronous_commit")
        if with_cursor.fetchone()[0] == "off":
            with_cursor.execute("set synchronous_commit to on")
        with_cursor.close()
        connection.commit()

    event.listen(engine, "connect", connected)
    return engine


def _hold(connection: Connection, name: str) -> None:
    """Wait for whoever else holds this name on the server; it is free again when the block ends."""
    from sqlalchemy import func, select

    connection.execute(select(func.pg_advisory_xact_lock(_number(name))))


def _number(name: str) -> int:
    """The number by which a server knows this name."""
    digest = hashlib.sha256(f"rerank-lab {name}".encode()).digest()
    return int.from_bytes(digest[:8], signed=True)


def _migrate(database: LabDatabase) -> None:
    """Bring the tables up to date, in one step: all of it or, when it is interrupted, nothing."""
    with database.reading() as connection:
        revision = _revision(connection)
    if revision == SCHEMA_REVISION:
        return
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory(str(_MIGRATIONS))
    known = {script.revision for script in scripts.walk_revisions()}
    with database.writing("migration") as connection:
        revision = _revision(connection)
        if revision is not None and revision not in known:
            raise StorageError(
                f"A newer version of Rerank Lab has written the lab database {database.name}: it "
                f"has schema {revision}, this version knows up to {SCHEMA_REVISION}.",
                hint="Update Rerank Lab, or choose another database with "
                f"{DATABASE_VARIABLE}. Nothing was changed.",
            )
        if revision != SCHEMA_REVISION:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    from sqlalchemy import inspect, text

    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("select version_num from alembic_version"))
    return revision


def _server_error(error: DBAPIError, url: URL, name: str) -> LabError:
    """What a PostgreSQL server or the way to it says, for people; never with the password."""
    state = getattr(error.orig, "sqlstate", None) or ""
    words = str(error.orig).strip()
    if url.password:
        words = words.replace(str(url.password), "***")
    first_line = words.splitlines()[0] if words else "no reason given"
    if state in _PASSWORD or (not state and "password" in words):
        return StorageError(
            f"The lab database {name} refuses the user {url.username!r} or the password.",
            hint=f"Check the user and the password in {DATABASE_VARIABLE}.",
            details=words,
        )
    if not state or state.startswith(("08", "57P")):
        return StorageError(
            f"The lab database {name} cannot be reached: {first_line}",
            hint="Check that the server runs and that its address in "
            f"{DATABASE_VARIABLE} is right, then try again.",
            details=words,
        )
    if state in _FULL:
        return StorageError(
            f"The disk of the lab database {name} is full or fails: {first_line}",
            hint="Make room on the server, then try again. Nothing of this step was stored.",
            details=words,
        )
    if state in _DENIED:
        return StorageError(
            f"The lab database {name} does not let {url.username!r} write: {first_line}",
            hint="Give that user the right to create and write tables there.",
            details=words,
        )
    if state == _TOO_LONG:
        return InvalidInput(
            "A name or an id is too long for the lab database.",
            hint="Ids together may have some 2,000 characters.",
            details=words,
        )
    return StorageError(
        f"The lab database {name} reports an error: {first_line}",
        hint="Try again; if it stays, look into the server's log.",
        details=words,
    )
