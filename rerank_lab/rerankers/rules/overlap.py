"""Lexical overlap: how many of the query's words a document holds. No model, no collection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rerank_lab.components.base import Info, Param
from rerank_lab.core.spec import Literal
from rerank_lab.core.work import Work
from rerank_lab.corpora.analysis import (
    ANALYSIS_VERSION,
    LANGUAGE,
    STOP_WORDS,
    STOP_WORDS_ONLY,
    Analyzer,
)
from rerank_lab.rerankers.base import TOP, PointwiseReranker


class Overlap(PointwiseReranker):
    """The floor under every reranker: stemmed words in common, as a share from 0 to 1."""

    info: ClassVar[Info] = Info(
        name="overlap",
        kind="reranker",
        family="lexical",
        has_model=False,
        summary="Counts the query's words that a document holds: the floor for every model.",
        scale="share",
        params=(
            TOP,
            Param(
                "measure",
                "coverage",
                "Share of the query's words; jaccard: of the words of both, kind to short texts.",
                choices=("coverage", "jaccard"),
                label="Measure",
            ),
            LANGUAGE,
            STOP_WORDS,
        ),
    )

    def __init__(self, **options: Literal) -> None:
        super().__init__(**options)
        language, stop_words = str(self.options["language"]), bool(self.options["stop_words"])
        self._analyzer = Analyzer(language, stop_words)

    def score(self, query: str, texts: Sequence[str], work: Work) -> list[float]:
        """The share of words in common, 0 to 1, for each text."""
        query_terms = set(self._analyzer.query_terms(query))
        if self._analyzer.only_stop_words(query):
            work.warn(STOP_WORDS_ONLY)
        return [self._share(query_terms, set(self._analyzer.document_terms(t))) for t in texts]

    def weights_digest(self) -> str:
        """The version of the analysis, which decides what a word is."""
        return f"analysis {ANALYSIS_VERSION}"

    def _share(self, query_terms: set[str], document_terms: set[str]) -> float:
        coverage = self.options["measure"] == "coverage"
        whole = query_terms if coverage else query_terms | document_terms
        return len(query_terms & document_terms) / len(whole) if whole else 0.0
