"""Documents longer than a model reads: what it is handed, what counts, and what is told of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_lab.components.base import Info
from rerank_lab.core.context import CancelToken, Context
from rerank_lab.core.errors import Cancelled, ModelUnavailable
from rerank_lab.core.types import Document, Query, Status
from rerank_lab.core.work import Work
from rerank_lab.corpora.tokens import token_spans
from rerank_lab.models.token_budget import TokenBudget
from rerank_lab.rerankers import long_documents as long
from rerank_lab.rerankers.base import TOP, PointwiseReranker
from rerank_lab.rerankers.llm.sanitise import cut, word_spans
from rerank_lab.rerankers.local.bi_encoder import BiEncoderReranker
from rerank_lab.rerankers.local.cross_encoder import CrossEncoderReranker
from rerank_lab.rerankers.local.late_interaction import LateInteractionReranker
from rerank_lab.rerankers.rules.overlap import Overlap
from rerank_lab.rerankers.score_cache import ScoreCache

QUERY = Query.of("How many people live in Berlin?")
FILLER = (
    "The museum opens at nine and closes at six. Tickets are sold at the door of the old building. "
    "Children enter free of charge on Sundays. "
)
ANSWER = "Berlin has a population of 3,520,031 registered inhabitants. "
ROOM = 20

words = st.lists(
    st.sampled_from(["word", "end.", "What?", "\n", "漢字。", "x-y", "3.5", "😀", "\ud83d\ude00"]),
    max_size=120,
).map(" ".join)
documents = st.builds(
    Document, st.just("d"), words, st.sampled_from(["", "A title", "漢字", "long title " * 9])
)


class Counting(PointwiseReranker):
    """Reads the first 20 words; a text is worth its share of the word "word"."""

    info = Info("counting", "reranker", "test", "Counts words.", "share", (TOP, long.LONG))

    def __init__(self, **options: str) -> None:
        super().__init__(**options)
        self.scored: list[str] = []

    def token_budget(self, query: str) -> TokenBudget:
        return TokenBudget(ROOM, plain_words)

    def score(self, query: str, texts: Sequence[str], work: Work) -> list[float]:
        self.scored += texts
        work.truncated |= {i for i, text in enumerate(texts) if len(plain_words(text)) > ROOM}
        return [self._share(text) for text in texts]

    def _share(self, text: str) -> float:
        read = [text[a:b] for a, b in plain_words(text)[:ROOM]]
        return read.count("word") / max(1, len(read))


def scores(policy: str, docs: Sequence[Document]) -> dict[str, float | None]:
    done = Counting(long=policy).rerank(QUERY, docs, Context())
    return {hit.doc_id: hit.score for hit in done.ranking}


@given(documents, st.sampled_from(long.POLICIES))
def test_what_fits_is_handed_over_as_it_is(document: Document, policy: str) -> None:
    short = Document("d", " ".join(document.text.split()[:8]), document.title[:20])
    if len(plain_words(short.content)) <= ROOM:
        made = long.LongDocuments(policy).model_input(short, TokenBudget(ROOM, plain_words))
        assert made == long.ModelInput((short.content,), (((0, len(short.content)),),), False)
        assert scores(policy, [short]) == scores("head", [short])


@given(documents)
def test_passages_hold_every_character_and_fit(document: Document) -> None:
    budget = TokenBudget(ROOM, plain_words)
    made = long.LongDocuments("mean").model_input(document, budget)
    assert all(len(plain_words(text)) <= ROOM for text in made.texts)
    assert long.LongDocuments("mean").coverage(document, budget).whole
    for text, spans in zip(made.texts, made.spans, strict=True):
        held = "".join(document.content[a:b] for a, b in spans)
        assert text.replace(" ", "") == held.replace(" ", "")


@given(documents)
def test_both_ends_are_the_beginning_and_the_end_and_fit(document: Document) -> None:
    budget = TokenBudget(ROOM, plain_words)
    made = long.LongDocuments("head+tail").model_input(document, budget)
    (text,) = made.texts
    assert len(plain_words(text)) <= ROOM
    if made.partial:
        ((zero, end), (start, last)) = made.spans[0]
        content = document.content
        assert (zero, last) == (0, len(content))
        assert text == f"{content[:end].rstrip()} {content[start:]}"
        assert abs(len(plain_words(content[:end])) - len(plain_words(content[start:]))) <= ROOM // 2


@given(documents)
def test_the_best_passage_is_no_worse_than_the_mean_or_the_first(document: Document) -> None:
    best, mean, first = (
        scores(policy, [document])["d"] or 0.0 for policy in ("max", "mean", "first")
    )
    assert best >= mean - 1e-9
    assert best >= first


@given(st.lists(documents, max_size=6), st.sampled_from(long.POLICIES))
def test_every_policy_gives_a_permutation(docs: list[Document], policy: str) -> None:
    named = [Document(str(i), doc.text, doc.title) for i, doc in enumerate(docs)]
    assert sorted(scores(policy, named)) == sorted(doc.id for doc in named)


def test_passages_end_with_sentences_and_begin_with_words() -> None:
    document = Document("d", FILLER * 10)
    halves = TokenBudget(3 * ROOM, lambda text: _halved(token_spans(text)))
    made = long.LongDocuments("max").model_input(document, halves)
    assert len(made.texts) > 5
    for text, ((start, _),) in zip(made.texts, made.spans, strict=True):
        assert text.rstrip().endswith(".")
        assert start == 0 or document.text[start - 1] == " "


def test_later_passages_stand_under_the_title() -> None:
    made = long.LongDocuments("max").model_input(
        Document("d", "word " * 100, "City guide"), TokenBudget(ROOM, plain_words)
    )
    assert all(text.startswith("City guide word") for text in made.texts)
    assert made.spans[1][0] == (0, len("City guide"))


def test_a_title_that_would_fill_the_passages_is_not_repeated() -> None:
    made = long.LongDocuments("max").model_input(
        Document("d", "word " * 100, "A title " * 5), TokenBudget(ROOM, plain_words)
    )
    assert made.texts[0].startswith("A title")
    assert made.texts[1].startswith("word")


def test_beside_a_query_that_leaves_no_room_the_model_cuts_by_itself() -> None:
    document = Document("d", "word " * 100)
    budget = TokenBudget(4, plain_words)
    assert long.LongDocuments("max").model_input(document, budget).texts == (document.content,)
    assert long.LongDocuments("max").coverage(document, budget).spans == ((0, 19),)


DOCS = [
    Document("late", "end " * 60 + "word " * 10),
    Document("early", "word end " * 8 + "end " * 60),
    Document("short", "word end end end"),
]


@pytest.mark.parametrize(
    ("policy", "first", "status", "truncated"),
    [
        ("head", "early", Status.TRUNCATED, 2),
        ("head+tail", "late", Status.TRUNCATED, 2),
        ("first", "early", Status.TRUNCATED, 2),
        ("max", "late", Status.OK, 0),
        ("mean", "short", Status.OK, 0),
    ],
)
def test_each_policy_finds_what_it_reads_and_says_what_was_cut(
    policy: str, first: str, status: Status, truncated: int
) -> None:
    done = Counting(long=policy).rerank(QUERY, DOCS, Context())
    assert done.ranking.doc_ids[0] == first
    assert (done.status, done.trace.truncated) == (status, truncated)


def test_the_trace_counts_the_passages_that_were_scored() -> None:
    reranker = Counting(long="max")
    done = reranker.rerank(QUERY, DOCS, Context())
    assert done.trace.counts["long_documents"] == 2
    assert done.trace.counts["passages"] == len(reranker.scored) - 1
    assert "passages" not in Counting().rerank(QUERY, DOCS, Context()).trace.counts


def test_policies_share_the_scores_of_what_they_both_read(tmp_path: Path) -> None:
    ctx = Context(cache=ScoreCache(tmp_path / "scores.sqlite"))
    Counting(long="max").rerank(QUERY, DOCS, ctx)
    mean, first, head = (Counting(long=policy) for policy in ("mean", "first", "head"))
    assert mean.rerank(QUERY, DOCS, ctx).status is Status.CACHED
    assert first.rerank(QUERY, DOCS, ctx).trace.cache_hits == 3
    head.rerank(QUERY, DOCS, ctx)
    assert mean.scored == first.scored == []
    assert head.scored == [DOCS[0].content, DOCS[1].content]


def test_kept_scores_are_those_that_were_given(tmp_path: Path) -> None:
    ctx = Context(cache=ScoreCache(tmp_path / "scores.sqlite"))
    for policy in (*long.POLICIES, *long.POLICIES):
        kept = Counting(long=policy).rerank(QUERY, DOCS, ctx)
        assert kept.ranking == Counting(long=policy).rerank(QUERY, DOCS, Context()).ranking


def test_one_content_with_two_titles_keeps_two_scores(tmp_path: Path) -> None:
    ctx = Context(cache=ScoreCache(tmp_path / "scores.sqlite"))
    docs = [Document("a", "end " * 60, "word word"), Document("b", "word " + "end " * 60, "word")]
    assert docs[0].content == docs[1].content
    done = Counting(long="mean").rerank(QUERY, docs, ctx)
    assert {h.doc_id: h.score for h in done.ranking} == scores("mean", docs)
    assert len(set(scores("mean", docs).values())) == 2


def test_rankings_of_different_policies_have_different_fingerprints() -> None:
    assert len({Counting(long=policy).fingerprint() for policy in long.POLICIES}) == 5


def test_cancel_is_heard_while_documents_are_cut() -> None:
    token = CancelToken()

    class Cancelling(Counting):
        def token_budget(self, query: str) -> TokenBudget:
            token.cancel()
            return super().token_budget(query)

    with pytest.raises(Cancelled):
        Cancelling(long="max").rerank(QUERY, DOCS, Context(cancel=token))


def test_what_was_seen_names_the_characters_and_the_passage_that_decided(tmp_path: Path) -> None:
    ctx = Context(cache=ScoreCache(tmp_path / "scores.sqlite"))
    head = Counting().input_coverage(QUERY.text, DOCS[0], ctx)
    assert head is not None
    assert (head.spans, head.whole, head.passages) == (((0, 4 * ROOM - 1),), False, ())
    best = Counting(long="max")
    unknown = best.input_coverage(QUERY.text, DOCS[0], ctx)
    assert unknown is not None
    assert unknown.decided is None
    best.rerank(QUERY, DOCS, ctx)
    known = best.input_coverage(QUERY.text, DOCS[0], ctx)
    assert known is not None
    assert known.decided is not None
    start, end = known.passages[known.decided]
    assert "word" in DOCS[0].content[start:end]
    short = best.input_coverage(QUERY.text, DOCS[2], ctx)
    assert short is not None
    assert (short.whole, short.passages) == (True, ())


def test_a_reranker_without_a_limit_sees_everything() -> None:
    found = Overlap().input_coverage("q", DOCS[0], Context())
    assert found is not None
    assert found.whole


def test_a_model_that_is_not_here_is_not_asked_what_it_saw() -> None:
    reranker = CrossEncoderReranker(model="no-such-model")
    assert reranker.input_coverage("q", DOCS[0], Context()) is None
    with pytest.raises(ModelUnavailable):
        reranker.token_budget("q")


@given(words, st.integers(1, 40))
def test_the_words_that_language_models_are_shown_are_those_that_are_counted(
    text: str, limit: int
) -> None:
    spans = word_spans(text)
    kept, was_cut = cut(text, limit)
    assert was_cut == (len(spans) > limit)
    assert "".join("".join(text[a:b] for a, b in spans[:limit]).split()) == "".join(kept.split())


@given(words)
def test_estimates_are_never_below_a_third_of_the_bytes(text: str) -> None:
    budget = long.estimated_token_budget(10)
    size = len("".join(text.split()).encode("utf-8", "surrogatepass"))
    assert len(budget.spans(text)) * 3 >= size
    assert budget.estimated


@pytest.mark.models
@pytest.mark.parametrize(
    "family", [CrossEncoderReranker, BiEncoderReranker, LateInteractionReranker]
)
def test_an_answer_in_the_last_third_is_found_by_the_best_passage(
    family: type[CrossEncoderReranker],
) -> None:
    docs = [
        Document("late", FILLER * 20 + ANSWER + FILLER * 5, "City guide"),
        Document("near", "Berlin is well known for its museums."),
        Document("none", FILLER * 25, "City guide"),
    ]
    head = family(max_length=128).rerank(QUERY, docs, Context())
    best = family(max_length=128, long="max").rerank(QUERY, docs, Context())
    assert head.ranking.doc_ids[0] == "near"
    assert best.ranking.doc_ids[0] == "late"
    assert (head.status, best.status) == (Status.TRUNCATED, Status.OK)


@pytest.mark.models
def test_an_answer_near_the_end_is_found_by_head_and_tail_and_by_the_best_passage(
    tmp_path: Path,
) -> None:
    late = Document("late", FILLER * 20 + ANSWER)
    docs = [late, Document("near", "Berlin is well known for its museums.")]
    ctx = Context(cache=ScoreCache(tmp_path / "scores.sqlite"))
    firsts = {}
    for policy in long.POLICIES:
        reranker = CrossEncoderReranker(max_length=128, long=policy)
        firsts[policy] = reranker.rerank(QUERY, docs, ctx).ranking.doc_ids[0]
    assert firsts["head"] == firsts["first"] == "near"
    assert firsts["head+tail"] == firsts["max"] == "late"
    found = CrossEncoderReranker(max_length=128, long="max").input_coverage(QUERY.text, late, ctx)
    assert found is not None
    assert found.decided is not None
    start, end = found.passages[found.decided]
    assert ANSWER.strip() in late.content[start:end]


def plain_words(text: str) -> list[tuple[int, int]]:
    return [found.span() for found in re.finditer(r"\S+", text)]


def _halved(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Words as tokenizers cut them: into a beginning and an end."""
    halves = [half for a, b in spans for half in ((a, (a + b + 1) // 2), ((a + b + 1) // 2, b))]
    return [(start, end) for start, end in halves if end > start]


class CutsQueries(Counting):
    def cuts_query(self, query: str) -> bool:
        return len(plain_words(query)) > ROOM


def test_a_query_longer_than_the_window_is_told() -> None:
    long_query = Query.of("word " * 100)
    (warning,) = CutsQueries().rerank(long_query, DOCS, Context()).trace.warnings
    assert "query is longer than counting reads" in warning
    assert not CutsQueries().rerank(QUERY, DOCS, Context()).trace.warnings


@pytest.mark.models
@pytest.mark.parametrize("family", [CrossEncoderReranker, BiEncoderReranker])
def test_local_models_know_a_query_that_they_cut(family: type[PointwiseReranker]) -> None:
    reranker = family(max_length=64)
    assert not reranker.cuts_query("how many people live in Berlin? " * 4)
    assert reranker.cuts_query("how many people live in Berlin? " * 12)
