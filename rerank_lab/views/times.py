"""What the seconds of a query stand for, in words: loading, building an index, answering."""

from __future__ import annotations

from dataclasses import dataclass

from rerank_lab.core.types import Status, Trace
from rerank_lab.views.labels import seconds

PARTS = ("load", "build", "queue", "compute", "network")
PART_NAMES = {
    "load": "Loading",
    "build": "Building the index",
    "queue": "Waiting",
    "compute": "Computing",
    "network": "Network",
}
_SHARE, _LEAST_S = 0.05, 0.02


@dataclass(frozen=True, slots=True)
class Tag:
    """A word beside a time, and the sentence behind it."""

    name: str
    why: str


def is_cold(trace: Trace) -> bool:
    """Whether getting ready, once, is a part of the time that counts."""
    return trace.load_s + trace.build_s > _SHARE * max(trace.total_s, 1e-9)


def warmth(status: Status, trace: Trace, *, reused: bool) -> str:
    """`cold` when loading or building is part of the time, `warm` when not, `cached` when nothing
    was scored.

    `shared` means that another pipeline did this stage; its times then are shown.
    """
    if not status.answered:
        return str(status)
    if reused:
        return "shared"
    cold = is_cold(trace)
    if status is Status.CACHED:
        return "cold, cached" if cold else "cached"
    return "cold" if cold else "warm"


def tags(trace: Trace, *, cached: bool) -> tuple[Tag, ...]:
    """What to know of a column's time, in a word each."""
    if cached:
        # What was loaded is an index at most: the model was not.
        return (Tag("cached", "scores from an earlier run"),)
    if is_cold(trace) and trace.load_s + trace.build_s > _LEAST_S:
        return (Tag("cold", f"{cold_words(trace)}. Getting ready is needed once."),)
    return ()


def warm_words(trace: Trace, *, cached: bool) -> str:
    """`0.94 s once ready`, beside a cold time; "" beside any other."""
    cold = any(tag.name == "cold" for tag in tags(trace, cached=cached))
    return f"{seconds(trace.warm_s)} once ready" if cold else ""


def cold_words(trace: Trace) -> str:
    """`15.2 s building the index, 0.60 s loading, 12 ms answering`; parts near 0 are left out."""
    named = (
        (trace.build_s, "building the index"),
        (trace.load_s, "loading"),
        (trace.queue_s, "waiting"),
        (trace.compute_s + trace.network_s, "answering"),
    )
    return ", ".join(f"{seconds(value)} {word}" for value, word in named if value >= 0.0005)
