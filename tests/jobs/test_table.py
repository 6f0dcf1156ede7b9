from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from rerank_lab.core.context import Context
from rerank_lab.core.errors import BackendError, Cancelled, InvalidInput
from rerank_lab.jobs import table as jobs
from rerank_lab.jobs.table import JobState, JobTable
from rerank_lab.pipeline.single_flight import SingleFlight
from tests.named_key import NamedKey


def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def cancellable(ctx: Context) -> None:
    while True:
        ctx.checkpoint()
        time.sleep(0.005)


def test_the_same_key_is_the_same_job_for_everybody() -> None:
    table, runs = JobTable(), []

    def work(ctx: Context) -> str:
        runs.append(1)
        time.sleep(0.05)
        return "done"

    first = table.submit(NamedKey("k"), work, waiter="anna")
    second = table.submit(NamedKey("k"), work, waiter="ben")
    assert first is second
    assert first.wait(5) == second.wait(5) == "done"
    assert table.submit(NamedKey("k"), work).wait(5) == "done"
    assert len(runs) == 1


def test_a_failure_is_shown_and_not_reused() -> None:
    table = JobTable()

    def fail(ctx: Context) -> None:
        raise InvalidInput("Bad.", hint="Better.")

    with pytest.raises(InvalidInput, match="Bad"):
        table.submit(NamedKey("k"), fail).wait(5)
    assert table.submit(NamedKey("k"), lambda ctx: 1).wait(5) == 1


def test_any_other_exception_reaches_the_user_as_a_lab_error_with_details() -> None:
    job = JobTable().submit(NamedKey("k"), lambda ctx: 1 / 0, name="Dividing")
    with pytest.raises(BackendError, match="Dividing failed: ZeroDivisionError") as caught:
        job.wait(5)
    assert "Traceback" in caught.value.details
    assert job.state is JobState.FAILED


def test_a_lane_runs_no_more_than_its_number_at_once() -> None:
    table, lock, busy, most = JobTable({"cpu": 2}), threading.Lock(), [0], [0]

    def work(ctx: Context) -> None:
        with lock:
            busy[0] += 1
            most[0] = max(most[0], busy[0])
        time.sleep(0.03)
        with lock:
            busy[0] -= 1

    for job in [table.submit(NamedKey(str(i)), work) for i in range(8)]:
        job.wait(5)
    assert most[0] == 2


def test_a_slow_lane_does_not_hold_up_another() -> None:
    table = JobTable()
    slow = table.submit(NamedKey("slow"), cancellable, lane="cpu")
    assert table.submit(NamedKey("quick"), lambda ctx: 1, lane="light").wait(2) == 1
    table.cancel(NamedKey("slow"))
    with pytest.raises(Cancelled):
        slow.wait(5)


def test_the_last_waiter_to_leave_cancels() -> None:
    table = JobTable()
    job = table.submit(NamedKey("k"), cancellable, waiter="anna")
    table.submit(NamedKey("k"), cancellable, waiter="ben")
    until(lambda: job.state is JobState.RUNNING)
    table.release(NamedKey("k"), "anna")
    time.sleep(0.05)
    assert job.state is JobState.RUNNING
    table.release(NamedKey("k"), "ben")
    with pytest.raises(Cancelled):
        job.wait(5)
    assert job.state is JobState.CANCELLED


def test_a_detached_job_goes_on_without_anybody() -> None:
    table, stop = JobTable(), threading.Event()
    job = table.submit(NamedKey("k"), lambda ctx: stop.wait(5), waiter="anna", detached=True)
    until(lambda: job.state is JobState.RUNNING)
    table.release(NamedKey("k"), "anna")
    stop.set()
    assert job.wait(5) is True


def test_leaving_stops_a_job_for_the_last_who_waits_only() -> None:
    table = JobTable()
    job = table.submit(NamedKey("k"), cancellable, waiter="anna", detached=True)
    until(lambda: job.state is JobState.RUNNING)
    table.join(NamedKey("k"), "ben")
    table.leave(NamedKey("k"), "anna")
    time.sleep(0.05)
    assert job.state is JobState.RUNNING
    assert set(job.waiters) == {"ben"}
    table.leave(NamedKey("k"), "ben")
    with pytest.raises(Cancelled):
        job.wait(5)


