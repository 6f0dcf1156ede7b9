"""Who works on the queries of a job: what `--workers` and the settings of the app say."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rerank_lab.core.errors import InvalidInput

if TYPE_CHECKING:
    from rerank_lab.jobs.workers import Workers

WORKERS_VARIABLE = "RERANK_LAB_WORKERS"
ADDRESS_VARIABLE = "RERANK_LAB_RAY_ADDRESS"
MOST_THREADS = 256


@dataclass(frozen=True, slots=True)
class WorkersChoice:
    """A number of threads, or of workers on Ray.

    Attributes:
        count: How many; on Ray 0 for as many as fit.
        on_ray: Whether they are processes on Ray.
        address: Of a running cluster; "" for one of this process' own.
    """

    count: int = 1
    on_ray: bool = False
    address: str = ""

    @classmethod
    def parse(cls, text: str, address: str = "") -> WorkersChoice:
        """`N`, `ray` or `ray:N`, and an address of Ray.

        Raises:
            InvalidInput: It is none of these, or more threads than `MOST_THREADS`.
        """
        kind, colon, number = text.strip().rpartition(":")
        if text.strip() == "ray":
            return cls(0, True, address)
        if (colon and kind != "ray") or not number.isdecimal() or int(number) < 1:
            raise InvalidInput(
                f"{text} is not N, ray or ray:N, with N from 1.",
                hint="Give a number of threads, or ray for processes on Ray.",
            )
        if not colon and int(number) > MOST_THREADS:
            raise InvalidInput(
                f"{text} is more than {MOST_THREADS} threads.", hint="Give fewer, or use ray:N."
            )
        return cls(int(number), bool(colon), address)

    def opened(self) -> Workers:
        """What does the work."""
        from rerank_lab.jobs.workers import InThisThread, RayWorkers, Threads

        if self.on_ray:
            return RayWorkers(self.count, self.address)
        return Threads(self.count) if self.count > 1 else InThisThread()


ONE = WorkersChoice()
"""One query at a time, in the thread that asks."""


def preset_workers() -> WorkersChoice:
    """What the environment sets for the app; `ONE` where it sets nothing.

    Raises:
        InvalidInput: The variable says nothing that is understood.
    """
    text = os.environ.get(WORKERS_VARIABLE, "").strip()
    try:
        return WorkersChoice.parse(text or "1", os.environ.get(ADDRESS_VARIABLE, "").strip())
    except InvalidInput as error:
        raise InvalidInput(f"{WORKERS_VARIABLE}: {error.message}", hint=error.hint) from None
