"""Cutting long documents: whole text covered, budget kept, overlap exact, sentences respected."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Document, Ranking
from rerank_lab.corpora.passages import (
    SPAN,
    PassageOptions,
    cut_passages,
    passage_spans,
    whole_document,
    whole_documents,
)
from rerank_lab.corpora.tokens import count_tokens, normalised, token_spans

pieces = st.sampled_from(
    [
        "word",
        "end.",
        " ",
        "  ",
        "\n",
        "What?",
        '"Stop!"',
        "漢字。",
        "ไทย",
        "x-y",
        "3.5",
        "é" * 20,
        "…",
    ]
)
prose = st.one_of(
    st.lists(pieces, min_size=30, max_size=120).map(" ".join),
    st.lists(pieces, min_size=30, max_size=120).map("".join),
    st.text(max_size=100),
)
options = st.integers(8, 40).flatmap(
    lambda size: st.builds(PassageOptions, st.just(size), st.integers(0, size // 2))
)


@given(prose, options)
def test_passages_cover_the_text_within_the_budget(text: str, chosen: PassageOptions) -> None:
    passages = cut_passages([Document("x", text, "T", {"k": 1})], chosen)
    assert all(count_tokens(passage.text) <= chosen.max_tokens for passage in passages)
    if len(passages) == 1:
        assert passages == [Document("x", text, "T", {"k": 1})]
        return
    assert [passage.id for passage in passages] == [f"x#p{n + 1}" for n in range(len(passages))]
    assert {passage.parent for passage in passages} == {"x"}
    assert {passage.title for passage in passages} == {"T"}
    assert whole_document(passages) == Document("x", text, "T", {"k": 1})


@given(prose, options)
def test_neighbours_share_exactly_the_overlap(text: str, chosen: PassageOptions) -> None:
    starts = [start for start, _ in token_spans(text)]
    spans = passage_spans(text, chosen)
    assert spans[0][0] == 0
    assert spans[-1][1] == len(text)
    for (_, end), (begin, _) in itertools.pairwise(spans):
        assert sum(begin <= start < end for start in starts) == chosen.overlap
        assert begin <= end


def test_cuts_fall_on_sentence_ends_when_there_are_any() -> None:
    text = " ".join(f"Sentence number {n} has six words." for n in range(20))
    passages = cut_passages([Document("x", text)], PassageOptions(24, 0))
    assert len(passages) > 4
    assert all(passage.text.startswith("Sentence") for passage in passages)
    assert all(passage.text.rstrip().endswith(".") for passage in passages)


def test_lines_end_sentences_too() -> None:
    text = "\n".join(f"- item {n} without any full stop" for n in range(20))
    passages = cut_passages([Document("x", text)], PassageOptions(24, 0))
    assert all(passage.text.startswith("- item") for passage in passages)


def test_a_decimal_point_is_no_sentence_end() -> None:
    text = "one two three four five six 3.5 eight nine ten eleven twelve"
    first = cut_passages([Document("x", text)], PassageOptions(10, 0))[0]
    assert first.text == "one two three four five six 3.5 eight "


def test_chinese_is_cut_by_characters_at_full_stops() -> None:
    text = "今天天气很好。我们去公园散步。" * 10
    passages = cut_passages([Document("x", text)], PassageOptions(20, 0))
    assert all(passage.text.endswith("。") for passage in passages)


def test_short_documents_and_passages_are_left_alone() -> None:
    short = Document("a", "short")
    passage = Document("b#p1", "w " * 500, parent="b")
    assert cut_passages([short, passage]) == [short, passage]
    assert passage.meta == {}


def test_spans_say_where_a_passage_stands() -> None:
    text = "word " * 100
    for passage in cut_passages([Document("x", text)], PassageOptions(30, 10)):
        start, end = passage.meta[SPAN]
        assert text[start:end] == passage.text


def test_whole_documents_joins_and_keeps_order() -> None:
    documents = [Document("a", "x " * 50), Document("b", "short"), Document("c", "y " * 50)]
    assert whole_documents(cut_passages(documents, PassageOptions(20, 5))) == documents


def test_a_document_counts_by_its_best_passage() -> None:
    passages = cut_passages([Document("a", "x " * 50), Document("b", "b")], PassageOptions(20, 5))
    parents = {passage.id: passage.parent for passage in passages if passage.parent}
    ranking = Ranking.from_scores("q", {"a#p2": 3.0, "b": 2.0, "a#p1": 1.0}, "logit")
    folded, best = ranking.folded(parents)
    assert folded.doc_ids == ("a", "b")
    assert best == {"a": "a#p2", "b": "b"}


def test_impossible_options_and_colliding_ids() -> None:
    for size, overlap in ((4, 0), (100, 51), (100, -1)):
        with pytest.raises(InvalidInput):
            PassageOptions(size, overlap)
    with pytest.raises(InvalidInput, match="#p1"):
        cut_passages([Document("a", "x " * 50), Document("a#p1", "y")], PassageOptions(20, 5))


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("two words", 2),
        ("It's 3.5, isn't it?", 12),
        ("漢字かな", 4),
        ("हिन्दी में", 2),
        ("x" * 33, 3),
        ("  \n\t ", 0),
    ],
)
def test_token_count(text: str, count: int) -> None:
    assert count_tokens(text) == count


@given(st.text(max_size=200))
def test_normalised_is_stable_and_ignores_case(text: str) -> None:
    once = normalised(text)
    assert normalised(once) == once
    assert once.startswith(" ")
    assert "  " not in once.strip()
