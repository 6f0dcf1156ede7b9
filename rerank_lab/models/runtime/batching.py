"""Which texts go through the network together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def token_budget_batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Indexes of `lengths` in batches of at most `budget` tokens, padding counted, longest first.

    Every index is in exactly one batch; a text longer than the budget has a batch to itself. The
    longest come first so that running out of memory shows at once, not at the end.
    """
    batches: list[list[int]] = []
    width = 0
    for index in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        if batches and width * (len(batches[-1]) + 1) <= budget:
            batches[-1].append(index)
        else:
            batches.append([index])
            width = max(1, lengths[index])
    return batches


def halving(
    batch: Sequence[int],
    run: Callable[[Sequence[int]], list[T]],
    is_full: Callable[[Exception], bool],
) -> list[T]:
    """`run(batch)`, split in halves for as long as it fails for want of memory.

    Raises the error of a batch of one, and any error that `is_full` does not recognise.
    """
    try:
        return run(batch)
    except Exception as error:
        if len(batch) == 1 or not is_full(error):
            raise
    # Outside the handler, so that the failed call's tensors are released before the next try.
    middle = len(batch) // 2
    return halving(batch[:middle], run, is_full) + halving(batch[middle:], run, is_full)
