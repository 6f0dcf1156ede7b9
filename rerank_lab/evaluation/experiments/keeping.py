"""What people write on kept experiments, and copies of them."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import insert, literal, select, update

from rerank_lab.core.database import open_database
from rerank_lab.core.errors import InvalidInput
from rerank_lab.evaluation.experiments.packing import packed_design
from rerank_lab.evaluation.experiments.store import ExperimentRecord
from rerank_lab.evaluation.tables import EXPERIMENT_CELLS, EXPERIMENTS, STUDIES


def describe_experiment(
    experiment_id: str,
    home: Path | None = None,
    *,
    name: str | None = None,
    tags: tuple[str, ...] | None = None,
    note: str | None = None,
    archived: bool | None = None,
) -> None:
    """Write what is given on a kept experiment; what is None stays as it is.

    Raises:
        InvalidInput: there is no such experiment.
        StorageError: the database cannot be reached or written.
    """
    _require(experiment_id, home)
    values: dict[str, Any] = {"name": name, "note": note, "archived": archived}
    values["tags"] = None if tags is None else msgspec.json.encode(tags).decode()
    given = {key: value for key, value in values.items() if value is not None}
    mine = EXPERIMENTS.c.experiment_id == experiment_id
    if given:
        with open_database(home).writing(f"experiment {experiment_id}") as connection:
            connection.execute(update(EXPERIMENTS).where(mine).values(given))


def copy_experiment(experiment_id: str, name: str, home: Path | None = None) -> str:
    """A copy with everything that is known so far, under an id of its own, which is given.

    Evaluating the same again leaves the copy as it is; going on with the copy leaves the original.

    Raises:
        InvalidInput: there is no such experiment.
        StorageError: the database cannot be reached or written.
    """
    design = _require(experiment_id, home).design()
    assert design is not None
    copy_id = hashlib.sha256(f"{experiment_id} {uuid.uuid4().hex}".encode()).hexdigest()[:20]
    changed: Mapping[str, Any] = {
        "experiment_id": copy_id,
        "design": packed_design(replace(design, id=copy_id)),
        "name": name,
        "archived": False,
        "cloned_from": experiment_id,
    }
    table = EXPERIMENTS
    with open_database(home).writing(f"experiment {experiment_id}") as connection:
        original = connection.execute(
            select(table).where(table.c.experiment_id == experiment_id)
        ).one()
        values = {**original._mapping, **changed}
        del values["row_id"]
        row_id = connection.execute(
            insert(table).values(values).returning(table.c.row_id)
        ).scalar_one()
        for copied, key, old, new in (
            (EXPERIMENT_CELLS, "experiment", original.row_id, row_id),
            (STUDIES, "experiment_id", experiment_id, copy_id),
        ):
            columns = [column.name for column in copied.c if column.name != key]
            rows = select(literal(new), *(copied.c[name] for name in columns))
            rows = rows.where(copied.c[key] == old)
            connection.execute(insert(copied).from_select([key, *columns], rows))
    return copy_id


def _require(experiment_id: str, home: Path | None) -> ExperimentRecord:
    record = ExperimentRecord(experiment_id, home)
    if record.design() is None:
        raise InvalidInput(
            f"There is no experiment {experiment_id!r} in the lab database.",
            hint="Look at the list of kept evaluations again.",
        )
    return record
