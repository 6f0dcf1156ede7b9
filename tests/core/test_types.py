from __future__ import annotations

import dataclasses
import json
import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_lab.core.errors import ContractViolation
from rerank_lab.core.problems import Problem, Severity
from rerank_lab.core.types import Document, Hit, Query, Ranking, Status, Trace, well_formed

ids = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)
finite = st.floats(allow_nan=False, allow_infinity=False, width=32)


def test_title_and_text_are_joined_in_one_place() -> None:
    assert Document("1", "Berlin is large.", "Berlin").content == "Berlin Berlin is large."
    assert Document("1", "Berlin is large.").content == "Berlin is large."


def test_equal_content_means_equal_hash_whatever_the_id() -> None:
    assert Document("1", "b", "a").content_hash == Document("2", "a b").content_hash
    assert Document("1", "a").content_hash != Document("1", "b").content_hash


def test_a_passage_is_judged_as_its_parent() -> None:
    assert Document("d1#p2", "text", parent="d1").document_id == "d1"
    assert Document("d1", "text").document_id == "d1"


def test_a_typed_query_keeps_its_id() -> None:
    assert Query.of("heat pump") == Query.of("heat pump")
    assert Query.of("heat pump").id != Query.of("Heat pump").id


def test_ties_keep_the_previous_order_then_the_id() -> None:
    scores = {"c": 1.0, "a": 1.0, "b": 1.0, "z": 2.0}
    assert Ranking.from_scores("q", scores, "logit").doc_ids == ("z", "a", "b", "c")
    kept = Ranking.from_scores("q", scores, "logit", previous=["c", "b", "a", "z"])
    assert kept.doc_ids == ("z", "c", "b", "a")


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_no_number_is_refused(score: float) -> None:
    with pytest.raises(ContractViolation, match="not finite"):
        Ranking.from_scores("q", {"a": 1.0, "b": score}, "logit")


@pytest.mark.parametrize(
    "hits",
    [
        (Hit("a", 1, 1.0), Hit("b", 2, 2.0)),
        (Hit("a", 1, 1.0), Hit("a", 2, 0.5)),
        (Hit("a", 2, 1.0),),
        (Hit("a", 1, None), Hit("b", 2, 0.1)),
        (Hit("a", 1, math.nan),),
    ],
    ids=["rising score", "same id twice", "ranks not from 1", "score below none", "not a number"],
)
def test_a_broken_ranking_cannot_exist(hits: tuple[Hit, ...]) -> None:
    with pytest.raises(ContractViolation):
        Ranking("q", hits, "logit")


@given(st.dictionaries(ids, finite, max_size=30))
def test_ranks_count_from_one_and_scores_never_rise(scores: dict[str, float]) -> None:
    ranking = Ranking.from_scores("q", scores, "logit")
    assert [hit.rank for hit in ranking] == list(range(1, len(scores) + 1))
    assert set(ranking.doc_ids) == set(scores)


@given(st.dictionaries(ids, st.integers(-1000, 1000), max_size=30))
def test_a_strictly_increasing_map_of_scores_keeps_the_order(scores: dict[str, int]) -> None:
    plain = Ranking.from_scores("q", {k: float(v) for k, v in scores.items()}, "logit")
    squeezed = Ranking.from_scores("q", {k: math.atan(v) for k, v in scores.items()}, "x")
    assert plain.doc_ids == squeezed.doc_ids


def test_a_reranked_head_keeps_the_rest_below_it_without_scores() -> None:
    ranking = Ranking.from_scores("q", {"b": 2.0, "a": 1.0}, "logit").followed_by(["d", "c"])
    assert ranking.doc_ids == ("b", "a", "d", "c")
    assert [hit.score for hit in ranking] == [2.0, 1.0, None, None]
    assert ranking.scale == "logit"


def test_passages_fold_to_documents_at_their_best_place() -> None:
    ranking = Ranking.from_scores("q", {"a#2": 3.0, "b#1": 2.0, "a#1": 1.0, "c": 0.5}, "logit")
    folded, passages = ranking.folded({"a#1": "a", "a#2": "a", "b#1": "b"})
    assert folded.doc_ids == ("a", "b", "c")
    assert passages == {"a": "a#2", "b": "b#1", "c": "c"}


@given(st.lists(st.tuples(ids, ids), max_size=20))
def test_folding_never_loses_or_repeats_a_document(pairs: list[tuple[str, str]]) -> None:
    parent_of = dict(pairs)
    ranking = Ranking.from_order("q", list(parent_of))
    folded, passages = ranking.folded(parent_of)
    assert sorted(folded.doc_ids) == sorted(set(parent_of.values()))
    assert all(parent_of[passages[document]] == document for document in folded.doc_ids)


def test_traces_add_up_and_name_each_model_once() -> None:
    total = Trace(compute_s=1, calls=2, model_asked="a", warnings=("w",)) + Trace(
        load_s=2, calls=1, model_asked="b", warnings=("w", "v")
    )
    assert (total.total_s, total.warm_s, total.calls) == (3, 1, 3)
    assert (total.model_asked, total.warnings) == ("a, b", ("w", "v"))


def test_adding_nothing_changes_nothing() -> None:
    trace = Trace(compute_s=1.5, tokens_in=3, model_asked="m", warnings=("w",))
    assert trace + Trace() == trace == Trace() + trace


def test_a_trace_survives_json_even_with_fields_of_a_later_version() -> None:
    trace = Trace(compute_s=0.25, cost=0.1, cost_unit="USD", warnings=("slow",))
    assert msgspec.convert(trace.to_json() | {"new_field": 1}, Trace) == trace


def test_a_trace_is_written_as_its_fields_and_spans_only_where_there_are_some() -> None:
    plain = Trace(warnings=("slow",), counts={"answers": 2.0})
    fields = dataclasses.asdict(plain) | {"warnings": ["slow"]}
    assert fields.pop("relevant_spans") == {}
    assert json.loads(json.dumps(plain.to_json())) == fields
    marked = Trace(relevant_spans={"d": ((0, 3), (5, 9))})
    assert json.loads(json.dumps(marked.to_json()))["relevant_spans"] == {"d": [[0, 3], [5, 9]]}
    assert msgspec.convert(marked.to_json(), Trace) == marked


def test_a_problem_is_written_as_its_fields() -> None:
    problem = Problem(Severity.ERROR, "No text.", "Add one.", "a.csv", 7, "text")
    assert problem.to_json() == {
        "severity": "error", "message": "No text.", "hint": "Add one.", "file": "a.csv", "line": 7,
        "field": "text",
    }  # fmt: skip


def test_values_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Document("1", "text").text = "other"  # type: ignore[misc]


def test_a_fallback_is_not_an_answer() -> None:
    assert Status.TRUNCATED.answered
    assert not Status.FALLBACK.answered
    assert not Status.FAILED.answered


def test_lone_surrogates_are_cleaned_in_documents_and_queries() -> None:
    document = Document("d", "half \ud83d of it", "\udcff title")
    assert (document.text, document.title) == ("half \ufffd of it", "\ufffd title")
    assert document.content_hash == Document("d", "half \ufffd of it", "\ufffd title").content_hash
    assert Query("q", "coffee \ud83d").text == "coffee \ufffd"
    assert Query.of("coffee \ud83d") == Query.of("coffee \ufffd")


def test_two_surrogates_that_belong_together_are_one_character() -> None:
    assert Document("d", "\ud83d\ude00").text == "😀"
    assert well_formed("plain") == "plain"
    assert well_formed("größer 😀") == "größer 😀"
