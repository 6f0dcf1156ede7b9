"""BM25 over candidates alone, for a pool that comes from elsewhere: no model, no collection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rerank_lab.components.base import Info
from rerank_lab.core.spec import Literal
from rerank_lab.core.work import Work
from rerank_lab.corpora.analysis import ANALYSIS_VERSION, STOP_WORDS_ONLY, Analyzer
from rerank_lab.rerankers.base import TOP
from rerank_lab.rerankers.joint_scoring import JointScoringReranker
from rerank_lab.retrievers import postings
from rerank_lab.retrievers.bm25 import BM25


class BM25Candidates(JointScoringReranker):
    """Robertson and Zaragoza 2009, word rarity and mean length being those of the candidates.

    A score depends on the pool. Behind a first stage over the whole corpus, the scores of that
    collection take part as `weighted(...,bm25)` instead.
    """

    info: ClassVar[Info] = Info(
        name="bm25-candidates",
        kind="reranker",
        family="lexical",
        has_model=False,
        summary="BM25 among the candidates: what a pool from elsewhere gives without any model.",
        scale="bm25",
        params=(TOP, *(param for param in BM25.info.params if param.name != "k")),
    )

    def __init__(self, **options: Literal) -> None:
        super().__init__(**options)
        language, stop_words = str(self.options["language"]), bool(self.options["stop_words"])
        self._analyzer = Analyzer(language, stop_words)
        self._weighting = postings.Weighting(
            str(self.options["variant"]), float(self.options["k1"]), float(self.options["b"])
        )

    def weights_digest(self) -> str:
        """The version of the analysis, which decides what a word is."""
        return f"analysis {ANALYSIS_VERSION}"

    def score(self, query: str, texts: Sequence[str], work: Work) -> list[float]:
        """BM25 scores; 0 for a text that holds no word of the query."""
        if self._analyzer.only_stop_words(query):
            work.warn(STOP_WORDS_ONLY)
        ids = [f"{i:06}" for i in range(len(texts))]
        index = postings.build(texts, ids, self._analyzer, self._weighting, work.ctx)
        best = dict(index.search(self._analyzer.query_terms(query), len(texts)))
        return [best.get(i, 0.0) for i in range(len(texts))]
