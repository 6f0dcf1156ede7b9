"""Several requests of one query side by side, in order, given up at once when the caller does."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from functools import cache
from typing import TypeVar

from rerank_lab.core.context import CancelToken, Context
from rerank_lab.remote.retries import TransportError

T = TypeVar("T")
U = TypeVar("U")
IN_FLIGHT = 128
"""Requests that this process has in flight at most, all queries together."""
_POLL_S = 0.05


@cache
def _executor() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="rerank-lab-hosted")


@cache
def _watched() -> ThreadPoolExecutor:
    # Of its own: what `gather` runs may wait for this, so it must not wait in the same queue.
    return ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="rerank-lab-watched")


def watched(work: Callable[[], U], ctx: Context, longest_s: float) -> U:
    """Run `work` in a thread and give up within 50 ms of a cancel or deadline, as `ctx` says.

    What was begun then goes on to its end unheeded, so that what it spends is still counted.

    Raises:
        TransportError: of the kind "timeout", after `longest_s` seconds.
    """
    future = _watched().submit(work)
    end = time.monotonic() + longest_s
    while True:
        try:
            return future.result(_POLL_S)
        except TimeoutError:
            if future.done():  # in the meantime, or with a TimeoutError of its own
                return future.result()
            ctx.checkpoint()
            if time.monotonic() > end:
                raise TransportError("timeout", body="no answer in time") from None


def gather(
    items: Sequence[T],
    work: Callable[[T, Context], U],
    ctx: Context,
    width: int,
    on_result: Callable[[int, U], None],
) -> list[U]:
    """`work` of every item, at most `width` at a time; results in the order of the items.

    `on_result` is called with the index and result of each that succeeds, as they do. The
    first failure is raised and stops the others from waiting or asking again. A cancel or deadline
    is noticed within 50 ms, even while a server takes its time.
    """
    token = CancelToken(ctx.cancel)
    inner = replace(ctx, cancel=token)
    results: dict[int, U] = {}
    running: dict[Future[U], int] = {}
    waiting = list(enumerate(items))[::-1]
    try:
        while waiting or running:
            while waiting and len(running) < width:
                index, item = waiting.pop()
                running[_executor().submit(work, item, inner)] = index
            finished, _ = wait(running, _POLL_S, FIRST_COMPLETED)
            failed = [future for future in finished if future.exception() is not None]
            for future in finished - set(failed):
                index = running.pop(future)
                results[index] = future.result()
                on_result(index, results[index])
            for future in failed:
                future.result()
            ctx.checkpoint()
    finally:
        token.cancel()
        for future in running:
            future.cancel()
    return [results[index] for index in range(len(items))]