def test_a_page_that_was_loaded_anew_does_not_keep_alive_what_is_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jobs, "STOP_LEASE_S", 0.2)
    table = JobTable()
    dead = table.submit(
        NamedKey("dead"), cancellable, waiter="before the reload", detached=True, lane="light"
    )
    shared = table.submit(
        NamedKey("shared"), cancellable, waiter="ben", detached=True, lane="light"
    )
    until(lambda: dead.state is JobState.RUNNING and shared.state is JobState.RUNNING)
    for key in ("dead", "shared"):
        table.join(NamedKey(key), "anna")
        table.leave(NamedKey(key), "anna")
    end = time.monotonic() + 2.5
    while time.monotonic() < end and not dead.state.ended:
        table.touch("ben")
        time.sleep(0.02)
    assert dead.state is JobState.CANCELLED
    assert shared.state is JobState.RUNNING
    assert shared.stop_asked_at is None  # and ben may leave his page alone from now on
    table.cancel(NamedKey("shared"))


def test_a_job_that_nobody_waits_for_is_stopped_by_who_asks() -> None:
    table = JobTable()
    job = table.submit(NamedKey("k"), cancellable, detached=True)
    until(lambda: job.state is JobState.RUNNING)
    table.leave(NamedKey("k"), "anna")
    with pytest.raises(Cancelled):
        job.wait(5)


def test_nobody_joins_a_job_that_has_ended() -> None:
    table = JobTable()
    job = table.submit(NamedKey("k"), lambda ctx: 1)
    job.wait(5)
    table.join(NamedKey("k"), "anna")
    assert job.waiters == {}


def test_a_closed_tab_stops_paying_for_its_lease() -> None:
    table = JobTable(lease_s=0.15)
    left = table.submit(NamedKey("left"), cancellable, waiter="gone", lane="light")
    kept = table.submit(NamedKey("kept"), cancellable, waiter="here", lane="light")
    end = time.monotonic() + 0.6
    while time.monotonic() < end:
        table.touch("here")
        time.sleep(0.02)
    assert left.state is JobState.CANCELLED
    assert kept.state is JobState.RUNNING
    table.cancel(NamedKey("kept"))


def test_a_queued_job_is_cancelled_at_once_and_never_runs() -> None:
    table, ran = JobTable({"cpu": 1}), []
    first = table.submit(NamedKey("first"), cancellable)
    second = table.submit(NamedKey("second"), lambda ctx: ran.append(1))
    table.cancel(NamedKey("second"))
    assert second.state is JobState.CANCELLED
    table.cancel(NamedKey("first"))
    with pytest.raises(Cancelled):
        first.wait(5)
    assert table.submit(NamedKey("third"), lambda ctx: 3).wait(5) == 3
    assert ran == []


def test_a_job_asked_for_again_while_it_is_being_cancelled_runs_anew() -> None:
    table = JobTable({"cpu": 1})
    first = table.submit(NamedKey("k"), cancellable)
    until(lambda: first.state is JobState.RUNNING)
    table.cancel(NamedKey("k"))
    assert table.submit(NamedKey("k"), lambda ctx: "again").wait(5) == "again"


def test_progress_gives_the_time_that_remains() -> None:
    table, go = JobTable(), threading.Event()

    def work(ctx: Context) -> None:
        ctx.report("scoring", 1, 4)
        go.wait(5)

    job = table.submit(NamedKey("k"), work)
    until(lambda: job.progress.done == 1)
    assert job.progress.message == "scoring"
    assert job.remaining_s == pytest.approx(job.seconds * 3, rel=0.5)
    go.set()
    job.wait(5)
    assert job.remaining_s is None


