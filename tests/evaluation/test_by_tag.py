from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Query
from rerank_lab.evaluation.by_tag import by_tag, column_weights, groups_of, weighted_means
from rerank_lab.evaluation.experiments import Design, Evaluation
from rerank_lab.evaluation.query_tags import tag_groups
from rerank_lab.evaluation.statistics import paired
from tests.views.evaluations import evaluation


def tagged(places: Mapping[str, Sequence[int]], columns: Mapping[str, Sequence[Any]]) -> Evaluation:
    """An evaluation by the rank of the only relevant document, its queries with columns."""
    done = evaluation(places)
    queries = tuple(
        replace(query, meta={name: values[n] for name, values in columns.items()})
        for n, query in enumerate(done.design.queries)
    )
    return replace(done, design=replace(done.design, queries=queries))


HARD = 12
PLACES = {"bm25": [1] * HARD + [4] * HARD, "dense": [4] * HARD + [1] * HARD,
          "worse": [5] * HARD + [5] * HARD}  # fmt: skip
KIND = {"kind": ["code"] * HARD + ["words"] * HARD}


def test_every_tag_has_its_means_and_its_own_comparison() -> None:
    result = by_tag(tagged(PLACES, KIND), "kind", measures=("RR@10", "nDCG@10"))

    assert [(tag.tag, tag.queries, tag.enough) for tag in result.tags] == [
        ("code", 12, True), ("words", 12, True),
    ]  # fmt: skip
    means = {(tag.tag, one.pipeline): one.mean for tag in result.tags for one in tag.means
             if one.measure == "RR@10"}  # fmt: skip
    assert means["code", "bm25"] == means["words", "dense"] == 1.0
    assert means["words", "bm25"] == means["code", "dense"] == 0.25
    (code, words) = ({one.b: one for one in tag.comparisons} for tag in result.tags)
    assert (code["dense"].difference, words["dense"].difference) == (-0.75, 0.75)
    # Four comparisons in the table: the smallest p is multiplied by four.
    assert code["dense"].p_holm == pytest.approx(4 * (code["dense"].p or 0))


def test_the_largest_crossover_is_named_first_and_only_where_both_sides_are_shown() -> None:
    result = by_tag(tagged(PLACES, KIND), "kind")
    first = result.crossovers[0]

    assert (first.a, first.b, first.ahead, first.behind) == ("bm25", "dense", "code", "words")
    assert (first.lead, first.deficit) == (0.75, -0.75)
    assert first.shown()
    assert {(one.a, one.b) for one in result.crossovers} == {("bm25", "dense")}


def test_a_tag_with_few_queries_says_so_and_makes_no_crossover() -> None:
    few = tagged({"bm25": [1] * 5 + [4] * 12, "dense": [4] * 5 + [1] * 12},
                 {"kind": ["code"] * 5 + ["words"] * 12})  # fmt: skip
    result = by_tag(few, "kind")
    assert [tag.enough for tag in result.tags] == [True, False]
    assert result.crossovers == ()
    assert result.to_json()["tags"][1]["enough"] is False


def test_queries_without_a_tag_are_counted_and_unknown_groups_are_refused() -> None:
    done = tagged(PLACES, {"kind": ["code"] * 12 + ["words"] * 6 + [None] * 6})
    assert by_tag(done, "kind").untagged == 6
    with pytest.raises(InvalidInput, match="not grouped by 'intent'"):
        by_tag(done, "intent")


def test_groups_come_from_columns_and_texts_but_not_from_what_is_different_everywhere() -> None:
    queries = [
        Query(f"q{n}", "wie kann ich das nicht mehr" if n % 2 else "how do I change my plan now",
              {"note": f"free text {n}", "intent": ["refund", "travel"][n % 2],
               "tags": ["head", "mobile"] if n < 6 else ["tail"], "frequency": 3})
        for n in range(12)
    ]  # fmt: skip
    groups = {group.name: dict(group.tags) for group in tag_groups(queries)}

    assert list(groups) == ["intent", "tags", "traffic", "language"]
    assert set(groups["language"]) == {"English", "German"}
    assert {tag: len(ids) for tag, ids in groups["traffic"].items()} == {"head": 6, "tail": 6}
    assert len(groups["tags"]["mobile"]) == 6


def test_frequencies_make_head_torso_and_tail_where_no_tag_does() -> None:
    queries = [Query(f"q{n:02}", "one two", {"frequency": 100 if n < 2 else 10 if n < 22 else 1})
               for n in range(222)]  # fmt: skip
    (traffic,) = (group for group in tag_groups(queries) if group.name == "traffic")
    assert {tag: len(ids) for tag, ids in traffic.tags.items()} == {
        "head": 2, "torso": 20, "tail": 200,
    }  # fmt: skip


def test_weights_make_each_tag_count_by_its_share() -> None:
    done = tagged({"bm25": [1] * 4 + [2] * 16, "dense": [2] * 4 + [1] * 16},
                  {"kind": ["head"] * 4 + ["tail"] * 16})  # fmt: skip
    (group,) = (one for one in groups_of(done) if one.name == "kind")
    even = {
        one.pipeline: one for one in weighted_means(done, group.weights({"head": 1, "tail": 1}))
    }

    assert even["bm25"].mean == even["dense"].mean == pytest.approx(0.75)
    assert even["bm25"].p_holm is None
    assert even["dense"].effective == pytest.approx(1 / (4 * (0.5 / 4) ** 2 + 16 * (0.5 / 16) ** 2))
    plain = {one.pipeline: one for one in weighted_means(done, dict.fromkeys(done.common, 7.0))}
    values = [done.values(name, "RR@10") for name in ("bm25", "dense")]
    compared = paired(*values)
    assert plain["dense"].difference == pytest.approx(compared.difference)
    assert plain["dense"].low == pytest.approx(compared.low)
    assert plain["dense"].p_holm == compared.p


def test_the_interval_of_a_weighted_mean_covers_it_at_the_stated_rate() -> None:
    from rerank_lab.evaluation.statistics import Settings, bootstrap_interval

    generator, covered = np.random.default_rng(5), 0
    for _ in range(200):
        heavy = generator.random(40) < 0.25
        values = np.where(heavy, generator.normal(0.5, 0.3, 40), generator.normal(0.1, 0.1, 40))
        low, high = bootstrap_interval(values, Settings(resamples=500), np.where(heavy, 3.0, 1.0))
        # A quarter of the queries with weight 3: (0.25 * 3 * 0.5 + 0.75 * 0.1) / 1.5
        covered += bool(low is not None and high is not None and low <= 0.3 <= high)
    assert 180 <= covered <= 199


def test_columns_that_group_stay_with_the_design() -> None:
    done = tagged(PLACES, KIND | {"weight": ["2"] * 24, "raw": [{"a": 1}] * 24})
    kept = Design.from_json(done.design.to_json())
    assert dict(kept.queries[0].meta) == {"kind": "code", "weight": 2.0}
    assert column_weights(replace(done, design=kept))["q23"] == 2.0
