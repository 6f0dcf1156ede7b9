from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_lab.core.context import Context
from rerank_lab.core.types import Document
from rerank_lab.corpora import Corpus
from rerank_lab.retrievers.bm25 import BM25
from rerank_lab.views.text import Marker, Segment, shorten

TEXTS = st.text(max_size=400)


def marked(parts: tuple[Segment, ...]) -> list[str]:
    return [part.text for part in parts if part.marked]


@pytest.mark.parametrize(
    ("query", "language", "text", "words"),
    [
        ("reset my password", "en", "Resetting passwords: my way", ["Resetting", "passwords"]),
        ("EMAILS", "en", "Email and e-mail, weekly emails.", ["Email", "emails"]),
        ("Häuser", "de", "Das Haus und die Häuser", ["Haus", "Häuser"]),
        ("東京", "", "私は東京タワーへ行く", ["東京"]),
        ("อาหาร", "", "ร้านอาหารไทย", ["อาหาร"]),
        ("password app", "en", "Open app.example.com now", ["app"]),
        ("node.js", "en", "We run Node.js here", ["Node.js"]),
        ("who can", "en", "Who can help", ["Who", "can"]),
    ],
)
def test_words_of_the_query_are_marked(
    query: str, language: str, text: str, words: list[str]
) -> None:
    assert marked(Marker(query, language).segments(text)) == words


def test_question_words_are_not_marked_beside_words_that_say_more() -> None:
    assert marked(Marker("how do I print").segments("How do I print? Do it.")) == ["print"]
    assert marked(Marker("why does it print").segments("This does print.")) == ["print"]


@given(TEXTS, TEXTS)
def test_segments_are_the_text_again(query: str, text: str) -> None:
    parts = Marker(query).segments(text)
    assert "".join(part.text for part in parts) == text
    assert all(part.text for part in parts)


@given(st.text(min_size=1, max_size=30), st.text(max_size=2000), st.integers(50, 300))
def test_a_snippet_is_short_and_from_the_text(query: str, text: str, limit: int) -> None:
    parts = Marker(query).snippet(text, limit)
    shown = "".join(part.text for part in parts)
    assert len(shown) <= limit + 4
    flat = " ".join(text.split())
    assert shown.removeprefix("… ").removesuffix(" …") in flat


def test_a_snippet_goes_where_the_words_are() -> None:
    text = "filler " * 200 + "then turn off the weekly emails here" + " filler" * 200
    shown = Marker("weekly emails").snippet(text)
    assert marked(shown) == ["weekly", "emails"]
    assert shown[0].text == "… "


def test_a_word_of_a_hundred_thousand_letters_is_cut_and_quick() -> None:
    shown = "".join(part.text for part in Marker("word").snippet("A" * 100_000))
    assert len(shown) < 300


def test_the_empty_query_marks_nothing() -> None:
    assert marked(Marker("").segments("any text")) == []


def test_shorten_squeezes_lines_and_says_that_it_cut() -> None:
    assert shorten("one\n two\tthree", 30) == "one two three"
    assert shorten("abcdefghij", 5) == "abcd…"


def test_a_snippet_goes_where_the_model_found_what_matters() -> None:
    text = "the weekly emails  " + "filler  " * 200 + "choose\n\nStop sending. " + "filler " * 90
    at = text.index("choose")
    parts = Marker("weekly emails").snippet(text, relevant=((0, 3), (at, at + 21)))
    assert parts[0].text == "… "
    assert [part.text for part in parts if part.relevant] == ["choose Stop sending."]


@given(TEXTS, st.lists(st.tuples(st.integers(-5, 500), st.integers(-5, 500)), max_size=4))
def test_relevant_parts_change_no_character_of_a_snippet(
    text: str, spans: list[tuple[int, int]]
) -> None:
    parts = Marker("a").snippet(text, 60, tuple(spans))
    shown = "".join(part.text for part in parts)
    assert shown.removeprefix("… ").removesuffix(" …") in " ".join(text.split())


def test_a_snippet_goes_to_the_rare_word_rather_than_to_several_frequent_ones() -> None:
    texts = ["reset my account and start to work", "start to work on the account"]
    far = f"start to work on my account {'filler ' * 100} the watch {'filler ' * 100}"
    index = BM25()
    documents = (*map(Document, "ab", texts), Document("c", far), Document("d", "account work"))
    index.build(Corpus("t", documents), Context())
    marker = Marker("start work account watch")
    assert marked(marker.snippet(far)) == ["start", "work", "account"]
    assert marked(marker.snippet(far, rarity=index.rarity)) == ["watch"]
