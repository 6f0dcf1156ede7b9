"""What a summary says about a corpus."""

from __future__ import annotations

import json

import pytest

from rerank_lab.core.types import Document, Query
from rerank_lab.corpora import Corpus, CorpusSummary, PassageOptions, cut_passages, summarise
from rerank_lab.corpora.languages import detect_languages, language_by_script, language_of
from rerank_lab.corpora.summary import Leak, find_leaks, length_histogram

DOCUMENTS = (
    Document("a", "To reset the clock, press the small button for five seconds.", "Clock"),
    Document("b", "to reset  the CLOCK, press the small button for five seconds.", "clock"),
    Document("c", "The moon is about 384,400 km away."),
    Document("e", ""),
    Document("f", ""),
)
CORPUS = Corpus(
    "mine",
    DOCUMENTS,
    (
        Query("q1", "reset the clock press"),
        Query("q2", "the moon"),
        Query("q3", "unjudged and not there at all"),
    ),
    {"q1": {"a": 3, "x": 1}, "q2": {"c": 0}, "q9": {"c": 1}},
)


def test_counts_and_oddities() -> None:
    summary = summarise(CORPUS)
    assert (summary.documents, summary.queries, summary.judgments) == (5, 3, 4)
    assert summary.empty_documents == 2
    assert summary.duplicate_groups == (("a", "b"),)
    assert summary.duplicate_documents == 1
    assert summary.leaks == (Leak("q1", "a"), Leak("q1", "b"))
    assert summary.leaked_queries == 1
    assert summary.grades == {0: 1, 1: 2, 3: 1}
    assert summary.judged_queries == 2
    assert summary.queries_without_judgments == 1
    assert summary.judgments_without_queries == 1
    assert summary.missing_documents == ("x",)
    assert summary.content_hash == CORPUS.content_hash


def test_summary_round_trips_as_json() -> None:
    summary = summarise(CORPUS)
    assert CorpusSummary.from_json(json.loads(json.dumps(summary.to_json()))) == summary


def test_passages_count_once_and_are_no_duplicates_of_each_other() -> None:
    documents = cut_passages(
        [Document("a", "same word " * 100), DOCUMENTS[2]], PassageOptions(20, 0)
    )
    summary = summarise(Corpus("cut", tuple(documents), (), {"q": {"a": 1}}))
    assert summary.documents == 2
    assert summary.passages == len(documents) == 11
    assert summary.duplicate_documents == 0
    assert summary.judged_documents_missing == 0


def test_empty_corpus() -> None:
    summary = summarise(Corpus("none", ()))
    assert summary.documents == 0
    assert summary.languages == {}
    assert summary.lengths.sampled == 0


@pytest.mark.parametrize(
    ("query", "leaks"),
    [
        ("Press the small button!", True),
        ("press   THE small button", True),
        ("the small button", False),
        ("press the small buttons", False),
        ("ress the small button", False),
    ],
)
def test_a_leak_is_four_words_or_more_word_for_word(query: str, leaks: bool) -> None:
    assert bool(find_leaks(DOCUMENTS, [Query("q", query)])) is leaks


def test_leaks_in_a_script_without_spaces() -> None:
    documents = [Document("1", "请问如何重置密码?点这里。"), Document("2", "别的")]
    assert find_leaks(documents, [Query("q", "如何重置密码")]) == [Leak("q", "1")]


def test_lengths_fall_into_their_bins() -> None:
    documents = [Document(str(n), "w " * n) for n in (0, 15, 16, 40, 5000)]
    lengths = length_histogram(documents)
    assert lengths.counts == (2, 1, 1, 0, 0, 0, 0, 0, 0, 1)
    assert (lengths.median, lengths.longest, lengths.sampled) == (16, 5000, 5)


def test_languages_of_a_mixed_corpus() -> None:
    english = "The weather was fine and we walked along the river until the evening."
    german = "Das Wetter war schön und wir gingen bis zum Abend am Fluss entlang."
    found = detect_languages([english] * 30 + [german] * 10)
    assert found == {"en": 0.75, "de": 0.25}
    assert language_of("12345 !!") == "und"


@pytest.mark.parametrize(
    ("text", "code"), [("привет мир", "ru"), ("漢字かな", "ja"), ("漢字", "zh"), ("hello", "und")]
)
def test_script_is_the_fallback(text: str, code: str) -> None:
    assert language_by_script(text) == code


def test_passages_that_stand_in_two_documents_make_no_duplicates() -> None:
    shared = "Imprint and terms of use. " * 10
    documents = cut_passages(
        [Document("a", shared + "Cats purr. " * 20), Document("b", shared + "Dogs bark. " * 20)],
        PassageOptions(20, 0),
    )
    assert len({d.text for d in documents}) < len(documents)
    assert summarise(Corpus("cut", tuple(documents))).duplicate_documents == 0
