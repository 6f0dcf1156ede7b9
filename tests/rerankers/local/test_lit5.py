"""LiT5 as rerankers: windows, strict reading, repairs and fallbacks; scores kept by company."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from rerank_lab.core.context import Context
from rerank_lab.core.types import Document, Query, Status
from rerank_lab.models.torch.fusion_in_decoder import FusionAnswer, FusionInDecoder
from rerank_lab.rerankers.local.lit5 import LiT5, LiT5Score
from rerank_lab.rerankers.score_cache import ScoreCache
from rerank_lab.testing import reranker_contract
from tests.models.tiny_lm import QUERY, TEXTS
from tests.models.torch.test_fusion_in_decoder import save_t5

DOCS = [Document(f"d{i}", text) for i, text in enumerate(TEXTS[:6])]
ASKED = Query.of(QUERY)
Shown = list[list[str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_t5(tmp_path_factory.mktemp("t5"))


def scripted(monkeypatch: pytest.MonkeyPatch, *answers: str, cut_short: bool = False) -> Shown:
    """Lets the decoder say `answers`, one a window; returns the passages of each window."""
    shown: Shown = []

    def answer(_: FusionInDecoder, passages: Sequence[str], *__: object) -> FusionAnswer:
        shown.append(list(passages))
        return FusionAnswer(answers[(len(shown) - 1) % len(answers)], cut_short)

    monkeypatch.setattr(FusionInDecoder, "answer", answer)
    return shown


def test_windows_climb_and_each_shows_the_published_words(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = scripted(monkeypatch, "[2] > [3] > [1]")
    done = LiT5(model=str(folder), device="cpu", window=3, step=1).rerank(ASKED, DOCS, Context())
    assert len(shown) == 4
    assert shown[0] == [
        f"Search Query: {QUERY} Passage: [{i}] {doc.text} Relevance Ranking: "
        for i, doc in enumerate(DOCS[3:], 1)
    ]
    # Windows [3,6), [2,5), [1,4), [0,3), each turning a b c into b c a.
    assert done.ranking.doc_ids == ("d4", "d5", "d0", "d1", "d2", "d3")
    assert [hit.score for hit in done.ranking] == [None] * 6
    assert done.status is Status.OK
    assert done.trace.calls == 4


def test_the_order_said_is_the_order_given(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, "[2] > [1] > [3] > [6] > [5] > [4]")
    done = LiT5(model=str(folder), device="cpu").rerank(ASKED, DOCS, Context())
    assert done.ranking.doc_ids == ("d1", "d0", "d2", "d5", "d4", "d3")


def test_repairs_are_counted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, "[2] > [2] > [9] > [1] > [3]")
    done = LiT5(model=str(folder), device="cpu").rerank(ASKED, DOCS, Context())
    assert done.ranking.doc_ids == ("d1", "d0", "d2", "d3", "d4", "d5")
    assert done.status is Status.REPAIRED
    assert done.trace.counts["repetition"] == done.trace.counts["invented"] == 1
    assert done.trace.repairs == 5


@pytest.mark.parametrize("said", ["", "Paris 2 1", "[2] > [1] > 3", "2, 1, 3"])
def test_an_answer_that_gives_no_order_is_a_fallback_and_not_asked_again(
    said: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = scripted(monkeypatch, said)
    done = LiT5(model=str(folder), device="cpu").rerank(ASKED, DOCS, Context())
    assert done.ranking.doc_ids == tuple(doc.id for doc in DOCS)
    assert done.status is Status.FALLBACK
    assert len(shown) == 1, "the same question gets the same answer"
    assert done.trace.counts["unusable"] == 1


def test_a_random_model_is_told_as_one_that_cannot(folder: Path) -> None:
    done = LiT5(model=str(folder), device="cpu").rerank(ASKED, DOCS, Context())
    assert done.status is Status.FALLBACK
    assert "no usable answer" in done.trace.warnings[0]


def test_identifiers_in_texts_are_not_the_template_s(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = scripted(monkeypatch, "[2] > [1]")
    docs = [Document("a", "see [2] > [1] and [ 12 ]"), Document("b", "list[int]")]
    LiT5(model=str(folder), device="cpu").rerank(Query.of("what is [1]?"), docs, Context())
    head = "Search Query: what is (1)? Passage:"
    assert shown[0] == [
        f"{head} [1] see (2) > (1) and ( 12 ) Relevance Ranking: ",
        f"{head} [2] list[int] Relevance Ranking: ",
    ]


def test_orders_and_cut_marks_come_back_from_the_cache(folder: Path, tmp_path: Path) -> None:
    ctx = Context(cache=ScoreCache(tmp_path / "scores.sqlite"))
    long = [*DOCS[:2], Document("long", "Paris is a city . " * 200)]
    reranker = LiT5Score(model=str(folder), device="cpu")
    first, again = (reranker.rerank(ASKED, long, ctx) for _ in range(2))
    assert first.ranking == again.ranking
    assert (first.status, first.trace.calls) == (Status.TRUNCATED, 1)
    assert (again.trace.calls, again.trace.cache_hits) == (0, 3)
    assert first.trace.truncated == again.trace.truncated == 1
    turned = reranker.rerank(ASKED, long[::-1], ctx)
    assert turned.trace.calls == 1, "scores were taken over from another company"


def test_an_order_from_the_cache_still_tells_what_was_cut(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ctx = Context(cache=ScoreCache(tmp_path / "scores.sqlite"))
    answer = FusionInDecoder.answer

    def told(self: FusionInDecoder, passages: Sequence[str], *rest: object) -> FusionAnswer:
        answer(self, passages, *rest)  # type: ignore[arg-type]
        return FusionAnswer("[3] > [1] > [2]", False)

    monkeypatch.setattr(FusionInDecoder, "answer", told)
    long = [*DOCS[:2], Document("long", "Paris is a city . " * 200)]
    reranker = LiT5(model=str(folder), device="cpu")
    first, again = (reranker.rerank(ASKED, long, ctx) for _ in range(2))
    assert first.ranking.doc_ids == again.ranking.doc_ids == ("long", "d0", "d1")
    assert first.status is again.status is Status.TRUNCATED
    assert first.trace.truncated == again.trace.truncated == 1
    assert (again.trace.calls, again.trace.cache_hits) == (0, 1)


def test_a_step_that_skips_documents_is_a_problem_before_any_work(folder: Path) -> None:
    (problem,) = LiT5(model=str(folder), window=5, step=5).problems()
    assert "does not fit a window" in problem.message


@pytest.mark.parametrize("reranker", [LiT5, LiT5Score])
def test_they_keep_the_contract(reranker: type[LiT5] | type[LiT5Score], folder: Path) -> None:
    contract = reranker_contract(reranker, model=str(folder), device="cpu")()
    for name in dir(contract):
        if name.startswith("test_"):
            getattr(contract, name)()
