"""The listwise, pairwise and setwise bases, driven by small models whose preference is known."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_lab.components.base import Info, Param
from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Document, Query, Status
from rerank_lab.core.work import Work
from rerank_lab.rerankers.base import TOP, Reranker
from rerank_lab.rerankers.comparative import (
    STEP,
    WINDOW,
    ListwiseReranker,
    PairwiseReranker,
    SetwiseReranker,
    UnusableAnswer,
    repaired,
    windows,
)
from rerank_lab.rerankers.score_cache import ScoreCache

QUERY = Query("q", "largest number first")


def documents(values: Sequence[int]) -> list[Document]:
    return [Document(f"d{i}", str(value)) for i, value in enumerate(values)]


class Listwise(ListwiseReranker):
    """Sorts numbers, largest first."""

    info: ClassVar[Info] = Info("l", "reranker", "test", "s", "order", (TOP, WINDOW, STEP))
    calls = 0

    def order(self, query: str, texts: Sequence[str], work: Work) -> list[int]:
        self.calls += 1
        return sorted(range(len(texts)), key=lambda i: -int(texts[i]))


class Careless(Listwise):
    """Names a document twice, invents one and leaves some out."""

    def order(self, query: str, texts: Sequence[str], work: Work) -> list[int]:
        best = super().order(query, texts, work)
        return [best[0], best[0], 99]


class Chatty(Listwise):
    """Never answers the question."""

    def order(self, query: str, texts: Sequence[str], work: Work) -> list[int]:
        self.calls += 1
        raise UnusableAnswer("It chatted.", hint="Use a stronger model.")


class Pairwise(PairwiseReranker):
    info: ClassVar[Info] = Info("p", "reranker", "test", "s", "wins", (TOP,))
    calls = 0

    def prefer(self, query: str, first: str, second: str, work: Work) -> float:
        self.calls += 1
        return 0.5 if first == second else float(int(first) > int(second))


class Biased(Pairwise):
    """Always prefers what it sees first."""

    def prefer(self, query: str, first: str, second: str, work: Work) -> float:
        return 1.0


class Setwise(SetwiseReranker):
    info: ClassVar[Info] = Info(
        "s", "reranker", "test", "s", "order", (TOP, Param("keep", 10, "places", low=1, high=100))
    )

    def pick(self, query: str, texts: Sequence[str], work: Work) -> int:
        return max(range(len(texts)), key=lambda i: int(texts[i]))


@pytest.mark.parametrize("n", [0, 1, 2, 19, 20, 21, 29, 30, 100, 105])
def test_windows_reach_every_document(n: int) -> None:
    covered = {i for start, end in windows(n, 20, 10) for i in range(start, end)}
    assert covered == set(range(n))
    assert windows(0, 20, 10) == []


@given(st.integers(0, 300), st.integers(2, 40), st.data())
def test_each_window_overlaps_the_one_below_it(n: int, size: int, data: st.DataObject) -> None:
    step = data.draw(st.integers(1, size - 1))
    spans = windows(n, size, step)
    assert all(end - start == min(n, size) for start, end in spans)
    assert all(above[1] > below[0] for below, above in pairwise(spans))
    assert not spans or spans[-1][0] == 0


def test_a_step_as_wide_as_the_window_is_refused() -> None:
    with pytest.raises(InvalidInput, match="does not fit"):
        windows(30, 10, 10)


@given(st.lists(st.integers(-5, 12), max_size=20), st.integers(0, 10))
def test_any_answer_is_repaired_to_a_permutation(answer: list[int], n: int) -> None:
    order, repairs = repaired(answer, n)
    assert sorted(order) == list(range(n))
    assert (repairs == 0) == (order == answer)


def test_the_best_document_climbs_from_the_bottom_to_the_top() -> None:
    docs = documents([*range(104, 0, -1), 999])
    result = Listwise().rerank(QUERY, docs, Context())
    assert result.ranking.doc_ids[0] == "d104"
    assert all(hit.score is None for hit in result.ranking)
    assert (result.status, result.ranking.scale) == (Status.OK, "order")


def test_repairs_are_counted_and_shown() -> None:
    result = Careless().rerank(QUERY, documents([1, 3, 2]), Context())
    assert result.ranking.doc_ids == ("d1", "d0", "d2")
    assert result.status is Status.REPAIRED
    assert result.trace.repairs == 4


def test_an_unusable_answer_is_asked_for_again_once_then_marked_as_fallback() -> None:
    model = Chatty()
    result = model.rerank(QUERY, documents([1, 3, 2]), Context())
    assert model.calls == 2
    assert result.status is Status.FALLBACK
    assert result.ranking.doc_ids == ("d0", "d1", "d2")
    assert result.trace.warnings == ("It chatted.",)


def test_the_same_list_in_the_same_order_is_not_asked_twice(tmp_path: Path) -> None:
    model, ctx = Listwise(), Context(cache=ScoreCache(tmp_path / "s.sqlite"))
    first = model.rerank(QUERY, documents([1, 3, 2]), ctx)
    again = model.rerank(QUERY, documents([1, 3, 2]), ctx)
    assert (model.calls, again.status) == (1, Status.CACHED)
    assert again.ranking == first.ranking
    model.rerank(QUERY, documents([3, 1, 2]), ctx)
    assert model.calls == 2


@given(st.lists(st.integers(0, 50), min_size=1, max_size=9))
def test_comparing_pairs_sorts_with_ties_in_the_old_order(values: list[int]) -> None:
    result = Pairwise().rerank(QUERY, documents(values), Context())
    order = [int(doc_id[1:]) for doc_id in result.ranking.doc_ids]
    assert order == sorted(range(len(values)), key=lambda i: (-values[i], i))
    n = len(values)
    assert sum(hit.score or 0.0 for hit in result.ranking) == n * (n - 1) / 2


def test_position_bias_cancels_out() -> None:
    result = Biased().rerank(QUERY, documents([1, 3, 2]), Context())
    assert result.ranking.doc_ids == ("d0", "d1", "d2")
    assert {hit.score for hit in result.ranking} == {1.0}


@given(st.lists(st.integers(0, 500), min_size=1, max_size=30, unique=True))
def test_picking_the_best_of_a_few_finds_the_top_places(values: list[int]) -> None:
    result = Setwise(keep=5).rerank(QUERY, documents(values), Context())
    top = [values[int(doc_id[1:])] for doc_id in result.ranking.doc_ids[:5]]
    assert top == sorted(values, reverse=True)[:5]


def test_a_pick_that_does_not_exist_is_no_answer() -> None:
    class Wild(Setwise):
        def pick(self, query: str, texts: Sequence[str], work: Work) -> int:
            return len(texts)

    result = Wild().rerank(QUERY, documents([1, 3, 2]), Context())
    assert result.status is Status.FALLBACK
    assert result.ranking.doc_ids == ("d0", "d1", "d2")


@pytest.mark.parametrize("model", [Listwise(), Pairwise(), Setwise()])
def test_one_document_and_none_are_not_special(model: Reranker) -> None:
    assert len(model.rerank(QUERY, [], Context()).ranking) == 0
    assert model.rerank(QUERY, documents([7]), Context()).ranking.doc_ids == ("d0",)
