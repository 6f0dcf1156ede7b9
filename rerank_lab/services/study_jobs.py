"""The job of a study of an experiment, whatever its question: started, listed, and kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from rerank_lab.core.context import Context
from rerank_lab.evaluation.studies import save_study, studies
from rerank_lab.jobs.keys import JobKey
from rerank_lab.jobs.table import Job
from rerank_lab.pipeline.stages import RETRIEVAL_LANE
from rerank_lab.services.session import Bound, Session


class AsJSON(Protocol):
    """A value that is kept as JSON: a question, or the answer to it."""

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        ...


StudyT = TypeVar("StudyT", bound=AsJSON)
RequestT = TypeVar("RequestT", bound=AsJSON)


@dataclass(frozen=True, slots=True)
class StudyKey(JobKey[StudyT], Generic[RequestT, StudyT]):
    """A study of an experiment; each kind of study has a subclass of its own."""

    experiment_id: str
    request: RequestT
    session: Bound


def start_study(
    key: StudyKey[Any, StudyT],
    run: Callable[[Context], StudyT],
    session: Session,
    *,
    kind: str,
    name: str,
    ctx: Context,
) -> Job[StudyT]:
    """The job of a study. Once it is done, the study is kept with the experiment.

    Args:
        key: which experiment, and what is asked of it.
        run: what is done in the job, with the context of the job.
        session: who waits for it. It goes on when they leave.
        kind: under which the study is kept, such as "depth".
        name: what people read beside its progress.
        ctx: with the keys and the meter that `run` needs.
    """
    home = session.engine.home

    def work(ctx: Context) -> StudyT:
        study = run(ctx)
        save_study(key.experiment_id, kind, key.request.to_json(), study.to_json(), home)
        return study

    return session.jobs.submit(
        key,
        work,
        lane=RETRIEVAL_LANE,
        by_stage=True,
        name=name,
        ctx=ctx,
        waiter=session.waiter,
        detached=True,
    )


def jobs_of_kind(
    kind: type[StudyKey[Any, StudyT]], experiment_id: str, session: Session
) -> list[Job[StudyT]]:
    """The jobs of one kind of study for an experiment, oldest first."""
    return session.jobs.jobs(kind, lambda key: key.experiment_id == experiment_id)


def kept_studies(
    kind: str,
    from_json: Callable[[dict[str, Any]], StudyT],
    experiment_id: str,
    home: Path | None = None,
) -> tuple[StudyT, ...]:
    """The kept studies of one kind of an experiment, the newest first."""
    return tuple(from_json(study.result) for study in studies(experiment_id, kind, home))
