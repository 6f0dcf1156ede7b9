"""Sorting by a model that can only say which of a few items is the best: bubble sort and heap sort.

Both decide the first `keep` places and leave the other items in the order in which they came.
`best(group)` gives the position of the best item of a group, or None when that cannot be told: then
the order from before decides, and where nothing can be told at all, it is the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
Best = Callable[[list[T]], int | None]
Placed = Callable[[int], None]


def _unheard(_: int) -> None:
    return None


def bubble_top(
    items: Sequence[T], keep: int, size: int, best: Best[T], placed: Placed = _unheard
) -> list[T]:
    """The best items bubble up in groups of `size`, one place a pass.

    In groups of two, a pass without an exchange means that all is in order and ends the sort.
    `placed(k)` is called when k places are decided.
    """
    current = list(items)
    for place in range(min(keep, len(current))):
        end, moved = len(current), False
        while end > place + 1:
            start = max(place, end - size)
            best_at = best(current[start:end]) or 0
            moved = moved or best_at > 0
            current.insert(start, current.pop(start + best_at))
            end = start + 1
        placed(place + 1)
        if size == 2 and not moved:
            break
    return current


def heap_top(
    items: Sequence[T], keep: int, children: int, best: Best[T], placed: Placed = _unheard
) -> list[T]:
    """The best items come off a heap in which each item has up to `children` below it.

    Groups hold an item followed by its children (Zhuang et al. 2024, setwise heap sort; with two
    children asked in pairs, Qin et al. 2024).
    """
    heap = list(range(len(items)))
    keep = min(keep, len(items))
    if len(heap) < 2:
        return list(items)
    for parent in range((len(heap) - 2) // children, -1, -1):
        _sift(heap, parent, children, items, best)
    top: list[int] = []
    while len(top) < keep:
        top.append(heap[0])
        last = heap.pop()
        placed(len(top))
        if not heap:
            break
        heap[0] = last
        if len(top) < keep:
            _sift(heap, 0, children, items, best)
    chosen = set(top)
    return [items[i] for i in top] + [x for i, x in enumerate(items) if i not in chosen]


def _sift(heap: list[int], at: int, children: int, items: Sequence[T], best: Best[T]) -> None:
    while (first := at * children + 1) < len(heap):
        places = [at, *range(first, min(first + children, len(heap)))]
        choice = best([items[heap[place]] for place in places])
        # A heap stirs its items, so the order from before is that of their first positions.
        winner = min(places, key=lambda place: heap[place]) if choice is None else places[choice]
        if winner == at:
            return
        heap[at], heap[winner] = heap[winner], heap[at]
        at = winner


def bubble_groups(n: int, keep: int, size: int) -> tuple[int, int]:
    """The fewest and the most groups that `bubble_top` asks about."""
    passes = [-(-(n - place - 1) // (size - 1)) for place in range(min(keep, n))]
    most = sum(passes)
    return (passes[0] if size == 2 and passes else most), most


def heap_groups(n: int, keep: int, children: int) -> tuple[int, int]:
    """The fewest and the most groups that `heap_top` asks about."""
    if n < 2:
        return 0, 0
    parents = range((n - 2) // children + 1)
    most = sum(_height(parent, n, children) for parent in parents)
    fewest = len(parents)
    for size in range(n - 1, n - min(keep, n), -1):
        most += _height(0, size, children)
        fewest += size > 1
    return fewest, most


def _height(at: int, n: int, children: int) -> int:
    levels = 0
    while (at := at * children + 1) < n:
        levels += 1
    return levels
