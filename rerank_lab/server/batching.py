"""Local models compute the texts of several waiting requests in one call.

Whoever comes first leads: it computes batches for all that wait, and hands on once its own texts
are done. No thread stands by, and a request that is alone computes at once in its own thread.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeVar

from rerank_lab.core.context import CancelToken, Context
from rerank_lab.core.errors import LabError

Item = TypeVar("Item")
Value = TypeVar("Value")
BATCH_TOKENS = 4096
_TURNS = 2
"""Turns in a full batch: a long request leaves half of it to those behind."""
_POLL_S = 0.05


class CallBatches:
    """Joins calls of one key (`CallSharing`), about so many tokens at a time.

    Engines cut a batch into smaller ones by length and their own budget, or run text by text. A
    request that is cancelled, too late or at fault ends alone: the others of its batch go on.
    """

    def __init__(self, tokens: int = BATCH_TOKENS) -> None:
        self._tokens = tokens
        self._queues: dict[Hashable, _CallQueue] = {}
        self._lock = threading.Lock()

    def run(
        self,
        key: Hashable,
        items: Sequence[Item],
        sizes: Sequence[int],
        call: Callable[[Sequence[Item], Context], Sequence[Value]],
        ctx: Context,
    ) -> list[Value]:
        """One output for each item, in their order. Raises as `call` does for these items alone."""
        with self._lock:
            queue = self._queues.setdefault(key, _CallQueue(self._tokens))
        mine = _WaitingCall(items, sizes, call, replace(ctx, sharing=None))
        leads = queue.join(mine)
        try:
            while not mine.done:
                ctx.checkpoint()
                if leads:
                    queue.compute_batch()
                else:
                    mine.wake.wait(_POLL_S)
                    leads = queue.leader is mine
        finally:
            queue.leave(mine)
        if mine.error is not None:
            raise mine.error
        return [mine.outputs[place] for place in range(len(items))]


@dataclass(slots=True, eq=False)
class _WaitingCall:
    """One caller's items. Its leader, a single thread at a time, writes outputs and error."""

    items: Sequence[Any]
    sizes: Sequence[int]
    compute: Callable[[Sequence[Any], Context], Sequence[Any]]
    ctx: Context
    outputs: dict[int, Any] = field(default_factory=dict)
    taken: int = 0
    error: BaseException | None = None
    wake: threading.Event = field(default_factory=threading.Event)
    """Set when it is done or is to lead."""

    @property
    def done(self) -> bool:
        return self.error is not None or len(self.outputs) == len(self.items)

    @property
    def abandoned(self) -> bool:
        """Whether nobody waits for it any more: its request was cancelled or is too late."""
        try:
            self.ctx.checkpoint()
        except LabError:
            return True
        return False

    def take(self, room: int, *, at_least_one: bool) -> _Turn:
        """The next items, as many as there is room for."""
        start = self.taken
        while self.taken < len(self.items) and (
            self.sizes[self.taken] <= room or (at_least_one and self.taken == start)
        ):
            room -= self.sizes[self.taken]
            self.taken += 1
        return _Turn(self, start, self.taken)

    def fail(self, error: BaseException) -> None:
        self.error = error
        self.wake.set()

    def receive(self, start: int, outputs: Sequence[Any]) -> None:
        self.outputs.update(enumerate(outputs, start))
        if self.done:
            self.wake.set()


class _Turn(NamedTuple):
    """The items from `start` to `stop` of one call."""

    call: _WaitingCall
    start: int
    stop: int

    @property
    def items(self) -> Sequence[Any]:
        return self.call.items[self.start : self.stop]

    @property
    def size(self) -> int:
        return sum(self.call.sizes[self.start : self.stop])


class _AllLeft(CancelToken):
    """Cancelled once every caller of a batch is gone."""

    def __init__(self, calls: Sequence[_WaitingCall]) -> None:
        super().__init__()
        self._calls = calls

    @property
    def cancelled(self) -> bool:
        return all(call.abandoned for call in self._calls)


class _CallQueue:
    """The calls of one key, in the order of their turns; the leader's thread computes."""

    def __init__(self, tokens: int) -> None:
        self.leader: _WaitingCall | None = None
        self._tokens = tokens
        self._waiting: deque[_WaitingCall] = deque()
        self._lock = threading.Lock()

    def join(self, call: _WaitingCall) -> bool:
        """Wait behind the others; True when nobody leads, so that this call does."""
        with self._lock:
            self._waiting.append(call)
            if self.leader is None:
                self.leader = call
            return self.leader is call

    def leave(self, call: _WaitingCall) -> None:
        """The call is done or given up; another one leads if it did."""
        with self._lock:
            if call in self._waiting:
                self._waiting.remove(call)
            if self.leader is call:
                self.leader = self._waiting[0] if self._waiting else None
                if self.leader is not None:
                    self.leader.wake.set()

    def compute_batch(self) -> None:
        """Compute the next batch; what goes wrong is noted with the call that it is of."""
        turns = self._next_turns()
        calls = list(dict.fromkeys(turn.call for turn in turns))
        try:
            if len(calls) > 1 and self._computed_together(turns, calls):
                return
            for call in calls:
                own = [turn for turn in turns if turn.call is call]
                _compute_alone(call, own[0].start, own[-1].stop)
        except BaseException as error:
            for call in calls:
                call.fail(error)
            raise

    def _next_turns(self) -> list[_Turn]:
        """Turns go round: a call adds items up to its part of a batch, then others have theirs."""
        turns: list[_Turn] = []
        room = self._tokens
        with self._lock:
            while self._waiting:
                call = self._waiting.popleft()
                if call.abandoned:
                    continue
                turn = call.take(min(room, self._tokens // _TURNS), at_least_one=not turns)
                if turn.start == turn.stop:
                    self._waiting.appendleft(call)
                    break
                turns.append(turn)
                room -= turn.size
                if call.taken < len(call.items):
                    self._waiting.append(call)
        return turns

    def _computed_together(self, turns: Sequence[_Turn], calls: Sequence[_WaitingCall]) -> bool:
        """Whether one call gave the outputs of all; if not, each is tried by itself."""
        items = [item for turn in turns for item in turn.items]
        try:
            outputs = calls[0].compute(items, Context(cancel=_AllLeft(calls)))
        except Exception:
            return False
        start = 0
        for turn in turns:
            stop = start + turn.stop - turn.start
            turn.call.receive(turn.start, outputs[start:stop])
            start = stop
        return True


def _compute_alone(call: _WaitingCall, start: int, stop: int) -> None:
    try:
        call.receive(start, call.compute(call.items[start:stop], call.ctx))
    except Exception as error:
        call.fail(error)
