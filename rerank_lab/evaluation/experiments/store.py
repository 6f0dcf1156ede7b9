"""Experiments on disk: `experiments/<id>/` with a manifest and one line of JSON for each cell.

Cells are appended and flushed as they finish, so a killed run loses at most the cell at work. A
line cut short is dropped when the file is read, and that cell is run again.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rerank_lab.core.errors import InvalidInput, LabError
from rerank_lab.core.paths import data_home
from rerank_lab.core.storage import write_file
from rerank_lab.evaluation.experiments.cells import Cell, Design
from rerank_lab.evaluation.experiments.evaluation import Evaluation, score

_log = logging.getLogger(__name__)
_MANIFEST = "manifest.json"
_CELLS = "cells.jsonl"
_FORMAT = 1
_ID = re.compile(r"[0-9a-f]{8,64}")

Key = tuple[str, str]
"""Query id and pipeline spec."""


@dataclass(frozen=True, slots=True)
class ExperimentEntry:
    """One experiment of the list. `cells` counts lines kept, cells run again included."""

    design: Design
    cells: int
    updated: float
    """Seconds since 1970, of the last cell."""

    @property
    def id(self) -> str:
        return self.design.id


class Folder:
    """The folder of one experiment."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self, design: Design) -> Design:
        """Write the manifest, keeping the date of an earlier one; returns the design as kept."""
        known = self.design()
        if known is not None:
            design = replace(design, created_at=known.created_at)
        manifest = json.dumps({"format": _FORMAT} | design.to_json())
        write_file(self.path / _MANIFEST, manifest)
        return design

    def design(self) -> Design | None:
        """The design, or None when there is no readable manifest."""
        try:
            return Design.from_json(json.loads((self.path / _MANIFEST).read_text("utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as fault:
            _log.warning("The manifest in %s cannot be read: %s", self.path, fault)
            return None

    def cells(self) -> dict[Key, Cell]:
        """Every readable cell; the last of those with the same query and pipeline counts."""
        cells: dict[Key, Cell] = {}
        for line in self._lines():
            try:
                cell = Cell.from_json(json.loads(line))
            except (ValueError, KeyError, TypeError, LabError):
                _log.warning("A cell in %s cannot be read; it will be run again.", self.path)
                continue
            cells[cell.query_id, cell.pipeline] = cell
        return cells

    def count(self) -> tuple[int, float]:
        """Lines of cells, and when the last one was written (0.0 when there are none)."""
        file = self.path / _CELLS
        if not file.exists():
            return 0, 0.0
        with file.open("rb") as stream:
            lines = sum(chunk.count(b"\n") for chunk in iter(lambda: stream.read(1 << 20), b""))
        return lines, file.stat().st_mtime

    @contextmanager
    def appending(self) -> Iterator[Callable[[Cell], None]]:
        """A function that adds a cell; each is on its way to the disk when the call returns."""
        file = self.path / _CELLS
        _cut_torn_line(file)
        with file.open("ab", buffering=0) as stream:

            def add(cell: Cell) -> None:
                shown: dict[str, Any] = cell.to_json()
                stream.write(json.dumps(shown, separators=(",", ":")).encode() + b"\n")

            yield add

    def _lines(self) -> Iterator[bytes]:
        try:
            with (self.path / _CELLS).open("rb") as stream:
                yield from (line for line in stream if line.strip())
        except FileNotFoundError:
            return


def experiment_folder(home: Path, experiment_id: str) -> Folder:
    """The folder for an id. Raises InvalidInput for what cannot be an id."""
    if not _ID.fullmatch(experiment_id):
        raise InvalidInput(
            f"{experiment_id[:80]!r} is not the id of an experiment.",
            hint="Choose one of the list on the Evaluate page.",
        )
    return Folder(home / "experiments" / experiment_id)


def list_experiments(home: Path | None = None) -> list[ExperimentEntry]:
    """What is kept in the data folder, the latest first."""
    root = (home or data_home()) / "experiments"
    entries: list[ExperimentEntry] = []
    for path in root.iterdir() if root.is_dir() else ():
        folder = Folder(path)
        design = folder.design() if _ID.fullmatch(path.name) else None
        if design is not None:
            entries.append(ExperimentEntry(design, *folder.count()))
    return sorted(entries, key=lambda entry: (-entry.updated, entry.id))


def load_experiment(experiment_id: str, home: Path | None = None) -> Evaluation:
    """The results of a kept experiment, finished or not, without running anything."""
    folder = experiment_folder(home or data_home(), experiment_id)
    design = folder.design()
    if design is None:
        raise InvalidInput(
            f"There is no experiment {experiment_id!r} in the data folder.",
            hint="Choose one of the list on the Evaluate page, or run it again.",
        )
    wanted = {(query.id, spec) for query in design.queries for spec in design.pipelines}
    return score(design, (cell for key, cell in folder.cells().items() if key in wanted))


def delete_experiment(experiment_id: str, home: Path | None = None) -> None:
    """Remove an experiment and its cells; unknown ids are nothing to remove."""
    shutil.rmtree(experiment_folder(home or data_home(), experiment_id).path, ignore_errors=True)


def _cut_torn_line(file: Path) -> None:
    """Drop what a killed run left behind the last line end, so that the next line is whole."""
    if not file.exists():
        return
    with file.open("rb+") as stream:
        end = stream.seek(0, os.SEEK_END)
        kept = end
        while kept:
            start = max(0, kept - (1 << 20))
            stream.seek(start)
            newline = stream.read(kept - start).rfind(b"\n")
            if newline >= 0:
                kept = start + newline + 1
                break
            kept = start
        if kept < end:
            stream.truncate(kept)
