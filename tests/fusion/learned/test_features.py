"""Features say what is there, call it by its name, and leave out what is not known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_lab.core.types import Document, Query, Ranking
from rerank_lab.fusion.base import Candidates
from rerank_lab.fusion.learned.features import (
    MAX_COLUMNS,
    Features,
    direction,
    number,
    numeric_columns,
)

DOCS = (
    Document("a", "Heat pumps move heat.", "Heat pumps", {"year": 2020}),
    Document("b", "Boilers burn gas, and heat water.", "", {"year": "n/a"}),
    Document("c", "", "Pumps"),
)
BEFORE = Ranking.from_scores("q", {"a": 3.0, "b": 2.0, "c": 1.0}, "bm25")
QUERY = Query("q", "a heat pump")


def row_of(features: Features, doc_id: str, *rankings: Ranking) -> dict[str, float]:
    matrix = features.matrix(Candidates(QUERY, DOCS, BEFORE, rankings))
    place = [doc.id for doc in DOCS].index(doc_id)
    return dict(zip(features.names, matrix[place].tolist(), strict=True))


def test_scores_ranks_and_shares_of_the_stage_before_and_of_sources() -> None:
    dense = Ranking.from_scores("q", {"b": 0.9, "a": 0.1}, "cosine")
    found = row_of(Features(("dense",)), "b", dense)
    assert [found[f"before {what}"] for what in ("score", "rank", "share")] == [2.0, 2.0, 0.5]
    assert [found[f"dense {what}"] for what in ("score", "rank", "share")] == [0.9, 1.0, 1.0]


def test_what_a_source_did_not_see_or_score_is_missing_not_zero() -> None:
    dense = Ranking.from_scores("q", {"b": 0.9}, "cosine")
    absent = row_of(Features(("dense",)), "a", dense)
    assert all(math.isnan(absent[f"dense {what}"]) for what in ("score", "rank", "share"))
    ordered = row_of(Features(("listwise",)), "c", Ranking.from_order("q", ["c", "a", "b"]))
    assert ordered["listwise rank"] == 1
    assert math.isnan(ordered["listwise score"])
    assert math.isnan(ordered["listwise share"])


def test_words_are_compared_by_stem_and_counted() -> None:
    found = row_of(Features(()), "a")
    assert (found["title overlap"], found["text overlap"]) == (1.0, 1.0)
    assert (found["query words"], found["title words"], found["text words"]) == (2, 2, 4)
    bare = row_of(Features(()), "b")
    assert math.isnan(bare["title overlap"])
    assert bare["text overlap"] == 0.5
    assert row_of(Features((), language="none"), "a")["text overlap"] == 1 / 3


def test_columns_are_numbers_or_missing() -> None:
    features = Features((), ("year",))
    assert row_of(features, "a")["column year"] == 2020
    assert math.isnan(row_of(features, "b")["column year"])
    assert math.isnan(row_of(features, "c")["column year"])


@pytest.mark.parametrize(
    ("value", "expected"),
    [(3, 3.0), ("2.5", 2.5), (True, 1.0), ("1e3", 1000.0)],
)
def test_numbers_in_meta(value: object, expected: float) -> None:
    assert number(value) == expected


@pytest.mark.parametrize(
    "value", [None, "", "n/a", "nan", "inf", [1], {"a": 1}, "9" * 400, 10**400]
)
def test_what_is_no_number_is_missing(value: object) -> None:
    assert math.isnan(number(value))


def test_columns_with_one_value_only_are_left_out() -> None:
    docs = [Document(str(n), "x", meta={"same": 1, "year": 2000 + n, "who": "me"}) for n in (1, 2)]
    assert numeric_columns(docs) == ("year",)
    many = [Document(str(n), "x", meta={f"c{i:03}": n * i for i in range(1, 90)}) for n in (1, 2)]
    assert len(numeric_columns(many)) == MAX_COLUMNS


def test_directions_are_known_where_the_meaning_says_so() -> None:
    assert [direction(name) for name in ("dense score", "dense rank", "title overlap")] == [
        1,
        -1,
        1,
    ]
    assert direction("text words") == direction("column score") == 0


scores = st.dictionaries(st.sampled_from("abc"), st.floats(-1e6, 1e6), max_size=3)


@given(first=scores, second=scores)
def test_the_matrix_has_a_column_for_each_name_and_shares_between_0_and_1(
    first: dict[str, float], second: dict[str, float]
) -> None:
    features = Features(("one", "two"), ("year",))
    rankings = tuple(Ranking.from_scores("q", found, "x") for found in (first, second))
    matrix = features.matrix(Candidates(QUERY, DOCS, BEFORE, rankings))
    assert matrix.shape == (len(DOCS), len(features.names))
    assert len(set(features.names)) == len(features.names)
    assert not np.isinf(matrix).any()
    shares = matrix[:, [name.endswith("share") for name in features.names]]
    known = shares[~np.isnan(shares)]
    assert ((known >= 0) & (known <= 1)).all()