def test_old_jobs_are_forgotten_but_never_one_at_work() -> None:
    table = JobTable({"cpu": 1, "light": 1})
    running = table.submit(NamedKey("running"), cancellable)
    for i in range(400):
        table.submit(NamedKey(str(i)), lambda ctx: None, lane="light").wait(5)
    assert len(table.jobs()) <= 257
    assert table.get(NamedKey("running")) is running
    table.cancel(NamedKey("running"))


def test_a_job_by_stages_holds_one_lane_after_the_other() -> None:
    table, free = JobTable({"light": 1, "cpu": 1, "network": 1}), threading.Event()
    lanes: list[str] = []

    def work(ctx: Context) -> None:
        for lane in ("cpu", "network"):
            ctx.enter_lane(lane)
            lanes.append(first.holds)
        free.wait(5)

    first = table.submit(NamedKey("first"), work, lane="light", by_stage=True)
    until(lambda: first.holds == "network")
    for lane in ("light", "cpu"):
        assert table.submit(NamedKey(lane), lambda ctx: 1, lane=lane).wait(5) == 1
    other = table.submit(NamedKey("other"), lambda ctx: 1, lane="network")
    time.sleep(0.05)
    assert other.state is JobState.QUEUED
    free.set()
    assert other.wait(5) == 1
    assert lanes == ["cpu", "network"]


def test_a_job_that_is_not_by_stages_stays_in_its_lane() -> None:
    table = JobTable()
    job = table.submit(NamedKey("k"), lambda ctx: ctx.enter_lane("network"), lane="batch")
    job.wait(5)
    assert job.lane == "batch"


def test_a_job_at_work_that_waits_for_a_lane_comes_before_the_queue_and_can_be_cancelled() -> None:
    table, free, order = JobTable({"light": 2, "cpu": 1}), threading.Event(), []

    def switch(ctx: Context) -> None:
        ctx.enter_lane("cpu")
        order.append("at work")

    busy = table.submit(NamedKey("busy"), lambda ctx: free.wait(5))
    until(lambda: busy.state is JobState.RUNNING)
    cancelled = table.submit(NamedKey("cancelled"), switch, lane="light", by_stage=True)
    until(lambda: cancelled.started_at is not None and cancelled.state is JobState.QUEUED)
    assert cancelled.progress.message == "waiting"
    queued = table.submit(NamedKey("queued"), lambda ctx: order.append("queued"))
    waiting = table.submit(NamedKey("waiting"), switch, lane="light", by_stage=True)
    until(lambda: waiting.started_at is not None and waiting.state is JobState.QUEUED)
    table.cancel(NamedKey("cancelled"))
    with pytest.raises(Cancelled):
        cancelled.wait(5)
    free.set()
    waiting.wait(5)
    queued.wait(5)
    assert order == ["at work", "queued"]


def test_who_waits_for_the_same_work_gives_its_lane_to_whoever_does_it() -> None:
    """Else the one with the work would wait for the lane of the one who waits for the work."""
    table, memo = JobTable({"light": 2, "cpu": 1}), SingleFlight[str](4)
    begun, entered = threading.Event(), threading.Event()

    def owner(ctx: Context) -> str:
        def compute() -> str:
            begun.set()
            entered.wait(5)
            time.sleep(0.05)
            ctx.enter_lane("cpu")
            return "value"

        return memo.get("k", compute, ctx)[0]

    def other(ctx: Context) -> str:
        ctx.enter_lane("cpu")
        entered.set()
        return memo.get("k", lambda: "another", ctx)[0]

    first = table.submit(NamedKey("owner"), owner, lane="light", by_stage=True)
    assert begun.wait(5)
    second = table.submit(NamedKey("other"), other, lane="light", by_stage=True)
    assert (first.wait(5), second.wait(5)) == ("value", "value")


def test_work_that_ends_the_program_fails_and_the_lane_goes_on() -> None:
    table = JobTable({"cpu": 1})

    def leave(ctx: Context) -> None:
        raise SystemExit(3)

    with pytest.raises(BackendError, match="tried to end the program"):
        table.submit(NamedKey("leave"), leave).wait(5)
    assert table.submit(NamedKey("next"), lambda ctx: 1).wait(5) == 1
