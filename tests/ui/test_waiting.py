"""How often a page looks whether something that it waits for has come."""

from __future__ import annotations

import time

from rerank_lab.core.context import Context
from rerank_lab.jobs.table import STOP_LEASE_S, Job
from rerank_lab.ui.shared.waiting import pace
from tests.named_key import NamedKey


def test_a_page_looks_soon_at_first_and_seldom_after_a_while() -> None:
    paces = [pace(waited_s) for waited_s in (0.0, 3.9, 4.1, 60.0, 3600.0)]
    assert paces == sorted(paces)
    assert paces[0] <= 0.5
    assert paces[-1] >= 1.0


def test_a_page_that_waits_is_never_taken_for_one_that_has_gone() -> None:
    assert 2 * pace(3600.0) < STOP_LEASE_S


def test_a_job_counts_from_when_it_was_submitted_and_not_from_its_first_work() -> None:
    job = Job(NamedKey("queued"), "queued", "cpu", lambda _: None, Context())
    job.submitted_at -= 30.0
    assert job.seconds == 0.0
    assert 30.0 <= job.age_s < 60.0
    assert job.submitted_at < time.monotonic()
