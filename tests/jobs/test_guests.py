"""Requests and jobs in turns on one lane."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from rerank_lab.core.context import CancelToken, Context
from rerank_lab.core.errors import Cancelled
from rerank_lab.jobs.guests import LaneGuests
from rerank_lab.jobs.table import JobState, JobTable
from tests.named_key import NamedKey


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.002)


class Guest(threading.Thread):
    """Enters the lane, and stays until it is told to go."""

    def __init__(self, guests: LaneGuests, lane: str = "cpu") -> None:
        super().__init__(daemon=True)
        self.inside, self.go = threading.Event(), threading.Event()
        self._slots, self._lane = guests.slots(), lane
        self.start()

    def run(self) -> None:
        self._slots.enter(self._lane, lambda: None)
        self.inside.set()
        self.go.wait(5)
        self._slots.leave()


def test_guests_share_a_slot_and_a_job_waits_for_them() -> None:
    table = JobTable({"cpu": 1})
    guests = LaneGuests(table)
    first, second = Guest(guests), Guest(guests)
    assert first.inside.wait(5)
    assert second.inside.wait(5)
    job = table.submit(NamedKey("k"), lambda _: "done")
    assert table.jobs() == [job]  # guests are in no list
    first.go.set()
    first.join(5)
    assert job.state is JobState.QUEUED
    second.go.set()
    assert job.wait(5) == "done"


def test_a_guest_that_comes_while_a_job_waits_goes_after_it() -> None:
    table = JobTable({"cpu": 1})
    guests, order, go = LaneGuests(table), [], threading.Event()

    def work(_: Context) -> None:
        order.append("job")
        go.wait(5)

    first = Guest(guests)
    assert first.inside.wait(5)
    job = table.submit(NamedKey("k"), work)
    late = [Guest(guests), Guest(guests)]
    assert not late[0].inside.wait(0.1)
    first.go.set()
    until(lambda: job.state is JobState.RUNNING)
    assert not any(guest.inside.is_set() for guest in late)
    go.set()
    assert all(guest.inside.wait(5) for guest in late)
    for guest in late:
        guest.go.set()
    assert order == ["job"]


def test_neither_starves_under_a_stream_of_both() -> None:
    table, done = JobTable({"cpu": 1}), []
    guests, stop = LaneGuests(table), threading.Event()

    def stream() -> None:
        while not stop.is_set():
            slots = guests.slots()
            slots.enter("cpu", lambda: None)
            time.sleep(0.002)
            slots.leave()
            done.append(1)

    threads = [threading.Thread(target=stream) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(10):
        before = len(done)
        table.submit(NamedKey(str(number)), lambda _: None).wait(5)
        until(lambda before=before: len(done) > before)
    stop.set()
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()
    assert table.submit(NamedKey("last"), lambda _: "free").wait(5) == "free"


def test_a_guest_that_gives_up_waiting_holds_nothing() -> None:
    table, go = JobTable({"cpu": 1}), threading.Event()
    guests = LaneGuests(table)
    job = table.submit(NamedKey("k"), lambda _: go.wait(5))
    until(lambda: job.state is JobState.RUNNING)
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        guests.slots().enter("cpu", Context(cancel=token).checkpoint)
    go.set()
    job.wait(5)
    slots = guests.slots()
    slots.enter("unknown", lambda: None)
    assert slots.leave() == "cpu"
    assert slots.leave() == ""


def test_one_guest_goes_from_lane_to_lane() -> None:
    table = JobTable({"cpu": 1, "network": 1})
    slots = LaneGuests(table).slots()
    slots.enter("cpu", lambda: None)
    slots.enter("network", lambda: None)
    assert table.submit(NamedKey("k"), lambda _: "free").wait(5) == "free"
    held = table.submit(NamedKey("n"), lambda _: "free", lane="network")
    assert held.state is JobState.QUEUED
    slots.leave()
    assert held.wait(5) == "free"


def test_long_work_gives_way_to_guests() -> None:
    table = JobTable({"cpu": 1})
    guest = Guest(LaneGuests(table))
    assert guest.inside.wait(5)
    checks: list[int] = []
    begun = time.monotonic()
    table.give_way(lambda: checks.append(1), 0.2)
    assert time.monotonic() - begun >= 0.2
    guest.go.set()
    guest.join(5)
    begun = time.monotonic()
    table.give_way(lambda: None, 5)
    assert time.monotonic() - begun < 1
    assert checks
