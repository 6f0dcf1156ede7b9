"""Lexical overlap: how many of the query's words a document holds. No model, no collection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rerank_lab.components.base import Info, Param
from rerank_lab.core.spec import Literal
from rerank_lab.corpora.analysis import Analyzer
from rerank_lab.corpora.analysis_options import LANGUAGE, STOP_WORDS
from rerank_lab.rerankers.base import TOP, PointwiseReranker, Work


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
        asked = set(self._analyzer.query_terms(query))
        return [self._share(asked, set(self._analyzer.document_terms(text))) for text in texts]

    def _share(self, asked: set[str], held: set[str]) -> float:
        whole = asked if self.options["measure"] == "coverage" else asked | held
        return len(asked & held) / len(whole) if whole else 0.0
