"""`live`: the search engine that a live corpus belongs to, asked by the template stored with it."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from rerank_lab.components.base import Info
from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput, LabError
from rerank_lab.core.types import Query, Ranking, Trace
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.corpora.live import LiveCorpus
from rerank_lab.corpora.live_opening import engine_of
from rerank_lab.retrievers.base import DEPTH, Retriever
from rerank_lab.retrievers.engines.base import ENGINE_SCALE, FRESH_S, EngineRetriever


class Live(Retriever):
    """A short name for the engine of the live corpus at hand, with all that its spec says."""

    info = Info(
        name="live",
        kind="retriever",
        family="live",
        summary="Asks the search engine of a live corpus, as the corpus was connected.",
        scale=ENGINE_SCALE,
        lane="light",
        has_index=False,
        has_model=False,
        live=True,
        params=(DEPTH,),
    )
    _engine: EngineRetriever

    @property
    def epoch(self) -> int:
        """Another one every minute, as for every engine."""
        return 1 + int(time.monotonic() // FRESH_S)

    def problems(self, corpus: Corpus | None = None) -> list[LabError]:
        """The corpus is none of a search engine, or the engine cannot be asked."""
        if corpus is None:
            return []
        try:
            return self._engine_of(corpus).problems(corpus)
        except LabError as error:
            return [error]

    def _engine_of(self, corpus: Corpus) -> EngineRetriever:
        if not isinstance(corpus, LiveCorpus):
            raise InvalidInput(
                f"{corpus.name!r} belongs to no search engine; live has nothing to ask.",
                hint='Name the engine, such as postgres(table="articles"), or begin with bm25.',
            )
        engine = engine_of(corpus.engine)
        if not isinstance(engine, EngineRetriever):
            raise InvalidInput(
                f"{corpus.engine} is no search engine that live can ask.",
                hint="Name it in the pipeline itself.",
            )
        return engine

    def _build(self, corpus: Corpus, folder: Path | None, ctx: Context) -> None:
        self._engine = self._engine_of(corpus)
        self._engine.prepare(ctx)
        self._engine.build(corpus, ctx)

    def _search(self, query: Query, k: int, ctx: Context) -> Ranking:
        return self._traced(query, k, ctx)[0]

    def _traced(self, query: Query, k: int, ctx: Context) -> tuple[Ranking, Trace]:
        retrieved = self._engine.search(query, k, ctx)
        # Calls and documents are counted by whoever asked this first stage.
        return retrieved.ranking, replace(retrieved.trace, calls=0, documents=0)

    def close(self) -> None:
        """Let go of the engine's connections."""
        super().close()
        if "_engine" in self.__dict__:
            self._engine.close()
