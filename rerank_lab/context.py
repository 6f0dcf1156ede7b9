"""The only thing handed down through a pipeline: cancel, deadline, progress, cache, seed, limit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from rerank_lab.errors import Cancelled, DeadlineExceeded


class CancelToken:
    """Set once from any thread; checked between batches by whoever is working."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        self._event.set()

    @property
    def cancelled(self) -> bool:
        return self._event.is_set()


@dataclass(frozen=True, slots=True)
class Progress:
    """What is happening now, and how far it is: `done` of `total` (0 when unknown)."""

    message: str
    done: int = 0
    total: int = 0


class StoredScore(NamedTuple):
    """A score, and whether the model saw only a part of the text."""

    score: float
    truncated: bool = False


class ScoreStore(Protocol):
    """The part of the score cache that a reranker uses. Keys are hex digests."""

    def get_many(self, keys: Sequence[str]) -> dict[str, StoredScore]: ...

    def put_many(self, scores: Mapping[str, StoredScore]) -> None: ...

    def get_order(self, key: str) -> list[int] | None: ...

    def put_order(self, key: str, order: Sequence[int]) -> None: ...


def _ignore(_: Progress) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Context:
    """`deadline` is a `time.monotonic()` moment; `cache=None` measures everything afresh."""

    cache: ScoreStore | None = None
    cancel: CancelToken = field(default_factory=CancelToken)
    deadline: float | None = None
    progress: Callable[[Progress], None] = _ignore
    seed: int = 0
    spend_limit: float | None = None

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
        self.progress(Progress(message, done, total))
