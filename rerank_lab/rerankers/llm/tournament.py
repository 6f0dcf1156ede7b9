"""The plan of a TourRank tournament for any number of documents (Chen et al. 2024)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

_LADDER = (2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
_SHARE = 0.6


@dataclass(frozen=True, slots=True)
class Stage:
    """`sizes[i]` documents meet in group i, and `keeps[i]` of them go on."""

    sizes: tuple[int, ...]
    keeps: tuple[int, ...]


def stages(n: int, size: int) -> list[Stage]:
    """The stages of one round over n documents, groups of at most `size`.

    100 documents in groups of 20 give the published plan, 100, 50, 20, 10, 5, 2 in 13 groups, and
    a final: without it the last two would be level in every round. One document needs no stage.
    """
    listed: list[Stage] = []
    left = n
    while left > 1:
        # Every group sends somebody on: nobody is asked for the best none.
        after = max(_next(left), -(-left // size))
        groups = _groups(left, after, size)
        listed.append(Stage(_shared(left, groups), _shared(after, groups)))
        left = after
    return listed


def dealt(order: Sequence[int], stage: Stage, rng: random.Random) -> list[list[int]]:
    """The groups of a stage: dealt by stride, so that strong and weak mix, then shuffled."""
    groups = [list(order[i :: len(stage.sizes)]) for i in range(len(stage.sizes))]
    for group in groups:
        rng.shuffle(group)
    return groups


def _next(left: int) -> int:
    if left == 2:
        return 1
    return max((step for step in _LADDER if step <= _SHARE * left), default=2)


def _groups(left: int, after: int, size: int) -> int:
    fewest = -(-left // size)
    even = (g for g in range(fewest, 2 * fewest + 1) if left % g == 0 and after % g == 0)
    return next(even, fewest)


def _shared(total: int, groups: int) -> tuple[int, ...]:
    """`total` in `groups` parts as equal as can be, the larger ones first: as a stride deals."""
    return tuple(total // groups + (i < total % groups) for i in range(groups))
