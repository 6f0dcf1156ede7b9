"""What each model read of a document: shaded text, sentences, and who is asked about what."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from rerank_lab.core.input_coverage import InputCoverage
from rerank_lab.core.spec import Node
from rerank_lab.core.types import Document, Ranking, Trace
from rerank_lab.corpora import Corpus
from rerank_lab.views.compare import CompareOptions, compare
from rerank_lab.views.evidence import DocumentView, document
from rerank_lab.views.input_coverage import CoverageLookup, shaded
from rerank_lab.views.text import Segment
from rerank_lab.views.topic import Topic
from tests.views.made import QUERY, ids, outcome_of, result

TEXT = "abcdefghij" * 10
CORPUS = Corpus("c", tuple(Document(f"d{i:02}", TEXT, "Title") for i in range(1, 4)))
LEAD = len("Title ")
HEAD, BEST = "bm25 >> ms-marco-minilm-l12", 'bm25 >> ms-marco-minilm-l12(long="max")'


def said(spans: Sequence[tuple[int, int]], **more: object) -> CoverageLookup:
    """Every reranker read these characters of the content."""
    seen = InputCoverage(tuple(spans), LEAD + len(TEXT), **more)  # type: ignore[arg-type]
    return lambda node, unit: seen


def opened(coverage_of: CoverageLookup, *specs: str, corpus: Corpus = CORPUS) -> DocumentView:
    orders = [ids(1, 2, 3), ids(3, 2, 1)]
    outcomes = [outcome_of(spec, result(spec, orders, corpus=corpus)) for spec in specs]
    found = document(compare(Topic(QUERY, corpus), outcomes, CompareOptions()), "d01", coverage_of)
    assert found is not None
    return found


segments = st.lists(st.builds(Segment, st.text(min_size=1, max_size=9), st.booleans()), max_size=8)
edges = st.lists(st.integers(0, 80), min_size=2, max_size=8, unique=True).map(sorted)


@given(segments, edges)
def test_shading_changes_no_character_and_no_mark(parts: list[Segment], cuts: list[int]) -> None:
    spans = list(zip(cuts[::2], cuts[1::2], strict=False))
    made = shaded(parts, spans, spans[0])
    before = [(char, part.marked) for part in parts for char in part.text]
    after = [(char, part.marked) for part in made for char in part.text]
    assert after == before
    unread = list(itertools.chain.from_iterable([p.unread] * len(p.text) for p in made))
    assert unread == [any(a <= at < b for a, b in spans) for at in range(len(before))]
    decided = list(itertools.chain.from_iterable([p.decided] * len(p.text) for p in made))
    assert decided == [spans[0][0] <= at < spans[0][1] for at in range(len(before))]


def test_what_lies_behind_the_limit_is_unread_and_told_in_characters_of_the_text() -> None:
    found = opened(said([(0, LEAD + 40)]), HEAD)
    (read,) = found.reads
    assert read.label == "ms-marco-minilm-l12"
    assert read.sentences == (
        "read characters 1–40 of 100 (40%). The grey part never reached the model.",
    )
    ((_, shown),) = found.read_by(read)
    assert [(part.text, part.unread) for part in shown] == [(TEXT[:40], False), (TEXT[40:], True)]


def test_between_head_and_tail_is_what_was_not_read() -> None:
    (read,) = opened(said([(0, LEAD + 30), (LEAD + 80, LEAD + 100)]), HEAD).reads
    assert read.shaded == (("d01", ((30, 80),), None),)
    assert "characters 1–30 and characters 81–100 of 100 (50%)" in read.sentences[0]


def test_the_passage_that_decided_is_marked() -> None:
    passages = ((0, LEAD + 50), (LEAD + 45, LEAD + 100))
    whole = [(0, LEAD + 100)]
    found = opened(said(whole, passages=passages, decided=1), BEST)
    (read,) = found.reads
    assert read.sentences == (
        "read whole, in 2 passages; the marked one, number 2 (characters 46–100), decided.",
    )
    ((_, shown),) = found.read_by(read)
    assert [(part.text, part.decided) for part in shown] == [(TEXT[:45], False), (TEXT[45:], True)]
    (unknown,) = opened(said(whole, passages=passages), BEST).reads
    assert unknown.sentences == ("read whole, in 2 passages; the best score of them counts.",)
    (mean,) = opened(said(whole, passages=passages), BEST.replace("max", "mean")).reads
    assert mean.sentences == ("read whole, in 2 passages; the mean of their scores counts.",)


def test_an_estimate_is_called_one() -> None:
    (read,) = opened(said([(0, 50)], estimated=True), 'bm25 >> cohere(long="head")').reads
    assert "by an estimate" in read.sentences[0]


def test_nothing_is_told_of_who_read_it_whole_or_does_not_say() -> None:
    assert opened(said([(0, LEAD + 100)]), HEAD).reads == ()
    assert opened(lambda node, unit: None, HEAD).reads == ()


def test_each_reranker_is_asked_once_and_named_apart_from_others_of_its_model() -> None:
    asked: list[tuple[Node, str]] = []

    def coverage_of(node: Node, unit: Document) -> InputCoverage:
        asked.append((node, unit.id))
        return InputCoverage(((0, 50),), 106)

    deeper = "rank-bm25 >> ms-marco-minilm-l12(top=50)"
    found = opened(coverage_of, HEAD, deeper, BEST)
    assert [unit for _, unit in asked] == ["d01", "d01"]
    assert [read.label for read in found.reads] == [
        "ms-marco-minilm-l12",
        'ms-marco-minilm-l12(long="max")',
    ]


def test_a_document_below_the_reranked_ones_was_not_read() -> None:
    head = Ranking.from_scores("q1", {"d02": 2.0}, "logit").followed_by(["d01", "d03"])
    spec = "bm25 >> ms-marco-minilm-l12(top=1)"
    done = result(spec, [ids(2, 1, 3), head], corpus=CORPUS)
    view = compare(Topic(QUERY, CORPUS), [outcome_of(spec, done)], CompareOptions())
    cut = said([(0, 50)])
    below, above = document(view, "d01", cut), document(view, "d02", cut)
    assert below is not None
    assert above is not None
    assert (len(below.reads), len(above.reads)) == (0, 1)


def test_of_a_document_in_passages_each_says_what_was_read_of_it() -> None:
    units = tuple(Document(f"d{i:02}", TEXT, "Title", parent="whole") for i in range(1, 4))
    made = Corpus("cut", units)
    done = result(HEAD, [ids(1, 2, 3), ids(3, 2, 1)], corpus=made)
    view = compare(Topic(QUERY, made), [outcome_of(HEAD, done)], CompareOptions())
    found = document(view, "whole", said([(0, LEAD + 40)]))
    assert found is not None
    (read,) = found.reads
    assert [told.split(":")[0] for told in read.sentences] == ["d01", "d02", "d03"]
    assert all(text[-1].unread for _, text in found.read_by(read))


def test_what_decided_behind_the_text_that_is_shown_is_shown_apart() -> None:
    long = Document("d01", "x " * 12_000 + "weekly emails are here", "Title")
    made = Corpus("c", (long, *CORPUS.documents[1:]))
    whole = LEAD + len(long.text)
    passages = ((0, LEAD + 10), (LEAD + 24_000, whole))

    def decided(number: int) -> CoverageLookup:
        return lambda node, unit: InputCoverage(((0, whole),), whole, passages, number)

    (read,) = opened(decided(1), BEST, corpus=made).reads
    ((place, parts),) = read.beyond
    assert place == "characters 24,001–24,022"
    assert "".join(part.text for part in parts) == "weekly emails are here"
    assert all(part.decided for part in parts)
    assert any(part.marked for part in parts)
    assert opened(decided(0), BEST, corpus=made).reads[0].beyond == ()


def test_relevant_parts_are_marked_in_the_open_document_and_told() -> None:
    spans = {"d01": ((0, 3), (LEAD + 5, LEAD + 15), (LEAD + 90, 10**15))}
    spec = "bm25 >> overlap"
    done = result(
        spec, [ids(1, 2), ids(2, 1)], [Trace(), Trace(relevant_spans=spans)], corpus=CORPUS
    )
    topic = Topic(QUERY, CORPUS)
    opened = document(
        compare(topic, [outcome_of(spec, done)], CompareOptions()), "d01", lambda *_: None
    )
    assert opened is not None
    (read,) = opened.reads
    assert read.sentences == ("calls 2 parts of the text relevant: underlined here.",)
    ((_, shown),) = opened.read_by(read)
    assert "".join(part.text for part in shown) == TEXT
    assert [part.text for part in shown if part.relevant] == [TEXT[5:15], TEXT[90:]]


def test_what_a_first_stage_left_out_when_it_indexed_is_told_as_well() -> None:
    found = opened(said([(0, LEAD + 40)]), "dense(k=50) >> ms-marco-minilm-l12", HEAD)
    assert [read.label for read in found.reads] == ["dense", "ms-marco-minilm-l12"]
    assert "characters 1–40 of 100" in found.reads[0].sentences[0]
    ((_, shown),) = found.read_by(found.reads[0])
    assert [part.unread for part in shown] == [False, True]
    (words_only,) = opened(said([(0, LEAD + 40)]), HEAD).reads
    assert words_only.label == "ms-marco-minilm-l12"
