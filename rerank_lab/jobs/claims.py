"""One process at a time works on a thing, though several know it: claims in the lab database.

A claim is a lease. Whoever holds it extends it while at work and writes how far it is; the others
wait and tell that to their visitors. A process that is killed extends nothing: when its lease has
ended, the first of those who wait goes on.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select, update

from rerank_lab.core.context import CancelToken, Context, Progress
from rerank_lab.core.database import LabDatabase, open_database
from rerank_lab.core.errors import Cancelled, StorageError
from rerank_lab.jobs.tables import JOB_CLAIMS

R = TypeVar("R")
_log = logging.getLogger(__name__)
LEASE_S = 15.0
"""How long others wait for a process of which nothing is heard."""
_BEATS = 5
"""So often is a lease extended in its time."""
_LOOK_S = 0.5


def claimed(
    name: str, ctx: Context, work: Callable[[Context, bool], R], home: Path | None = None
) -> R:
    """What `work` gives, done by one process at a time.

    Args:
        name: of what is worked on, the same in all processes.
        ctx: its cancel ends the waiting, and the work; its progress hears of both.
        work: is given its context, and whether another process was at work before.
        home: the data folder; by default that of this process.

    Raises:
        Cancelled, DeadlineExceeded: by the context; another process goes on.
        StorageError: the lab database cannot be read or written.
        LabError: of the work.
    """
    database = open_database(home)
    waited = False
    while True:
        claim = _Claim(database, name)
        while not claim.take():
            waited = True
            claim.tell(ctx)
            ctx.checkpoint()
            time.sleep(_LOOK_S)
        with claim.extended(ctx) as inner:
            try:
                return work(inner, waited)
            except Cancelled:
                if not claim.lost or ctx.cancel.cancelled:
                    raise
        _log.warning("Another process has gone on with %s, because this one was not heard.", name)
        waited = True


@dataclass
class _Claim:
    """The claim of this process on a name, and what it writes there."""

    database: LabDatabase
    name: str
    owner: str = field(default_factory=lambda: uuid.uuid4().hex)
    progress: Progress = field(default_factory=lambda: Progress("starting"))
    lost: bool = False

    def take(self) -> bool:
        """Whether it is ours now: nobody held it, or the lease of who did has ended."""
        with self.database.writing(f"claim {self.name}") as connection:
            row, now = self._row(connection)
            if row is not None and row.lease_ends_at > now:
                return False
            values = {"owner": self.owner, "lease_ends_at": now + LEASE_S, "message": "starting"}
            numbers = {"done": 0, "total": 0}
            if row is None:
                connection.execute(insert(JOB_CLAIMS).values(name=self.name, **values, **numbers))
            else:
                connection.execute(
                    update(JOB_CLAIMS).where(self._mine(row.owner)).values(**values, **numbers)
                )
        return True

    def tell(self, ctx: Context) -> None:
        """Report what the process that holds it is at."""
        with self.database.reading() as connection:
            row, _ = self._row(connection)
        if row is not None:
            ctx.report(f"at work in another process: {row.message}", row.done, row.total)

    @contextmanager
    def extended(self, ctx: Context) -> Iterator[Context]:
        """Hold it inside: the context notes its progress, and is cancelled if it is lost."""
        token, ended = CancelToken(ctx.cancel), threading.Event()

        def progress(now: Progress) -> None:
            self.progress = now
            ctx.progress(now)

        beating = threading.Thread(
            target=self._beat, args=(token, ended), name="rerank-lab-claim", daemon=True
        )
        beating.start()
        try:
            yield replace(ctx, cancel=token, progress=progress)
        finally:
            ended.set()
            beating.join(LEASE_S)
            self._give_up()

    def _beat(self, token: CancelToken, ended: threading.Event) -> None:
        while not ended.wait(LEASE_S / _BEATS):
            try:
                self.lost = not self._extend()
            except StorageError as error:
                _log.warning("The claim on %s is not extended: %s", self.name, error.message)
            if self.lost:
                token.cancel()
                return

    def _extend(self) -> bool:
        """Whether it is still ours."""
        now = self.progress
        with self.database.writing_soon() as connection:
            values = {
                "lease_ends_at": _clock(connection) + LEASE_S,
                "message": now.message,
                "done": now.done,
                "total": now.total,
            }
            extended = update(JOB_CLAIMS).where(self._mine(self.owner)).values(**values)
            return bool(connection.execute(extended.returning(JOB_CLAIMS.c.name)).first())

    def _give_up(self) -> None:
        try:
            with self.database.writing_soon() as connection:
                connection.execute(delete(JOB_CLAIMS).where(self._mine(self.owner)))
        except StorageError as error:  # the lease ends by itself
            _log.warning("The claim on %s is not given up: %s", self.name, error.message)

    def _row(self, connection: Connection) -> tuple[Row[tuple[object, ...]] | None, float]:
        query = select(JOB_CLAIMS).where(JOB_CLAIMS.c.name == self.name)
        return connection.execute(query).first(), _clock(connection)

    def _mine(self, owner: str) -> ColumnElement[bool]:
        return (JOB_CLAIMS.c.name == self.name) & (JOB_CLAIMS.c.owner == owner)


def _clock(connection: Connection) -> float:
    """Seconds since 1970: of the server, so that clocks of several machines need not agree."""
    if connection.dialect.name == "sqlite":
        return time.time()
    return float(connection.scalar(select(func.extract("epoch", func.clock_timestamp()))) or 0.0)
