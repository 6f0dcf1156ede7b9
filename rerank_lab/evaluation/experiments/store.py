"""Experiments on disk: `experiments/<id>/` with a manifest and one line of JSON for each cell.

Cells are appended and flushed as they finish, so a killed run loses at most the cell at work. A
line cut short is dropped when the file is read, and that cell is run again. Several processes may
run the same experiment: each appends whole lines, under a lock, and the last line of a cell counts.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import msgspec

from rerank_lab.components.registry import current_spec
from rerank_lab.core.errors import InvalidInput, LabError, StorageError
from rerank_lab.core.paths import data_home
from rerank_lab.core.storage import disk_errors, file_lock, write_file
from rerank_lab.core.text import load_json
from rerank_lab.evaluation.experiments.cells import Cell, Design
from rerank_lab.evaluation.experiments.evaluation import Evaluation, score

_log = logging.getLogger(__name__)
_MANIFEST = "manifest.json"
_CELLS = "cells.jsonl"
_FORMAT = 1
_ID = re.compile(r"[0-9a-f]{8,64}")

CellKey = tuple[str, str]
"""Query id and pipeline spec."""


@dataclass(frozen=True, slots=True)
class ExperimentEntry:
    """One experiment of the list. `cells` counts those with a result, each once."""

    design: Design
    cells: int
    updated: float
    """Seconds since 1970, of the last cell; 0 without one."""

    @property
    def id(self) -> str:
        """The id of the experiment."""
        return self.design.id


class ExperimentFolder:
    """The folder of one experiment."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._cells = path / _CELLS

    def open(self, design: Design) -> Design:
        """Write the manifest, keeping the date of an earlier one; returns the design as written.

        Raises StorageError when the folder cannot be written.
        """
        known = self.design()
        if known is not None:
            design = replace(design, created_at=known.created_at)
        manifest = json.dumps({"format": _FORMAT} | design.to_json())
        write_file(self.path / _MANIFEST, manifest)
        with file_lock(self._cells), disk_errors(self._cells):
            _cut_torn_line(self._cells)
        return design

    def design(self) -> Design | None:
        """The design, or None when there is no readable manifest."""
        try:
            return Design.from_json(load_json((self.path / _MANIFEST).read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            _log.warning("The manifest in %s cannot be read: %s", self.path, error)
            return None

    def cells(self) -> dict[CellKey, Cell]:
        """Every readable cell; the last of those with the same query and pipeline counts."""
        return self.cells_from(0)[0]

    def cells_from(self, offset: int) -> tuple[dict[CellKey, Cell], int]:
        """The readable cells behind `offset` bytes, and the offset behind the last whole line."""
        cells: dict[CellKey, Cell] = {}
        for line in _lines(self._cells, offset):
            if line.endswith(b"\n"):
                offset += len(line)
            if not line.strip():
                continue
            try:
                cell = Cell.from_json(load_json(line))
            except (ValueError, LabError):
                _log.warning("A cell in %s cannot be read; it will be run again.", self.path)
                continue
            cells[cell.query_id, cell.pipeline] = cell
        return cells, offset

    @contextmanager
    def turn(self) -> Iterator[bool]:
        """True inside for one process that runs this experiment, False for others at that time."""
        with ExitStack() as stack:
            try:
                stack.enter_context(file_lock(self.path / "run", timeout_s=0))
            except StorageError:
                yield False
            else:
                yield True

    def add(self, cell: Cell) -> None:
        """Append a cell; it is on its way to the disk when the call returns.

        Raises StorageError when it cannot be written.
        """
        line = json.dumps(cell.to_json(), separators=(",", ":")).encode() + b"\n"
        with file_lock(self._cells), disk_errors(self._cells):
            _cut_torn_line(self._cells)
            with self._cells.open("ab", buffering=0) as stream:
                stream.write(line)

    def count(self) -> int:
        """How many cells have a result, those run several times counted once."""
        return _count(self._cells, self.signature())

    def signature(self) -> tuple[int, int]:
        """Size and time of change (nanoseconds since 1970) of the cells; zeros without any."""
        try:
            state = self._cells.stat()
        except FileNotFoundError:
            return 0, 0
        return state.st_size, state.st_mtime_ns


class _CellKeyRecord(msgspec.Struct):
    query_id: str
    pipeline: str


def experiment_folder(home: Path, experiment_id: str) -> ExperimentFolder:
    """The folder for an id. Raises InvalidInput for what cannot be an id."""
    if not _ID.fullmatch(experiment_id):
        raise InvalidInput(
            f"{experiment_id[:80]!r} is not the id of an experiment.",
            hint="Choose one of the list of kept evaluations.",
        )
    return ExperimentFolder(home / "experiments" / experiment_id)


def list_experiments(home: Path | None = None) -> list[ExperimentEntry]:
    """What is kept in the data folder, the latest first."""
    root = (home or data_home()) / "experiments"
    entries: list[ExperimentEntry] = []
    for path in root.iterdir() if root.is_dir() else ():
        folder = ExperimentFolder(path)
        design = folder.design() if _ID.fullmatch(path.name) else None
        if design is not None:
            entries.append(ExperimentEntry(design, folder.count(), folder.signature()[1] / 1e9))
    return sorted(entries, key=lambda entry: (-entry.updated, entry.id))


def load_experiment(experiment_id: str, home: Path | None = None) -> Evaluation:
    """The results of a kept experiment, finished or not, without running anything."""
    folder = experiment_folder(home or data_home(), experiment_id)
    design = folder.design()
    if design is None:
        raise InvalidInput(
            f"There is no experiment {experiment_id!r} in the data folder.",
            hint="Choose one of the list of kept evaluations, or run it again.",
        )
    keys = {(query.id, spec) for query in design.queries for spec in design.pipelines}
    return score(design, (cell for key, cell in folder.cells().items() if key in keys))


def delete_experiment(experiment_id: str, home: Path | None = None) -> None:
    """Remove an experiment and its cells; unknown ids are nothing to remove.

    Raises StorageError when it cannot be removed.
    """
    path = experiment_folder(home or data_home(), experiment_id).path
    with disk_errors(path):
        if path.exists():
            shutil.rmtree(path)


def _lines(file: Path, offset: int = 0) -> Iterator[bytes]:
    try:
        with file.open("rb") as stream:
            stream.seek(offset)
            yield from stream
    except FileNotFoundError:
        return


@lru_cache(maxsize=256)
def _count(file: Path, signature: tuple[int, int]) -> int:
    """Different cells in a file; `signature` makes a changed file be read again."""
    keys = set()
    for line in filter(bytes.strip, _lines(file)):
        try:
            key = msgspec.json.decode(line, type=_CellKeyRecord)
        except ValueError:
            continue
        keys.add((key.query_id, current_spec(key.pipeline)))
    return len(keys)


def _cut_torn_line(file: Path) -> None:
    """Drop what a killed run left behind the last line end, so that the next line is whole."""
    try:
        stream = file.open("rb+")
    except FileNotFoundError:
        return
    with stream:
        end = size = stream.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - (1 << 16))
            stream.seek(start)
            newline = stream.read(end - start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        if end < size:
            stream.truncate(end)
