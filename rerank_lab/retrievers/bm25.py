"""BM25 over an index of our own: small, quick to open, and equal to bm25s in its scores."""

from __future__ import annotations

from pathlib import Path

from rerank_lab.components.base import Info, Param
from rerank_lab.core.context import Context
from rerank_lab.core.types import Query, Ranking, Trace
from rerank_lab.corpora.analysis import (
    ANALYSIS_VERSION,
    LANGUAGE,
    STOP_WORDS,
    STOP_WORDS_ONLY,
    Analyzer,
)
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.corpora.stored_documents import StoredDocuments
from rerank_lab.retrievers import postings
from rerank_lab.retrievers.base import DEPTH, MANIFEST, Retriever, names_of, stored_index


class BM25(Retriever):
    """Best match 25 (Robertson and Zaragoza 2009) in the variants of Kamphuis et al. 2020.

    The defaults k1=1.2, b=0.75 are those of the paper and of Lucene; k1=0.9, b=0.4 are the ones
    published baselines on BEIR and TREC use.
    """

    index_format = ANALYSIS_VERSION
    info = Info(
        name="bm25",
        kind="retriever",
        family="lexical",
        summary="Ranks by shared words, weighted by rarity, saturated, corrected for length.",
        scale="bm25",
        params=(
            DEPTH,
            Param(
                "k1",
                1.2,
                "How much a repeated word still adds: 0 counts it once, larger saturates later.",
                low=0.0,
                high=10.0,
                label="Saturation k1",
            ),
            Param(
                "b",
                0.75,
                "How much long documents are held back: 0 not at all, 1 in full proportion.",
                low=0.0,
                high=1.0,
                label="Length correction b",
            ),
            Param(
                "variant",
                "lucene",
                "The formula. Lucene's, the original, ATIRE's, or those kinder to long documents.",
                choices=postings.VARIANTS,
                label="Variant",
            ),
            LANGUAGE,
            STOP_WORDS,
        ),
    )

    def _build(self, corpus: Corpus, folder: Path | None, ctx: Context) -> None:
        options = self.options
        self._analyzer = Analyzer(str(options["language"]), bool(options["stop_words"]))
        self._ids = corpus.ids
        if folder is not None and (folder / MANIFEST).exists():
            self._postings = postings.open_stored(self.info.name, folder, len(corpus))
            return
        weighting = postings.Weighting(
            str(options["variant"]), float(options["k1"]), float(options["b"])
        )
        if folder is None:
            self._postings = self._in_memory(corpus, weighting, ctx)
            return
        with stored_index(folder, self._manifest(corpus)) as unfinished:
            if isinstance(corpus.documents, StoredDocuments):
                documents = corpus.documents
                postings.build_stored(documents, self._analyzer, weighting, unfinished, ctx)
            else:
                self._in_memory(corpus, weighting, ctx).save(unfinished)
        self._postings = postings.open_stored(self.info.name, folder, len(corpus))

    def _in_memory(
        self, corpus: Corpus, weighting: postings.Weighting, ctx: Context
    ) -> postings.Postings:
        texts = [document.content for document in corpus.documents]
        return postings.build(texts, self._ids, self._analyzer, weighting, ctx)

    def _search(self, query: Query, k: int, ctx: Context) -> Ranking:
        best = self._postings.search(self._analyzer.query_terms(query.text), k)
        names = names_of(self._ids, [number for number, _ in best])
        scores = [score for _, score in best]
        return Ranking.from_columns(query.id, names, scores, self.info.scale)

    def _traced(self, query: Query, k: int, ctx: Context) -> tuple[Ranking, Trace]:
        ranking = self._search(query, k, ctx)
        if len(ranking) or not self._analyzer.only_stop_words(query.text):
            return ranking, Trace()
        return ranking, Trace(warnings=(STOP_WORDS_ONLY,))

    def rarity(self, word: str) -> dict[str, float]:
        """The terms of a word in the built index, each with its inverse document frequency."""
        return {term: self._postings.idf(term) for term in self._analyzer.document_terms(word)}

    def close(self) -> None:
        """Let go of the index."""
        super().close()
        self.__dict__.pop("_postings", None)
        self.__dict__.pop("_ids", None)
