"""Query sets: texts as they are, bands of a log, keyword queries, and what repeats its document."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Document
from rerank_lab.judging.query_sets import (
    copies_document,
    counted_log,
    document_frequencies,
    joined,
    keyword_query,
    lab_query,
    log_bands,
    log_sample,
    longest_common_run,
    typed_queries,
)
from rerank_lab.judging.records import LabQuerySet, QueryOrigin

NOW = datetime(2026, 11, 28, tzinfo=UTC)


def test_typed_queries_keep_their_letters_and_lose_only_white_space() -> None:
    queries = typed_queries(["Nike", "nike", "  red   shoes ", "", "red shoes"], ["shop", "shop"])
    assert [query.text for query in queries] == ["Nike", "nike", "red shoes"]
    assert len({query.query_id for query in queries}) == 3
    assert queries[0].tags == ("shop",)
    with pytest.raises(InvalidInput, match="2,001 characters"):
        typed_queries(["x" * 2001])


def test_the_bands_of_a_log_share_the_traffic() -> None:
    counts = {"a": 40, "b": 20, "c": 10, "d": 10, **{f"e{n}": 1 for n in range(20)}}
    bands = {one.text: one.band for one in log_bands(counts)}
    assert (bands["a"], bands["b"], bands["c"], bands["d"]) == ("head", "torso", "torso", "tail")
    assert {bands[f"e{n}"] for n in range(20)} == {"tail"}


def test_a_sample_takes_a_third_of_each_band_and_fills_up_from_the_tail() -> None:
    counts = {"a": 40, "b": 20, "c": 10, "d": 10, **{f"e{n}": 1 for n in range(20)}}
    sample = log_sample(counts, 9, tags=["shop"])
    assert len({query.text for query in sample}) == 9
    tags = [query.tags[0] for query in sample]
    assert (tags.count("head"), tags.count("torso"), tags.count("tail")) == (1, 2, 6)
    assert all(query.origin is QueryOrigin.LOG and query.tags[1] == "shop" for query in sample)
    assert {query.text: query.frequency for query in sample}["a"] == 40
    assert sample == log_sample(counts, 9, tags=["shop"]) != log_sample(counts, 9, seed=1)
    assert len(log_sample(counts, 1000)) == 24
    assert log_sample({}, 5) == ()


def test_a_log_counts_queries_whatever_their_spaces() -> None:
    assert counted_log([("red  shoes", 2), ("red shoes", 3), (" ", 9)]) == {"red shoes": 5}
    with pytest.raises(InvalidInput, match="asked 0 times"):
        counted_log([("x", 0)])


@pytest.mark.parametrize(
    ("query", "text", "run"),
    [
        ("how to descale a kettle", "You should descale a kettle each month.", 3),
        ("kettle", "Kettles", 0),
        ("a b a b c", "x a b c", 3),
        ("", "x", 0),
    ],
)
def test_the_longest_common_run_counts_words_in_a_row(query: str, text: str, run: int) -> None:
    assert longest_common_run(query, text) == run


def test_a_query_that_repeats_its_document_leaks() -> None:
    text = "Descale the kettle with vinegar once a month, then rinse it twice."
    assert copies_document("descale the kettle with vinegar", text)
    assert copies_document("Kettle with VINEGAR?", text)
    assert not copies_document("how do I get rid of lime in a kettle", text)
    assert not copies_document("kettle lime vinegar", text)
    assert not copies_document("vinegar", text)


def test_a_keyword_query_names_rare_words_that_others_have_too() -> None:
    documents = [
        Document("1", "The zebra and the otter swim in the delta near qwzx."),
        Document("2", "The zebra and the delta."),
        Document("3", "An otter and the moon in the night."),
        Document("4", "The sun and the moon in the night."),
    ]
    frequencies = document_frequencies(documents)
    assert keyword_query(documents[0], frequencies) == "delta otter zebra"
    assert keyword_query(Document("5", "a b 1 2"), frequencies) == ""


def test_adding_to_a_set_replaces_queries_of_the_same_id() -> None:
    first = lab_query("x", QueryOrigin.TYPED, query_id="q1")
    query_set = LabQuerySet("c", "s", (first,), NOW)
    more = [lab_query("y", QueryOrigin.TYPED, query_id="q1"), lab_query("z", QueryOrigin.TYPED)]
    assert [query.text for query in joined(query_set, more, NOW).queries] == ["y", "z"]
