"""Work that is no job, such as requests of the API, in turns with the jobs of a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from rerank_lab.core.context import Context
from rerank_lab.jobs.keys import JobKey
from rerank_lab.jobs.table import INTERACTIVE, Job, JobTable

_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class GuestKey(JobKey[None]):
    """What stands in the table for all guests of a lane together."""

    lane: str


class LaneGuests:
    """All guests of a lane hold one of its slots together, and share it while they are at work.

    While a job waits for the lane, no further guest joins: the slot is passed on as soon as those
    that hold it are done, and the next guests wait for the job in turn.
    """

    def __init__(self, table: JobTable) -> None:
        self._table = table
        self._inside: Counter[str] = Counter()
        self._holders = {lane: _holder(lane) for lane in table.lanes}
        self._opening: set[str] = set()
        table.others_wait = self._at_work

    def slots(self) -> GuestSlots:
        """The hold of one guest, for its context; `leave` it when the work is done."""
        return GuestSlots(self)

    def enter(self, lane: str, checkpoint: Callable[[], None]) -> None:
        """Wait until the guests may use the lane; `checkpoint` may raise meanwhile."""
        changed = self._table.changed
        while True:
            with changed:
                if self._inside[lane] and not self._table.wanted(lane):
                    self._inside[lane] += 1
                    return
                first = not self._inside[lane] and lane not in self._opening
                # Who waits for a slot as below comes before the queue: not before a job whose turn
                # it is.
                if first and not self._table.about_to_run(lane):
                    self._opening.add(lane)
                    break
                checkpoint()
                changed.wait(_POLL_S)
        try:  # the first of them waits for a slot as a job at work does
            self._table.enter_lane(self._holders[lane], lane, checkpoint)
            with changed:
                self._inside[lane] += 1
        finally:
            with changed:
                self._opening.discard(lane)
                changed.notify_all()

    def leave(self, lane: str) -> None:
        """One of the guests is done; the last one gives the slot back."""
        with self._table.changed:
            self._inside[lane] -= 1
            if not self._inside[lane]:
                self._table.leave_lane(self._holders[lane])

    def _at_work(self) -> bool:
        return any(self._inside[lane] or lane in self._opening for lane in INTERACTIVE)

    def lane_of(self, lane: str) -> str:
        """The lane of the table that work of this lane goes to."""
        return lane if lane in self._holders else "cpu"


class GuestSlots:
    """`core.context.LaneSlots` of one guest."""

    def __init__(self, guests: LaneGuests) -> None:
        self._guests = guests
        self._lane = ""

    def enter(self, lane: str, checkpoint: Callable[[], None]) -> None:
        """Use this lane, and no other."""
        lane = self._guests.lane_of(lane)
        if lane != self._lane:
            self.leave()
            self._guests.enter(lane, checkpoint)
            self._lane = lane

    def leave(self) -> str:
        """Use no lane any more; returns the one that was used, "" for none."""
        lane, self._lane = self._lane, ""
        if lane:
            self._guests.leave(lane)
        return lane


def _holder(lane: str) -> Job[None]:
    """Takes slots for the guests; it is in no list of jobs."""
    return Job(GuestKey(lane), "requests", lane, lambda _: None, Context(), by_stage=True)
