"""The plan of a tournament: published for 100 documents, sound for every other number."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from rerank_lab.rerankers.llm.tournament import dealt, stages


def test_the_published_plan_for_a_hundred_and_a_final() -> None:
    plan = stages(100, 20)
    assert [sum(stage.sizes) for stage in plan] == [100, 50, 20, 10, 5, 2]
    assert [len(stage.sizes) for stage in plan] == [5, 5, 1, 1, 1, 1]
    assert [stage.keeps for stage in plan[:2]] == [(10,) * 5, (4,) * 5]


@given(st.integers(0, 400), st.integers(2, 40))
def test_every_stage_fits_the_window_and_hands_all_its_survivors_on(n: int, size: int) -> None:
    plan = stages(n, size)
    left = n
    for stage in plan:
        assert sum(stage.sizes) == left
        assert max(stage.sizes) <= size
        assert min(stage.keeps) >= 1
        assert all(keep <= seats for keep, seats in zip(stage.keeps, stage.sizes, strict=True))
        left = sum(stage.keeps)
    assert left == min(n, 1)


@given(st.integers(2, 120), st.integers(2, 25), st.integers(0, 5))
def test_groups_deal_out_everyone_once_and_the_same_for_the_same_seed(
    n: int, size: int, seed: int
) -> None:
    stage = stages(n, size)[0]
    groups = dealt(range(n), stage, random.Random(seed))
    assert sorted(i for group in groups for i in group) == list(range(n))
    assert [len(group) for group in groups] == list(stage.sizes)
    assert dealt(range(n), stage, random.Random(seed)) == groups
