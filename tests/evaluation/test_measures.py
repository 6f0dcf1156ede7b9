from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Ranking
from rerank_lab.evaluation.measure_names import parse_measures
from rerank_lab.evaluation.measures import (
    DEFAULT_MEASURES,
    Averaging,
    ceiling,
    headroom,
    measure,
    query_measures,
)

NAMES = ["nDCG@10", "RR@10", "AP", "P@5", "R@10", "Success@3"]


def order(query_id: str, text: str) -> Ranking:
    return Ranking.from_order(query_id, text.split())


def test_known_values_of_one_query() -> None:
    found = query_measures({"a": 3, "b": 0, "c": 1}, order("q", "b a x c"), NAMES)

    assert found["RR@10"] == 0.5
    assert found["AP"] == (1 / 2 + 2 / 4) / 2
    assert found["P@5"] == 2 / 5
    assert found["R@10"] == 1.0
    assert found["nDCG@10"] == pytest.approx((3 / 1.5849625007 + 1 / 2.3219280949) / (3 + 0.63093))


def test_ranks_decide_even_where_scores_are_tied_or_absent() -> None:
    qrels = {"q": {"z": 1}}
    tied = Ranking.from_scores("q", {"a": 1.0, "z": 1.0}, "logit", previous=["a", "z"])
    unscored_tail = Ranking.from_scores("q", {"a": -4.0}, "logit").followed_by(["z", "b"])

    for ranking in (tied, unscored_tail):
        assert measure(qrels, {"q": ranking}, ["RR@10"]).measures["RR@10"] == 0.5


def test_trec_order_breaks_ties_by_document_id_descending_in_32_bits() -> None:
    close = Ranking.from_scores("q", {"a": 1.0 + 1e-10, "z": 1.0}, "run")
    trec = Averaging(trec_order=True)

    assert measure({"q": {"z": 1}}, {"q": close}, ["RR", "RR@10"], trec).measures == {
        "RR": 1.0,
        "RR@10": 1.0,
    }
    assert measure({"q": {"z": 1}}, {"q": close}, ["RR"]).measures == {"RR": 0.5}


def test_a_judged_query_without_a_ranking_counts_as_zero_and_is_named() -> None:
    qrels = {"q1": {"a": 1}, "q2": {"a": 1}, "q3": {}}
    run = {"q1": order("q1", "a"), "q9": order("q9", "a")}

    whole = measure(qrels, run, ["RR", "NumQ", "NumRel", "Judged@10"])
    part = measure(qrels, run, ["RR", "NumQ", "NumRel"], Averaging(complete=False))

    assert whole.measures == {"RR": 0.5, "NumQ": 2.0, "NumRel": 2.0, "Judged@10": 0.5}
    assert whole.per_query["q2"] == {"RR": 0.0, "NumQ": 1.0, "NumRel": 1.0, "Judged@10": 0.0}
    assert whole.missing == part.missing == ("q2",)
    assert whole.unjudged == ("q9",)
    assert part.measures == {"RR": 1.0, "NumQ": 1.0, "NumRel": 1.0}
    assert list(part.per_query) == ["q1"]


def test_an_empty_ranking_is_an_answer_that_found_nothing() -> None:
    done = measure({"q": {"a": 1}}, {"q": order("q", "")}, DEFAULT_MEASURES)

    assert done.missing == ()
    assert set(done.measures.values()) == {0.0}


def test_run_and_judgments_of_different_queries_are_refused() -> None:
    with pytest.raises(InvalidInput, match="None of the 1 ranked queries") as caught:
        measure({"1": {"a": 1}}, {"01": order("01", "a")})
    assert "query ids" in caught.value.hint


def test_measures_are_named_as_asked_and_aliases_agree() -> None:
    done = measure({"q": {"a": 1}}, {"q": order("q", "b a")}, ["MRR@10", "RR@10", " AP "])

    assert done.measures == {"MRR@10": 0.5, "RR@10": 0.5, "AP": 0.5}


def test_relevance_level_and_gains() -> None:
    grades = {"a": 1, "b": 2}
    found = query_measures(grades, order("q", "a b"), ["RR(rel=2)", "AP(rel=2)", "RR(rel=2)@1"])

    assert found == {"RR(rel=2)": 0.5, "AP(rel=2)": 0.5, "RR(rel=2)@1": 0.0}


def test_every_bad_name_is_reported_with_the_nearest_good_one() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_measures(["nDGC@10", "ndcg@10", "P", "AP", "R(foo=1)@3", "nDCG@x", "os.system('x')"])

    problems = caught.value.problems
    assert len(problems) == 6
    assert "did you mean nDCG" in problems[0]
    assert "nDCG" in problems[1] or "NDCG" in problems[1]
    assert "cutoff" in problems[2]
    assert "foo" in problems[3]
    assert "nDCG@10" in caught.value.hint
    with pytest.raises(InvalidInput, match="No measure"):
        parse_measures([])


def test_nothing_judged_means_no_number() -> None:
    assert query_measures({}, order("q", "a")) == {}
    assert ceiling({}, ["a"]) is None
    assert headroom({}, order("q", "a")) is None


def test_ceiling_is_what_the_candidates_allow() -> None:
    grades = {"a": 3, "b": 1, "missed": 3}
    best = ceiling(grades, ["x", "b", "a"])

    ideal = query_measures(grades, order("q", "a b x"))["nDCG@10"]
    assert best == ideal
    assert best is not None
    assert best < 1
    assert headroom(grades, order("q", "x b a")) == pytest.approx(
        ideal - query_measures(grades, order("q", "x b a"))["nDCG@10"]
    )
    assert headroom(grades, order("q", "a b x")) == 0.0
    assert ceiling(grades, []) == 0.0


graded = st.dictionaries(
    st.sampled_from([f"d{i}" for i in range(12)]), st.integers(0, 3), min_size=1
)
listed = st.permutations([f"d{i}" for i in range(12)]).flatmap(
    lambda ids: st.integers(1, 12).map(lambda n: ids[:n])
)


@given(graded, listed)
def test_values_lie_between_0_and_1_and_below_the_ceiling(
    grades: dict[str, int], ids: list[str]
) -> None:
    found = query_measures(grades, Ranking.from_order("q", ids), NAMES)

    for name, value in found.items():
        best = ceiling(grades, ids, name)
        assert best is not None
        assert 0 <= value <= best + 1e-12
        assert best <= 1 + 1e-12


@given(graded)
def test_the_ideal_order_is_worth_1(grades: dict[str, int]) -> None:
    ideal = sorted(grades, key=lambda doc_id: -grades[doc_id])
    found = query_measures(grades, Ranking.from_order("q", ideal), ["nDCG@10", "RR", "nDCG"])

    expected = 1.0 if any(grades.values()) else 0.0
    assert list(found.values()) == pytest.approx([expected] * 3)


@given(graded, listed, st.data())
def test_a_relevant_document_moving_up_never_lowers_a_measure(
    grades: dict[str, int], ids: list[str], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(ids) - 1))
    if at == 0 or grades.get(ids[at], 0) <= grades.get(ids[at - 1], 0):
        return
    better = [*ids[: at - 1], ids[at], ids[at - 1], *ids[at + 1 :]]

    before = query_measures(grades, Ranking.from_order("q", ids), NAMES)
    after = query_measures(grades, Ranking.from_order("q", better), NAMES)
    for name in NAMES:
        assert after[name] >= before[name] - 1e-12
