from __future__ import annotations

import time
from dataclasses import replace

import pytest

from rerank_lab.core.context import Context, Progress
from rerank_lab.jobs.table import Job, JobState
from rerank_lab.views.jobs import doing, job_line
from tests.named_key import NamedKey


def job(waiters: tuple[str, ...] = (), **changes: object) -> Job:
    made = Job(
        NamedKey("k"), "Evaluating 2 pipelines", "batch", lambda ctx: None, Context(),
        state=JobState.RUNNING,
        waiters=dict.fromkeys(waiters, 0.0), progress=Progress("scoring", 40, 100),
        started_at=time.monotonic() - 4,
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def test_a_job_says_what_it_does_how_far_it_is_and_what_remains() -> None:
    line = job_line(job(("me",)), "me")
    assert line.doing == "scoring 40 / 100 · 4.0 s · about 6 s left"
    assert (line.share, line.can_stop) == (0.4, True)


def test_what_is_queued_has_no_time_yet() -> None:
    line = job_line(job(started_at=None, state=JobState.QUEUED, progress=Progress("waiting")), "me")
    assert (line.doing, line.share) == ("waiting", None)


@pytest.mark.parametrize(
    ("waiters", "left", "can_stop", "said"),
    [
        (("me",), (), True, ""),
        (("me", "ben"), (), True, ""),
        ((), (), True, ""),
        (("ben",), (), False, "asked for by another visitor"),
        (("ben",), (NamedKey("k"),), False, "goes on for another visitor"),
    ],
)
def test_only_who_waits_for_a_job_can_stop_it(
    waiters: tuple[str, ...], left: tuple[NamedKey, ...], can_stop: bool, said: str
) -> None:
    line = job_line(job(waiters), "me", left)
    assert line.can_stop is can_stop
    assert line.doing.endswith(said or "left")


def test_doing_leaves_out_what_is_not_known() -> None:
    assert doing("loading model") == "loading model"
    assert doing("scoring", 1200, 5000, 0.04) == "scoring 1,200 / 5,000 · 0.0 s"
