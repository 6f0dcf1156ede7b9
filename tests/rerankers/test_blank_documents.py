"""A document without text never outranks one with text, whatever ranks them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from rerank_lab.components.registry import Info
from rerank_lab.core.context import Context
from rerank_lab.core.types import Document, Query, Ranking
from rerank_lab.core.work import Work
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.rerankers.base import TOP, PointwiseReranker, Reranker
from rerank_lab.rerankers.comparative import ListwiseReranker, PairwiseReranker, SetwiseReranker
from rerank_lab.rerankers.joint_scoring import JointScoringReranker
from rerank_lab.rerankers.rules.identity import Identity
from rerank_lab.rerankers.rules.long_context_reorder import LongContextReorder
from rerank_lab.rerankers.rules.mmr import MMR
from rerank_lab.rerankers.rules.overlap import Overlap
from rerank_lab.rerankers.rules.score_stages import Platt

QUERY = Query.of("green tea")
BLANK = ("", "  \n", "\u200b", "\u00a0\ufeff")
DOCS = [
    Document("blank-0", BLANK[0]),
    Document("tea", "green tea"),
    Document("blank-1", BLANK[1]),
    Document("coffee", "coffee"),
    Document("title", "", title="Green tea"),
    Document("blank-2", BLANK[2]),
    Document("blank-3", BLANK[3]),
]
LAST = ("blank-0", "blank-1", "blank-2", "blank-3")


class PrefersShort(PointwiseReranker):
    """Likes empty texts best, as some cross-encoders do."""

    info: ClassVar[Info] = Info("prefers-short", "reranker", "test", "Test.", "logit", (TOP,))

    def score(self, query: str, texts: Sequence[str], work: Work) -> list[float]:
        return [-float(len(text)) for text in texts]


class PrefersShortJointly(JointScoringReranker):
    info: ClassVar[Info] = Info("short-jointly", "reranker", "test", "Test.", "logit", (TOP,))

    def score(self, query: str, texts: Sequence[str], work: Work) -> list[float]:
        return [-float(len(text)) for text in texts]


class ListsShortest(ListwiseReranker):
    info: ClassVar[Info] = Info("lists-shortest", "reranker", "test", "Test.", "order", (TOP,))

    def order(self, query: str, texts: Sequence[str], work: Work) -> list[int]:
        return sorted(range(len(texts)), key=lambda i: len(texts[i]))


class ComparesShortest(PairwiseReranker):
    info: ClassVar[Info] = Info("compares-shortest", "reranker", "test", "Test.", "wins", (TOP,))

    def prefer(self, query: str, first: str, second: str, work: Work) -> float:
        return float(len(first) < len(second))


class PicksShortest(SetwiseReranker):
    info: ClassVar[Info] = Info("picks-shortest", "reranker", "test", "Test.", "order", (TOP,))

    def pick(self, query: str, texts: Sequence[str], work: Work) -> int:
        return min(range(len(texts)), key=lambda i: len(texts[i]))


@pytest.mark.parametrize(
    "reranker",
    [
        PrefersShort(),
        PrefersShortJointly(),
        ListsShortest(),
        ComparesShortest(),
        PicksShortest(),
        Identity(),
        LongContextReorder(),
        MMR(),
        Overlap(),
        Platt(),
    ],
    ids=lambda reranker: reranker.info.name,
)
def test_documents_without_text_come_last_and_are_counted(reranker: Reranker) -> None:
    before = Ranking.from_scores(QUERY.id, {d.id: -float(i) for i, d in enumerate(DOCS)}, "bm25")
    done = reranker.rerank(QUERY, DOCS, Context(), before)
    assert done.ranking.doc_ids[-4:] == LAST
    assert [hit.score for hit in done.ranking][-4:] == [None] * 4
    assert "4 candidates have no text and come last, without a score." in done.trace.warnings


def test_a_list_of_nothing_but_blanks_needs_no_model() -> None:
    done = PrefersShort().rerank(QUERY, [Document("a", ""), Document("b", " ")], Context())
    assert done.ranking.doc_ids == ("a", "b")
    assert done.trace.calls == 0


def run_of(corpus: Corpus, file: Path) -> Path:
    """A run that puts the documents in the order of the corpus."""
    lines = [f"{QUERY.id} Q0 {d.id} {i} {99 - i} r" for i, d in enumerate(corpus.documents, 1)]
    file.write_text("\n".join(lines))
    return file


@pytest.mark.parametrize(
    "stage",
    ["overlap(top=2)", "identity(top=2)", "rrf(overlap,mmr,top=2)", "weighted(overlap,bm25)"],
)
def test_in_a_pipeline_they_come_after_what_was_not_reranked(tmp_path: Path, stage: str) -> None:
    corpus = Corpus("c", tuple(DOCS))
    run = run_of(corpus, tmp_path / "blank-first.trec")
    pipeline = Pipeline(f'run(path="{run}") >> {stage}')
    result = pipeline.run(QUERY, corpus, engine=Engine(tmp_path / "home"))
    assert result.error is None
    assert result.ranking is not None
    assert set(result.ranking.doc_ids[:3]) == {"tea", "coffee", "title"}
    assert result.ranking.doc_ids[3:] == LAST
    assert any("have no text" in warning for warning in result.trace.warnings)
