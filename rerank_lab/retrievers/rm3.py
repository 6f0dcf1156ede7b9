"""RM3: the query is expanded with words of the documents that BM25 finds first, and asked again."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from rerank_lab.components.base import Info, Param
from rerank_lab.core.context import Context
from rerank_lab.core.spec import Literal
from rerank_lab.core.types import Query, Ranking
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.retrievers.bm25 import BM25

_FEEDBACK = (
    Param(
        "fb_docs",
        10,
        "How many of the documents found first are taken as relevant.",
        low=1,
        high=1000,
        unit="documents",
        label="Feedback documents",
    ),
    Param(
        "fb_terms",
        10,
        "How many of their words are added to the query.",
        low=1,
        high=1000,
        unit="words",
        label="Feedback words",
    ),
    Param(
        "original",
        0.5,
        "What the words of the query itself weigh against the added ones.",
        low=0.0,
        high=1.0,
        label="Weight of the query",
    ),
)


class RM3(BM25):
    """BM25 with pseudo-relevance feedback, a document weighing in by its BM25 score.

    Abdul-Jaleel et al. 2004, "UMass at TREC 2004"; Lavrenko and Croft 2001.
    """

    info = Info(
        name="rm3",
        kind="retriever",
        family="lexical",
        summary="BM25 twice: the second time with frequent words of the documents found first.",
        scale="rm3",
        params=(*BM25.info.params, *_FEEDBACK),
    )

    @property
    def index_options(self) -> dict[str, Literal]:
        """Without the options of the expansion, which happens when a query is asked."""
        later = {param.name for param in _FEEDBACK}
        return {k: v for k, v in super().index_options.items() if k not in later}

    def expanded(self, text: str, excluded: Collection[str] = ()) -> dict[str, float]:
        """The words of the expanded query with their weights, which add up to 1.

        Documents whose ids are `excluded`, such as the query's own, are no feedback.
        """
        query_terms = Counter(
            t for t in self._analyzer.query_terms(text) if t in self._postings.terms
        )
        fb_docs = int(self.options["fb_docs"])
        left_out: set[int] = set()
        for doc_id in excluded:
            left_out.update(self._corpus.numbers_of(doc_id))
        best = self._postings.search(list(query_terms.elements()), fb_docs + len(left_out))
        best = [(number, score) for number, score in best if number not in left_out][:fb_docs]
        counted = [
            (Counter(self._analyzer.document_terms(self._corpus.documents[number].content)), score)
            for number, score in best
        ]
        added = relevance_model(counted, int(self.options["fb_terms"]))
        own, total = float(self.options["original"]), query_terms.total()
        if not added:
            own = 1.0
        weights = {term: own * count / total for term, count in query_terms.items()}
        for term, share in added.items():
            weights[term] = weights.get(term, 0.0) + (1 - own) * share
        return {term: weight for term, weight in weights.items() if weight > 0}

    def _build(self, corpus: Corpus, folder: Path | None, ctx: Context) -> None:
        super()._build(corpus, folder, ctx)
        self._corpus = corpus

    def _search(self, query: Query, k: int, ctx: Context) -> Ranking:
        best = self._postings.weighted(self.expanded(query.text, query.excluded), k)
        scores = {self._ids[number]: score for number, score in best}
        return Ranking.from_scores(query.id, scores, self.info.scale)

    def close(self) -> None:
        """Let go of index and texts."""
        super().close()
        self.__dict__.pop("_corpus", None)


def relevance_model(
    documents: Sequence[tuple[Mapping[str, int], float]], terms: int
) -> dict[str, float]:
    """P(word | relevance) of the `terms` likeliest words, made to add up to 1 (RM1).

    `documents` are (word counts, score > 0) pairs: a word's share of each document, weighted by the
    document's share of the scores. Ties go to the word that sorts first.
    """
    total = math.fsum(score for _, score in documents)
    shares: dict[str, float] = {}
    for counts, score in documents:
        length = sum(counts.values())
        for term, count in counts.items():
            shares[term] = shares.get(term, 0.0) + score / total * count / length
    strongest = sorted(shares, key=lambda term: (-shares[term], term))[:terms]
    mass = math.fsum(shares[term] for term in strongest)
    return {term: shares[term] / mass for term in strongest}
