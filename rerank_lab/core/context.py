"""The only thing handed down through a pipeline: cancel, deadline, progress, cache, seed, limit."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol, TypeVar

from rerank_lab.core.errors import Cancelled, DeadlineExceeded, MissingKey
from rerank_lab.core.spend import SpendMeter
from rerank_lab.core.types import Spans

Item = TypeVar("Item")
Value = TypeVar("Value")


class CancelToken:
    """Set once from any thread; checked between batches by whoever is working.

    A token with a parent is cancelled with it, but can also be cancelled alone.
    """

    def __init__(self, parent: CancelToken | None = None) -> None:
        self._event = threading.Event()
        self._parent = parent

    def cancel(self) -> None:
        """Ask whoever works to stop at the next checkpoint."""
        self._event.set()

    @property
    def cancelled(self) -> bool:
        """Whether this token or its parent was cancelled."""
        return self._event.is_set() or (self._parent is not None and self._parent.cancelled)


@dataclass(frozen=True, slots=True)
class Progress:
    """What is happening now, and how far it is: `done` of `total` (0 when unknown)."""

    message: str
    done: int = 0
    total: int = 0


class StoredScore(NamedTuple):
    """A score, whether the model saw only a part of the text, and what it calls relevant there."""

    score: float
    truncated: bool = False
    relevant_spans: Spans = ()


class ScoreStore(Protocol):
    """The part of the score cache that a reranker uses. Keys are hex digests."""

    def get_many(self, keys: Sequence[str]) -> dict[str, StoredScore]:
        """The scores that are known; absent keys are misses."""
        ...

    def put_many(self, scores: Mapping[str, StoredScore]) -> None:
        """Keep scores under their keys."""
        ...

    def get_order(self, key: str) -> list[int] | None:
        """The order that a model gave for exactly these documents, None when it is not known."""
        ...

    def put_order(self, key: str, order: Sequence[int]) -> None:
        """Keep an order: positions of the documents, best first."""
        ...


class Response(NamedTuple):
    """The reply to a request: status, headers and text. Keys were taken out when it arrived."""

    status: int
    headers: Mapping[str, str]
    body: str


class RecordingStore(Protocol):
    """Recorded answers by request digest. While replaying, nothing is sent and no key is needed."""

    @property
    def replaying(self) -> bool:
        """Whether answers are only read from it, and nothing is sent."""
        ...

    @property
    def whole(self) -> bool:
        """Whether it must hold every exchange: caches are then left aside."""
        ...

    def play(self, key: str) -> Response | None:
        """The recorded answer to a request, None when there is none."""
        ...

    def record(self, key: str, provider: str, exchange: Response) -> None:
        """Keep the answer to a request."""
        ...


class LaneSlots(Protocol):
    """A job's hold on the lanes that bound how many work at once on one kind of resource."""

    def enter(self, lane: str, checkpoint: Callable[[], None]) -> None:
        """Hold a slot of this lane and of no other; `checkpoint` may raise while it waits."""
        ...

    def leave(self) -> str:
        """Give the slot back and return its lane, "" when there was none."""
        ...


class CallSharing(Protocol):
    """Lets calls of several queries on one local model go through it together."""

    def run(
        self,
        key: Hashable,
        items: Sequence[Item],
        sizes: Sequence[int],
        call: Callable[[Sequence[Item], Context], Sequence[Value]],
        ctx: Context,
    ) -> list[Value]:
        """One output for each item, in their order.

        Args:
            key: Calls of one key may be joined.
            items: What to compute; an item's output must not depend on the others.
            sizes: About how many tokens each item is.
            call: Computes any items of this key, those of other callers too.
            ctx: Of this caller: whose cancel and deadline end its own waiting only.
        """
        ...


def _ignore(_: Progress) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Context:
    """`deadline` is a `time.monotonic()` moment; `cache=None` measures everything afresh.

    `remote_stage_s` bounds a stage that asks a provider, for one query: long jobs have no deadline
    as a whole, and building an index takes what it takes.

    `secrets` are keys typed into this session, by the name of their environment variable. They are
    handed to a provider at the moment of the call and kept nowhere else.
    """

    cache: ScoreStore | None = None
    cancel: CancelToken = field(default_factory=CancelToken)
    deadline: float | None = None
    remote_stage_s: float | None = None
    progress: Callable[[Progress], None] = _ignore
    seed: int = 0
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    spend: SpendMeter = field(default_factory=SpendMeter, repr=False, compare=False)
    recording: RecordingStore | None = field(default=None, repr=False, compare=False)

    lanes: LaneSlots | None = field(default=None, repr=False, compare=False)
    sharing: CallSharing | None = field(default=None, repr=False, compare=False)

    def enter_lane(self, lane: str) -> None:
        """Occupy this kind of resource from now on, and no other. Raises as `checkpoint` does."""
        if self.lanes is not None:
            self.lanes.enter(lane, self.checkpoint)

    @contextmanager
    def off_lane(self) -> Iterator[None]:
        """Occupy nothing inside the block, such as while another thread works on the same thing."""
        lane = self.lanes.leave() if self.lanes is not None else ""
        yield
        if lane:
            self.enter_lane(lane)

    def secret(self, variable: str, *, required: bool = True) -> str:
        """A key: the session's own, else the environment's. "" when absent and not required.

        Raises MissingKey with the next step when it is required and absent.
        """
        value = self.secrets.get(variable, "").strip() or os.environ.get(variable, "").strip()
        if required and not value:
            raise MissingKey(
                f"No key is set: {variable}.",
                hint=f"Set the environment variable {variable}, or enter the key on the Models "
                "page of the app; it then lives in this browser session only.",
            )
        return value

    def for_remote_stage(self) -> Context:
        """The context of a stage that asks a provider: it ends `remote_stage_s` from now."""
        if self.remote_stage_s is None:
            return self
        ends = time.monotonic() + self.remote_stage_s
        return replace(self, deadline=ends if self.deadline is None else min(ends, self.deadline))

    def checkpoint(self) -> None:
        """Raise Cancelled or DeadlineExceeded; called between batches."""
        if self.cancel.cancelled:
            raise Cancelled
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise DeadlineExceeded(
                "The time allowed for this query is used up.",
                hint="Allow more time, rerank fewer candidates, or choose a smaller model.",
            )

    def report(self, message: str, done: int = 0, total: int = 0) -> None:
        """Say what is happening, and how far it is: `done` of `total` (0 when unknown)."""
        self.progress(Progress(message, done, total))
