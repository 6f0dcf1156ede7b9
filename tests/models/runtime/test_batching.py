"""Token-budget batches: everything once, within the budget, longest first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_lab.models.runtime.batching import halving, token_budget_batches

LENGTHS = st.lists(st.integers(0, 600), max_size=80)


@given(LENGTHS, st.integers(1, 4000))
def test_every_index_once_within_the_budget(lengths: list[int], budget: int) -> None:
    batches = token_budget_batches(lengths, budget)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        padded = max(lengths[i] for i in batch) * len(batch)
        assert len(batch) == 1 or padded <= budget


@given(LENGTHS, st.integers(1, 4000))
def test_longest_first_so_that_memory_runs_out_at_once(lengths: list[int], budget: int) -> None:
    order = [lengths[i] for batch in token_budget_batches(lengths, budget) for i in batch]
    assert order == sorted(lengths, reverse=True)


@given(st.lists(st.integers(), min_size=1, max_size=40), st.integers(1, 40))
def test_halving_gives_the_same_results_in_order(items: list[int], fits: int) -> None:
    def run(batch: object) -> list[int]:
        assert isinstance(batch, list | range)
        if len(batch) > fits:
            raise MemoryError
        return [items[i] * 2 for i in batch]

    done = halving(list(range(len(items))), run, lambda error: isinstance(error, MemoryError))
    assert done == [item * 2 for item in items]


def test_other_errors_are_not_retried() -> None:
    calls = []

    def run(batch: object) -> list[int]:
        calls.append(batch)
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        halving([1, 2, 3], run, lambda error: isinstance(error, MemoryError))
    assert len(calls) == 1
