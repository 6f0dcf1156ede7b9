"""What was found out about an experiment beyond its table of results, such as a depth curve.

A study is kept in the lab database, so that pages and reports show it later without any work.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import delete, insert, select

from rerank_lab.core.database import open_database
from rerank_lab.evaluation.tables import STUDIES


@dataclass(frozen=True, slots=True)
class Study:
    """One question that was put to an experiment, and the answer.

    Attributes:
        experiment_id: the experiment.
        kind: which question, such as "depth"; each has a value of its own that `request` and
            `result` are the JSON of.
        digest: the same for the same kind and request.
        created_at: seconds since 1970.
        request: what exactly was asked.
        result: the answer.
    """

    experiment_id: str
    kind: str
    digest: str
    created_at: float
    request: dict[str, Any]
    result: dict[str, Any]


def save_study(
    experiment_id: str,
    kind: str,
    request: Mapping[str, Any],
    result: Mapping[str, Any],
    home: Path | None = None,
) -> Study:
    """Keep a study, in the place of an earlier one of this kind that asked the same.

    It is on the disk when the call returns.

    Args:
        experiment_id: the experiment.
        kind: which question, such as "depth".
        request: what exactly was asked, as JSON.
        result: the answer, as JSON.
        home: the data folder; by default that of this process.

    Raises:
        InvalidInput, MissingExtra, StorageError: as `open_database` does.
    """
    asked = msgspec.json.encode(request, order="deterministic")
    digest = hashlib.sha256(kind.encode() + b"\0" + asked).hexdigest()[:20]
    answer = msgspec.json.encode(result)
    created_at = time.time()
    same = (STUDIES.c.experiment_id == experiment_id) & (STUDIES.c.digest == digest)
    with open_database(home).writing(f"study {experiment_id} {digest}") as connection:
        connection.execute(delete(STUDIES).where(same))
        connection.execute(
            insert(STUDIES).values(
                experiment_id=experiment_id,
                digest=digest,
                kind=kind,
                created_at=created_at,
                request=asked.decode(),
                result=answer.decode(),
            )
        )
    decode = msgspec.json.decode
    return Study(experiment_id, kind, digest, created_at, decode(asked), decode(answer))


def studies(experiment_id: str, kind: str = "", home: Path | None = None) -> list[Study]:
    """The studies of an experiment, the newest first.

    Args:
        experiment_id: the experiment.
        kind: only studies of this kind; "" for all.
        home: the data folder; by default that of this process.

    Raises:
        InvalidInput, MissingExtra, StorageError: as `open_database` does.
    """
    query = select(STUDIES).where(STUDIES.c.experiment_id == experiment_id)
    if kind:
        query = query.where(STUDIES.c.kind == kind)
    query = query.order_by(STUDIES.c.created_at.desc(), STUDIES.c.digest)
    with open_database(home).reading() as connection:
        rows = connection.execute(query).all()
    decode = msgspec.json.decode
    return [
        Study(
            row.experiment_id,
            row.kind,
            row.digest,
            row.created_at,
            decode(row.request),
            decode(row.result),
        )
        for row in rows
    ]
