"""Bubble and heap sort by "which of these is best": right at the top, old order below, bounded."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from rerank_lab.rerankers.sorting import bubble_groups, bubble_top, heap_groups, heap_top

NUMBERS = st.lists(st.integers(0, 1000), max_size=40, unique=True)


class Judge:
    """Picks the largest number and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, group: list[int]) -> int:
        assert len(group) >= 2
        self.asked += 1
        return max(range(len(group)), key=lambda i: group[i])


def expected(items: Sequence[int], keep: int) -> list[int]:
    top = sorted(items, reverse=True)[:keep]
    return top


@given(NUMBERS, st.integers(1, 12), st.integers(2, 20))
def test_bubble_sort_decides_the_top_and_asks_within_its_bounds(
    items: list[int], keep: int, size: int
) -> None:
    judge = Judge()
    found = bubble_top(items, keep, size, judge)
    fewest, most = bubble_groups(len(items), keep, size)
    assert found[:keep] == expected(items, keep)
    assert sorted(found) == sorted(items)
    assert fewest <= judge.asked <= most


@given(NUMBERS, st.integers(1, 12), st.integers(2, 20))
def test_heap_sort_decides_the_top_keeps_the_rest_and_asks_within_its_bounds(
    items: list[int], keep: int, children: int
) -> None:
    judge = Judge()
    found = heap_top(items, keep, children, judge)
    fewest, most = heap_groups(len(items), keep, children)
    top = expected(items, keep)
    assert found == top + [item for item in items if item not in top]
    assert fewest <= judge.asked <= most


@given(st.integers(0, 40), st.integers(1, 12), st.integers(2, 20))
def test_when_nothing_can_be_told_the_order_stays(n: int, keep: int, size: int) -> None:
    items = list(range(n))
    assert heap_top(items, keep, size, lambda group: None) == items
    assert bubble_top(items, keep, size, lambda group: None) == items


def test_a_sorted_list_costs_the_bubble_sort_of_pairs_one_pass() -> None:
    judge = Judge()
    assert bubble_top(list(range(20, 0, -1)), 10, 2, judge) == list(range(20, 0, -1))
    assert judge.asked == 19


def test_progress_is_told_place_by_place() -> None:
    told: list[int] = []
    heap_top([3, 1, 2], 3, 2, Judge(), told.append)
    assert told == [1, 2, 3]
