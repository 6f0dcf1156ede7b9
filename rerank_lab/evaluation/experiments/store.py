"""Experiments in the lab database: a row for the design, and one for each cell.

Cells are written when they finish, quick ones together: a killed run loses at most the cell at work
and those of the fiftieth of a second before, of which nobody has been told yet. Several processes
may run the same experiment; of a cell that was run twice the last answer counts. What earlier
versions kept in folders is taken over when it is met first; the folders stay.
"""

from __future__ import annotations

import gc
import logging
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import (
    Connection,
    Row,
    Select,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from rerank_lab.core.database import LabDatabase, known_database, open_database
from rerank_lab.core.errors import InvalidInput, LabError, StorageError
from rerank_lab.core.paths import data_home
from rerank_lab.core.storage import disk_errors
from rerank_lab.evaluation.experiments.cells import Cell, Design
from rerank_lab.evaluation.experiments.environment import Environment, merged
from rerank_lab.evaluation.experiments.evaluation import Evaluation, score
from rerank_lab.evaluation.experiments.folders import (
    ID,
    ExperimentFolder,
    experiment_folder,
    experiment_folders,
)
from rerank_lab.evaluation.experiments.packing import (
    packed_cell,
    packed_design,
    unpacked_cell,
    unpacked_design,
)
from rerank_lab.evaluation.tables import EXPERIMENT_CELLS, EXPERIMENTS, STUDIES

_log = logging.getLogger(__name__)
_DESIGNS_IN_MEMORY = 64

CellKey = tuple[str, str]
"""Query id and pipeline spec."""


@dataclass(frozen=True, slots=True)
class ExperimentEntry:
    """One experiment of the list.

    Attributes:
        design: what it is about.
        cells: how many of its cells have a result.
        updated: seconds since 1970, of the last cell; 0 without one.
        name: what people call it; "" without a name.
        tags: what people sort it by.
        note: what people want to remember of it.
        archived: whether it is put away: kept, but not in the way.
        cloned_from: the id of the experiment that it is a copy of; "" for none.
    """

    design: Design
    cells: int
    updated: float
    name: str = ""
    tags: tuple[str, ...] = ()
    note: str = ""
    archived: bool = False
    cloned_from: str = ""

    @property
    def id(self) -> str:
        """The id of the experiment."""
        return self.design.id


@dataclass(frozen=True, slots=True)
class RecordState:
    """How far an experiment is: the number of changes so far, and when its last cell came.

    What was read of it holds as long as its state is the same.
    """

    changes: int = 0
    changed_at: float = 0.0


class ExperimentRecord:
    """What the lab database keeps of one experiment.

    Args:
        experiment_id: its id.
        home: the data folder; by default that of this process.

    Raises:
        InvalidInput: this cannot be an id.
    """

    def __init__(self, experiment_id: str, home: Path | None = None) -> None:
        if not ID.fullmatch(experiment_id):
            raise InvalidInput(
                f"{experiment_id[:80]!r} is not the id of an experiment.",
                hint="Choose one of the list of kept evaluations.",
            )
        self.id = experiment_id
        self._home = home or data_home()
        self._mine = EXPERIMENTS.c.experiment_id == experiment_id

    def open(self, design: Design) -> Design:
        """Write the design, with the date of an earlier one; gives the design as written.

        Raises:
            InvalidInput, MissingExtra, StorageError: as `open_database` does; the database cannot
                be written, or holds something else under this id.
        """
        self._take_over()
        with open_database(self._home).writing(f"experiment {self.id}") as connection:
            row = connection.execute(select(EXPERIMENTS).where(self._mine)).first()
            if row is None:
                _insert(connection, design)
                return design
            known = _design(self.id, row.design)
            if _Places.of(known) != _Places.of(design):
                raise StorageError(
                    f"The lab database holds other queries or pipelines under the id {self.id}.",
                    hint="Delete that experiment, then run this one again.",
                )
            design = replace(design, created_at=known.created_at)
            content = packed_design(design)
            if content != row.design:
                values = {"design": content, "changes": EXPERIMENTS.c.changes + 1}
                connection.execute(update(EXPERIMENTS).where(self._mine).values(values))
        return design

    def design(self) -> Design | None:
        """The design; None when there is none.

        Raises:
            StorageError: the database cannot be read, or this design is damaged.
        """
        content = self._first(select(EXPERIMENTS.c.design).where(self._mine))
        return None if content is None else _design(self.id, content[0])

    def state(self) -> RecordState:
        """How far it is, without reading it."""
        columns = (EXPERIMENTS.c.changes, EXPERIMENTS.c.changed_at)
        row = self._first(select(*columns).where(self._mine))
        return RecordState() if row is None else RecordState(*row)

    def cells_since(self, design: Design, changes: int = 0) -> tuple[dict[CellKey, Cell], int]:
        """The cells that were written after so many changes, and how many there are now.

        Args:
            design: of the experiment.
            changes: 0 for all cells.
        """
        database = known_database(self._home)
        if database is None:
            return {}, changes
        table = EXPERIMENT_CELLS
        of_experiment = select(EXPERIMENTS.c.row_id).where(self._mine).scalar_subquery()
        query = select(table.c.query, table.c.pipeline, table.c.change, table.c.content).where(
            table.c.experiment == of_experiment, table.c.change > changes
        )
        cells: dict[CellKey, Cell] = {}
        with database.reading() as connection:
            rows = connection.execute(query).all()
        with _no_collection():
            for place, of_pipeline, change, content in rows:
                changes = max(changes, change)
                try:
                    key = design.queries[place].id, design.pipelines[of_pipeline]
                    cells[key] = unpacked_cell(*key, content)
                except (ValueError, IndexError, LabError) as error:
                    _log.warning("A cell of the experiment %s is run again: %s", self.id, error)
        return cells, changes

    @contextmanager
    def turn(self) -> Iterator[bool]:
        """True inside for one process that runs this experiment, False for others at that time."""
        with open_database(self._home).turn(f"experiment {self.id}") as first:
            yield first

    def writer(self, design: Design) -> CellWriter:
        """Writes the cells of the design that is open."""
        return CellWriter(open_database(self._home), self.id, _Places.of(design))

    def environments(self) -> tuple[Environment, ...]:
        """The environments that its answers came from, oldest first; none where none is known."""
        row = self._first(select(EXPERIMENTS.c.environment).where(self._mine))
        return () if row is None else _environments(row[0])

    def add_environment(self, environment: Environment, *, alone: bool = False) -> None:
        """Write where answers come from now.

        Args:
            environment: of this process.
            alone: whether all answers come from it, so that earlier ones count no longer.

        Raises:
            StorageError: the database cannot be written.
        """
        with open_database(self._home).writing(f"experiment {self.id}") as connection:
            written = connection.scalar(select(EXPERIMENTS.c.environment).where(self._mine))
            earlier = () if alone else _environments(written or "")
            values = merged(earlier, environment)
            content = msgspec.json.encode(values).decode()
            connection.execute(update(EXPERIMENTS).where(self._mine).values(environment=content))

    def _first(self, query: Select[Any]) -> Row[Any] | None:
        """The first row of the answer, once this experiment is in the database."""
        self._take_over()
        database = known_database(self._home)
        if database is None:
            return None
        with database.reading() as connection:
            return connection.execute(query).first()

    def _take_over(self) -> None:
        folder = experiment_folder(self._home, self.id)
        if folder is not None:
            database = open_database(self._home)
            with database.reading() as connection:
                known = connection.scalar(select(EXPERIMENTS.c.row_id).where(self._mine))
            if known is None:
                _take_over(database, folder)


@contextmanager
def _no_collection() -> Iterator[None]:
    """No garbage collection inside: walking through what was just read takes as long as reading.

    Of 8,000 cells with 100 hits each, 800,000 values that live on, it took two fifths of the time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@dataclass(frozen=True, slots=True)
class CellWriter:
    """Writes the cells of one experiment."""

    _database: LabDatabase
    _experiment_id: str
    _places: _Places

    def add(self, cell: Cell) -> None:
        """As `add_all`, for one cell."""
        self.add_all([cell])

    def add_all(self, cells: Sequence[Cell]) -> int:
        """Write cells; a process that is killed afterwards has not lost them.

        Returns:
            How many changes of the experiment there are now.

        Raises:
            StorageError: they cannot be written, or the experiment was deleted meanwhile.
        """
        contents = [packed_cell(cell) for cell in cells]
        with self._database.writing_soon() as connection:
            # This row is locked from here on: cells come one after another, in this order.
            counted = {"of": self._experiment_id, "now": time.time(), "cells": len(cells)}
            row = connection.execute(_COUNTED, counted).first()
            if row is None:
                raise StorageError(
                    "The experiment was deleted while it ran.",
                    hint="Run it again to keep its results.",
                )
            first = row.changes - len(cells) + 1
            values = [
                self._places.values(row.row_id, cell, first + place, content)
                for place, (cell, content) in enumerate(zip(cells, contents, strict=True))
            ]
            connection.execute(_REMOVED, values)
            connection.execute(_INSERTED, values)
        return int(row.changes)


# Statements made once: making them takes longer than running them.
_COUNTED = (
    update(EXPERIMENTS)
    .where(EXPERIMENTS.c.experiment_id == bindparam("of"))
    .values(changes=EXPERIMENTS.c.changes + bindparam("cells"), changed_at=bindparam("now"))
    .returning(EXPERIMENTS.c.row_id, EXPERIMENTS.c.changes)
)
_INSERTED = insert(EXPERIMENT_CELLS)
_REMOVED = delete(EXPERIMENT_CELLS).where(
    *(EXPERIMENT_CELLS.c[name] == bindparam(name) for name in ("experiment", "query", "pipeline"))
)


def list_experiments(home: Path | None = None) -> list[ExperimentEntry]:
    """What is kept, the latest first; archived ones too.

    Raises:
        InvalidInput, MissingExtra, StorageError: as `open_database` does.
    """
    home = home or data_home()
    folders = list(experiment_folders(home))
    database = open_database(home) if folders else known_database(home)
    if database is None:
        return []
    if folders:
        with database.reading() as connection:
            known = set(connection.scalars(select(EXPERIMENTS.c.experiment_id)))
        for folder in folders:
            if folder.id not in known:
                _take_over(database, folder)
    cells = select(func.count()).where(EXPERIMENT_CELLS.c.experiment == EXPERIMENTS.c.row_id)
    query = select(EXPERIMENTS, cells.scalar_subquery().label("cells"))
    with database.reading() as connection:
        rows = connection.execute(query).all()
    entries = []
    for row in rows:
        try:
            entries.append(_entry(row))
        except StorageError as error:
            _log.warning("%s", error.message)
    return sorted(entries, key=lambda entry: (-entry.updated, entry.id))


def environments_of_all(home: Path | None = None) -> dict[str, tuple[Environment, ...]]:
    """The environments of every kept experiment that has some, by its id.

    Raises:
        InvalidInput, MissingExtra, StorageError: as `open_database` does.
    """
    database = known_database(home)
    if database is None:
        return {}
    columns = (EXPERIMENTS.c.experiment_id, EXPERIMENTS.c.environment)
    with database.reading() as connection:
        rows = connection.execute(select(*columns).where(EXPERIMENTS.c.environment != "")).all()
    return {experiment_id: _environments(written) for experiment_id, written in rows}


def load_experiment(experiment_id: str, home: Path | None = None) -> Evaluation:
    """The results of a kept experiment, finished or not, without running anything.

    Raises:
        InvalidInput: there is no such experiment, or the database has no usable address.
        StorageError: the database or the experiment in it cannot be read.
    """
    record = ExperimentRecord(experiment_id, home)
    design = record.design()
    if design is None:
        raise InvalidInput(
            f"There is no experiment {experiment_id!r} in the lab database.",
            hint="Choose one of the list of kept evaluations, or run it again.",
        )
    return score(design, record.cells_since(design)[0].values())


def delete_experiment(experiment_id: str, home: Path | None = None) -> None:
    """Remove an experiment, its cells and its studies; unknown ids are nothing to remove.

    Raises:
        StorageError: it cannot be removed.
    """
    record = ExperimentRecord(experiment_id, home)
    home = home or data_home()
    folder = experiment_folder(home, record.id)
    if folder is not None:
        with disk_errors(folder.path):
            shutil.rmtree(folder.path)
    database = known_database(home)
    if database is None:
        return
    mine = EXPERIMENTS.c.experiment_id == record.id
    with database.writing(f"experiment {record.id}") as connection:
        row_id = connection.scalar(select(EXPERIMENTS.c.row_id).where(mine))
        connection.execute(delete(EXPERIMENTS).where(mine))
        connection.execute(delete(EXPERIMENT_CELLS).where(EXPERIMENT_CELLS.c.experiment == row_id))
        connection.execute(delete(STUDIES).where(STUDIES.c.experiment_id == record.id))


def _take_over(database: LabDatabase, folder: ExperimentFolder) -> None:
    """Bring what a folder of an earlier version holds into the database, all of it or nothing."""
    design = folder.design()
    if design is None:
        return
    with disk_errors(folder.path):
        cells = folder.cells()
    rows = [
        cells[query.id, spec]
        for query in design.queries
        for spec in design.pipelines
        if (query.id, spec) in cells
    ]
    with database.writing(f"experiment {design.id}") as connection:
        mine = EXPERIMENTS.c.experiment_id == folder.id
        if connection.scalar(select(EXPERIMENTS.c.row_id).where(mine)) is not None:
            return
        design = replace(design, id=folder.id)
        row_id = _insert(connection, design, len(rows), folder.updated)
        _insert_cells(connection, row_id, design, rows)


def _insert(
    connection: Connection, design: Design, changes: int = 0, changed_at: float = 0.0
) -> int:
    """A row for a new experiment; gives its number."""
    values = {
        "experiment_id": design.id,
        "design": packed_design(design),
        "changes": changes,
        "changed_at": changed_at,
        "name": "",
        "tags": "[]",
        "note": "",
        "archived": False,
        "cloned_from": "",
        "environment": "",
    }
    inserted = insert(EXPERIMENTS).values(values).returning(EXPERIMENTS.c.row_id)
    return int(connection.execute(inserted).scalar_one())


def _insert_cells(
    connection: Connection, row_id: int, design: Design, cells: Sequence[Cell]
) -> None:
    """Rows for the first cells of an experiment."""
    places = _Places.of(design)
    values = [
        places.values(row_id, cell, change, packed_cell(cell))
        for change, cell in enumerate(cells, 1)
    ]
    if values:
        connection.execute(insert(EXPERIMENT_CELLS), values)


@dataclass(frozen=True, slots=True)
class _Places:
    """Where queries and pipelines stand in a design."""

    queries: Mapping[str, int]
    pipelines: Mapping[str, int]

    @classmethod
    def of(cls, design: Design) -> _Places:
        return cls(
            {query.id: place for place, query in enumerate(design.queries)},
            {spec: place for place, spec in enumerate(design.pipelines)},
        )

    def values(self, row_id: int, cell: Cell, change: int, content: bytes) -> dict[str, Any]:
        """The row of a cell."""
        return {
            "experiment": row_id,
            "query": self.queries[cell.query_id],
            "pipeline": self.pipelines[cell.pipeline],
            "change": change,
            "content": content,
        }


def _entry(row: Row[Any]) -> ExperimentEntry:
    return ExperimentEntry(
        _design(row.experiment_id, row.design),
        row.cells,
        row.changed_at,
        row.name,
        tuple(msgspec.json.decode(row.tags, type=list[str])),
        row.note,
        row.archived,
        row.cloned_from,
    )


def _environments(written: str) -> tuple[Environment, ...]:
    """Those of a row; none of what a later version wrote in another way."""
    try:
        return msgspec.json.decode(written or "[]", type=tuple[Environment, ...])
    except ValueError:
        return ()


@lru_cache(maxsize=_DESIGNS_IN_MEMORY)
def _design(experiment_id: str, content: bytes) -> Design:
    try:
        return unpacked_design(content)
    except ValueError as error:
        raise StorageError(
            f"The design of the experiment {experiment_id} is damaged or of a later version.",
            hint="Update Rerank Lab, or delete this experiment.",
            details=str(error),
        ) from None
