"""The Corpora page's view model: what is counted, found and listed is what the data say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rerank_lab.core.types import Document, Query
from rerank_lab.corpora import Corpus, CorpusEntry, list_corpora, load_corpus, summarise
from rerank_lab.services.stored_indexes import StoredIndex
from rerank_lab.views import corpora as views
from rerank_lab.views.formatting import (
    counted,
    language_names,
    model_size,
    older_words,
    rough_duration,
)


def corpus(**changes: object) -> Corpus:
    documents = (
        Document("d1", "Heat pumps move heat from outside into the house.", "Heat pumps"),
        Document("d2", "A boiler burns gas to make hot water."),
        Document("d3", "a boiler burns gas  to make hot WATER."),
        Document("d4", ""),
    )
    queries = (Query("q1", "how does a boiler work?"), Query("q2", "burns gas to make hot water"))
    made = Corpus("tiny", documents, queries, {"q1": {"d2": 2, "d9": 1, "d1": 0}})
    return replace(made, **changes)  # type: ignore[arg-type]


def titles(**changes: object) -> dict[str, views.Finding]:
    return {found.title: found for found in views.findings(summarise(corpus(**changes)))}


def test_the_samples_are_listed_with_their_counts() -> None:
    entries = list_corpora()
    lines = {line.name: line for line in views.corpus_lines(entries, {})}
    helpdesk = load_corpus("helpdesk")
    assert lines["helpdesk"].documents == len(helpdesk)
    assert lines["helpdesk"].queries == len(helpdesk.queries)
    assert lines["helpdesk"].kind == "Sample"
    assert lines["helpdesk"].indexes == "none yet"


def test_indexes_are_told_by_kind_and_size() -> None:
    stored = [
        StoredIndex(Path("bm25-1"), "bm25", size=2048),
        StoredIndex(Path("dense-1"), "dense", size=1024, complete=False),
    ]
    lines = views.corpus_lines(list_corpora(), {"helpdesk": stored})
    assert next(x for x in lines if x.name == "helpdesk").indexes == (
        "bm25, dense · 3.0 KB · 1 unfinished"
    )


def test_an_index_tells_what_is_known_of_it_and_one_that_is_not_ready_only_why() -> None:
    line = views.IndexLine("n", "bm25", 1200, "3.0 MB", "2026-11-24 10:00", "Ready")
    assert line.facts == "1,200 documents · 3.0 MB · 2026-11-24 10:00 UTC"
    assert replace(line, state="Unfinished").facts == "Unfinished · 3.0 MB"


def test_the_line_at_the_side_counts_a_corpus() -> None:
    entry = CorpusEntry(
        "c", "c", "imported", Path("c"), 1252, queries=60, judgments=1240, languages=("en", "de")
    )
    told = "1,252 documents · English, German · 60 queries, 1,240 judgments"
    assert views.corpus_line(entry) == told
    assert views.corpus_line(replace(entry, queries=0, languages=())) == "1,252 documents"


def test_every_oddity_of_a_corpus_is_told() -> None:
    found = titles()
    assert found["1 document repeats another"].level == "warning"
    assert found["1 document repeats another"].examples == ("d2 = d3",)
    assert found["1 query stands word for word in a document"].examples == ("q2 in d2", "q2 in d3")
    assert found["1 judged document is not in the corpus"].examples == ("d9",)
    assert found["1 query without judgments"].level == "note"
    assert found["1 document without text"].level == "note"


def test_a_clean_corpus_says_so() -> None:
    clean = titles(
        documents=corpus().documents[:2], queries=corpus().queries[:1], qrels={"q1": {"d2": 1}}
    )
    assert {found.level for found in clean.values()} == {"ok"}
    assert set(clean) == {"No duplicates", "No leaks", "Judgments fit"}


def test_warnings_come_first() -> None:
    levels = [found.level for found in views.findings(summarise(corpus()))]
    assert levels == sorted(levels, key=["warning", "note", "ok"].index)


def test_facts_count_documents_and_grades() -> None:
    shown = {fact.label: fact for fact in views.facts(summarise(corpus()))}
    assert shown["Documents"].value == "4"
    assert shown["Queries"].about == "1 with judgments"
    assert shown["Judgments"].about == "grade 0: 1, grade 1: 1, grade 2: 1"
    assert shown["Language"].value == "English"


def test_the_length_histogram_counts_every_document() -> None:
    bars = views.length_bars(summarise(corpus()))
    assert sum(bar.documents for bar in bars) == 4
    assert bars[0].label == "0–15"
    assert views.length_bars(summarise(corpus(documents=()))) == ()


def test_looking_finds_by_beginning_of_words_in_title_text_and_id() -> None:
    assert [row.id for row in views.list_documents(corpus(), "boil WATER").rows] == ["d2", "d3"]
    assert [row.id for row in views.list_documents(corpus(), "pumps house").rows] == ["d1"]
    assert [row.id for row in views.list_documents(corpus(), "d4").rows] == ["d4"]
    none = views.list_documents(corpus(), "oiler")
    assert (none.total, none.sentence) == (0, "No document holds all of these words.")


def test_documents_are_listed_page_by_page() -> None:
    page = views.list_documents(corpus(), "", start=2, size=2)
    assert [row.number for row in page.rows] == [3, 4]
    assert page.sentence == "3–4 of 4 documents"


def test_a_snippet_begins_near_the_word_and_stays_short() -> None:
    text = "filler " * 200 + "needle in the hay " + "filler " * 200
    cut = views.snippet(text, ["needle"])
    assert "needle" in cut
    assert len(cut) <= views.SNIPPET + 2
    assert len(views.snippet("x" * 200_000)) <= views.SNIPPET + 2


def test_queries_show_what_is_judged() -> None:
    first, second = views.query_rows(corpus())
    assert (first.judged, first.relevant) == (3, 2)
    assert (second.judged, second.relevant) == (0, 0)


def test_an_index_is_named_by_the_options_that_differ() -> None:
    stored = StoredIndex(Path("bm25-1"), "bm25", {"k1": 0.9, "b": 0.4}, 4, 10, 0.0)
    (line,) = views.index_lines([stored], {"bm25": {"k1": 1.5, "b": 0.4}})
    assert line.spec == "bm25(k1=0.9)"
    assert line.built == "1970-01-01 00:00"
    (plain,) = views.index_lines([stored], {"bm25": {"k1": 0.9, "b": 0.4}})
    assert plain.spec == "bm25"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.0421, "42 ms"), (1.24, "1.2 s"), (12.4, "12 s"), (150, "2 min"), (7200, "2.0 h")],
)
def test_times_in_words(seconds: float, words: str) -> None:
    assert rough_duration(seconds) == words


def test_counts_and_sizes_in_words() -> None:
    assert counted(1, "query", "queries") == "1 query"
    assert counted(1200, "query", "queries") == "1,200 queries"
    assert model_size(34_001_604) == "34 MB"
    assert model_size(1_110_000_000) == "1.1 GB"
    assert model_size(0) == "unknown"
    assert language_names(["en", "de", "fr", "xx"]) == "English, German, French and 1 more"


def test_languages_that_an_entry_does_not_tell_are_filled_in() -> None:
    entries = [replace(entry, languages=()) for entry in list_corpora()]
    lines = views.corpus_lines(entries, {}, {"helpdesk": ("en",)})
    assert {line.name: line.languages for line in lines} == {
        "helpdesk": "English",
        "multilingual-faq": "",
        "science-answers": "",
    }


def test_a_list_says_how_much_of_it_is_not_shown() -> None:
    assert older_words(1200) == "1,200 older ones lie in the data folder."
