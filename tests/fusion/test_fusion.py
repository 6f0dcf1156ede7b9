"""Fusion: what several lists agree on comes first, and the order of sources changes nothing."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_lab.core.errors import ContractViolation, InvalidInput
from rerank_lab.core.spec import Node
from rerank_lab.core.types import Ranking
from rerank_lab.fusion.rrf import ReciprocalRankFusion, reciprocal_rank
from rerank_lab.fusion.weighted import WeightedFusion, weighted
from rerank_lab.pipeline.pipeline import Pipeline


def ranking(scale: str = "bm25", **scores: float) -> Ranking:
    return Ranking.from_scores("q", scores, scale)


def scores_of(made: Ranking) -> dict[str, float | None]:
    return {hit.doc_id: hit.score for hit in made}


rankings = st.lists(
    st.dictionaries(st.sampled_from("abcdefgh"), st.floats(-1e3, 1e3), max_size=8).map(
        lambda scores: ranking(**scores)
    ),
    min_size=2,
    max_size=4,
)


def test_rrf_adds_reciprocal_ranks() -> None:
    made = reciprocal_rank([ranking(a=9.0, b=3.0), ranking("cosine", b=0.9, c=0.1)])
    assert made.doc_ids == ("b", "a", "c")
    assert scores_of(made) == {"b": 1 / 62 + 1 / 61, "a": 1 / 61, "c": 1 / 62}
    assert made.scale == "rrf"


def test_rrf_needs_no_scores() -> None:
    made = reciprocal_rank([Ranking.from_order("q", ["a", "b"]), ranking(b=1.0)])
    assert made.doc_ids == ("b", "a")


@given(rankings)
def test_the_order_of_sources_changes_nothing(given_rankings: list[Ranking]) -> None:
    for method in (reciprocal_rank, weighted):
        made = [method(order) for order in itertools.permutations(given_rankings)]
        assert all(one == made[0] for one in made)


@given(rankings)
def test_every_document_of_every_source_is_kept_once(given_rankings: list[Ranking]) -> None:
    every = {doc_id for one in given_rankings for doc_id in one.doc_ids}
    for method in (reciprocal_rank, weighted):
        assert set(method(given_rankings).doc_ids) == every


def test_an_absent_document_gets_nothing_from_that_list() -> None:
    made = weighted([ranking(a=2.0, b=1.0), ranking("cosine", c=0.5, d=0.1)])
    assert scores_of(made) == {"a": 0.5, "c": 0.5, "b": 0.0, "d": 0.0}
    made = weighted([ranking(a=2.0, b=0.0), ranking("cosine", c=1.0, d=0.0)], normalise="z-score")
    assert scores_of(made) == {"a": 0.5, "c": 0.5, "b": -0.5, "d": -0.5}


def test_weights_decide_between_lists() -> None:
    lists = [ranking(a=2.0, b=1.0), ranking("cosine", b=0.9, a=0.1)]
    assert weighted(lists, (0.7, 0.3)).doc_ids == ("a", "b")
    assert weighted(lists, (0.3, 0.7)).doc_ids == ("b", "a")
    assert weighted(lists, (7, 3)) == weighted(lists, (0.7, 0.3))


def test_equal_scores_count_as_top_for_min_max_and_as_average_for_z_score() -> None:
    lists = [ranking(a=3.0, b=3.0), ranking(c=5.0)]
    assert scores_of(weighted(lists)) == {"a": 0.5, "b": 0.5, "c": 0.5}
    assert scores_of(weighted(lists, normalise="z-score")) == {"a": 0.0, "b": 0.0, "c": 0.0}


def test_raw_scores_are_added_only_on_one_scale() -> None:
    made = weighted([ranking(a=3.0), ranking(a=1.0, b=4.0)], (1, 1), "none")
    assert scores_of(made) == {"a": 2.0, "b": 2.0}
    with pytest.raises(InvalidInput, match="bm25, cosine") as caught:
        weighted([ranking(a=3.0), ranking("cosine", a=0.3)], normalise="none")
    assert "min-max" in caught.value.hint


def test_empty_lists_are_welcome() -> None:
    empty = ranking("cosine")
    assert weighted([empty, ranking(a=1.0)]).doc_ids == ("a",)
    assert weighted([empty, ranking(a=1.0)], normalise="none").doc_ids == ("a",)
    assert reciprocal_rank([empty, empty]).doc_ids == ()


def test_lists_without_scores_are_refused_when_scores_are_needed() -> None:
    with pytest.raises(InvalidInput, match="without a score") as caught:
        weighted([Ranking.from_order("q", ["a"]), ranking(a=1.0)])
    assert "rrf" in caught.value.hint


def test_rankings_of_different_queries_are_not_mixed() -> None:
    with pytest.raises(ContractViolation):
        reciprocal_rank([ranking(a=1.0), Ranking.from_scores("other", {"a": 1.0}, "bm25")])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("0.7", "1 weights for 2 sources"),
        ("a,b", "not numbers"),
        ("-1,2", "not negative"),
        ("nan,1", "finite"),
        ("0,0", "All weights are 0"),
    ],
)
def test_wrong_weights_are_named_before_any_work(text: str, problem: str) -> None:
    fusion = WeightedFusion((Node("bm25"), Node("dense")), weights=text)
    [found] = fusion.problems()
    assert problem in found.message
    with pytest.raises(InvalidInput, match=problem):
        fusion.fuse([ranking(a=1.0), ranking(b=1.0)])


def test_a_pipeline_with_wrong_weights_is_refused_before_it_runs() -> None:
    inner = 'weighted(bm25,bm25(k=5),weights="1,2,3")'
    [problem] = Pipeline(f"rrf(bm25,{inner})").check()
    assert "3 weights for 2 sources" in problem.message
    assert Pipeline('weighted(bm25,bm25(k=5),weights="1,2")').check() == []


def test_registered_fusions_read_their_options() -> None:
    lists = [ranking(a=2.0, b=1.0), ranking("cosine", b=0.9, c=0.1)]
    assert ReciprocalRankFusion(k=0, top=1).fuse(lists) == reciprocal_rank(lists, 0, 1)
    fused = WeightedFusion(weights="0.9, 0.1", normalise="z-score").fuse(lists)
    assert fused == weighted(lists, (0.9, 0.1), "z-score")
    assert WeightedFusion([Node("bm25")] * 5).problems() == []
