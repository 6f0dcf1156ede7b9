"""The folders in which earlier versions kept experiments: read, never written.

`experiments/<id>/` holds the design as `manifest.json` and one line of JSON for each cell in
`cells.jsonl`. A killed run may have left a line cut short; the last line of a cell counts.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rerank_lab.core.errors import LabError
from rerank_lab.core.text import load_json
from rerank_lab.evaluation.experiments.cells import Cell, Design

_log = logging.getLogger(__name__)
_MANIFEST = "manifest.json"
_CELLS = "cells.jsonl"
ID = re.compile(r"[0-9a-f]{8,64}")
"""What the id of an experiment looks like."""


@dataclass(frozen=True, slots=True)
class ExperimentFolder:
    """The folder of one experiment."""

    path: Path

    @property
    def id(self) -> str:
        """The id of the experiment."""
        return self.path.name

    @property
    def updated(self) -> float:
        """Seconds since 1970, of the last cell; 0 without one."""
        try:
            state = (self.path / _CELLS).stat()
        except OSError:
            return 0.0
        return state.st_mtime if state.st_size else 0.0

    def design(self) -> Design | None:
        """The design, or None when there is no readable manifest."""
        try:
            return Design.from_json(load_json((self.path / _MANIFEST).read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            _log.warning("The manifest in %s cannot be read: %s", self.path, error)
            return None

    def cells(self) -> dict[tuple[str, str], Cell]:
        """Every readable cell by query id and pipeline.

        Raises:
            OSError: the file is there and cannot be read.
        """
        cells: dict[tuple[str, str], Cell] = {}
        try:
            with (self.path / _CELLS).open("rb") as stream:
                for line in filter(bytes.strip, stream):
                    try:
                        cell = Cell.from_json(load_json(line))
                    except (ValueError, LabError):
                        _log.warning("A cell in %s cannot be read; it is run again.", self.path)
                        continue
                    cells[cell.query_id, cell.pipeline] = cell
        except FileNotFoundError:
            pass
        return cells


def experiment_folders(home: Path) -> Iterator[ExperimentFolder]:
    """The folders of experiments in a data folder."""
    root = home / "experiments"
    for path in root.iterdir() if root.is_dir() else ():
        if ID.fullmatch(path.name) and path.is_dir():
            yield ExperimentFolder(path)


def experiment_folder(home: Path, experiment_id: str) -> ExperimentFolder | None:
    """The folder for an id; None when there is none."""
    path = home / "experiments" / experiment_id
    return ExperimentFolder(path) if path.is_dir() else None
