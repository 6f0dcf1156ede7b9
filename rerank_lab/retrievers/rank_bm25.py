"""The rank-bm25 package as a reference engine: slow, well known, and scored by its own code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rerank_lab.components.base import Info, Param
from rerank_lab.core.context import Context
from rerank_lab.core.types import Query, Ranking, Trace
from rerank_lab.corpora.analysis import LANGUAGE, STOP_WORDS, STOP_WORDS_ONLY, Analyzer
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.retrievers.base import DEPTH, Retriever

_CLASSES = {"okapi": "BM25Okapi", "l": "BM25L", "plus": "BM25Plus"}
_CHUNK = 2000


class RankBM25(Retriever):
    """Okapi, L and Plus of the rank-bm25 package, over the same terms as `bm25`.

    Nothing is kept on disk: the package has no index format, so it is built again in each process.
    Every search visits every document, about a hundred times slower than `bm25` on large corpora.
    """

    info = Info(
        name="rank-bm25",
        kind="retriever",
        family="lexical",
        summary="BM25 by the rank-bm25 package, to check results against; rebuilt at each start.",
        scale="bm25",
        params=(
            DEPTH,
            Param(
                "variant",
                "okapi",
                "Okapi (with a floor for common words), L, or Plus.",
                choices=tuple(_CLASSES),
                label="Variant",
            ),
            Param(
                "k1",
                1.5,
                "How much a repeated word still adds.",
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
            LANGUAGE,
            STOP_WORDS,
        ),
    )

    def _build(self, corpus: Corpus, folder: Path | None, ctx: Context) -> None:
        import rank_bm25

        options = self.options
        self._analyzer = Analyzer(str(options["language"]), bool(options["stop_words"]))
        self._ids = [document.id for document in corpus.documents]
        terms: list[list[str]] = []
        for number, document in enumerate(corpus.documents):
            if number % _CHUNK == 0:
                ctx.checkpoint()
                ctx.report("indexing", number, len(corpus))
            terms.append(self._analyzer.document_terms(document.content))
        ctx.report("indexing", len(corpus), len(corpus))
        engine = getattr(rank_bm25, _CLASSES[str(options["variant"])])
        # The package divides by the number of distinct terms, so there must be one.
        self._engine: Any = None
        if any(terms):
            self._engine = engine(terms, k1=float(options["k1"]), b=float(options["b"]))

    def _search(self, query: Query, k: int, ctx: Context) -> Ranking:
        terms = self._analyzer.query_terms(query.text)
        if self._engine is None or not terms:
            return Ranking.from_scores(query.id, {}, self.info.scale)
        scores = self._engine.get_scores(terms)
        wanted = set(terms)
        matching = {
            self._ids[number]: float(scores[number])
            for number, counts in enumerate(self._engine.doc_freqs)
            if not wanted.isdisjoint(counts)
        }
        return Ranking.from_scores(query.id, matching, self.info.scale, limit=k)

    def _traced(self, query: Query, k: int, ctx: Context) -> tuple[Ranking, Trace]:
        dropped = self._analyzer.only_stop_words(query.text)
        return self._search(query, k, ctx), Trace(warnings=(STOP_WORDS_ONLY,) if dropped else ())

    def close(self) -> None:
        """Let go of the engine."""
        super().close()
        self.__dict__.pop("_engine", None)
