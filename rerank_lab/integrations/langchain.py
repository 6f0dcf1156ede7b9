"""LangChain: any reranking stages as a document compressor.

from rerank_lab.integrations.langchain import RerankLabCompressor

compressor = RerankLabCompressor("ms-marco-minilm-l12(top=50) >> mmr", top_n=5)
candidates = vectors.as_retriever(search_kwargs={"k": 50})
documents = compressor.compress_documents(candidates.invoke(query), query)

`ContextualCompressionRetriever` of langchain-classic takes it as `base_compressor`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rerank_lab.core.context import CancelToken
from rerank_lab.core.errors import MissingExtra
from rerank_lab.integrations.shared import StagesLike, checked_top, document, in_thread, rerank
from rerank_lab.pipeline.reranking import Stages

try:
    from langchain_core.callbacks import Callbacks
    from langchain_core.documents import BaseDocumentCompressor, Document
    from langchain_core.runnables import RunnableConfig, RunnableLambda
    from pydantic import ConfigDict
except ModuleNotFoundError as error:
    raise MissingExtra.of("The LangChain compressor", "langchain") from error

_Inputs = dict[str, Any]
SCORE, SCALE = "relevance_score", "relevance_scale"


class RerankLabCompressor(BaseDocumentCompressor):
    """Reranks retrieved documents; returns copies, the best `top_n` or all of them.

    A document's metadata get `relevance_score` and `relevance_scale`, what the score is (logit,
    probability, ...). A document that the last stage did not score has neither, not even from
    before. The models read `page_content`, after the metadata `title_key` if one is named. The
    work is a run named after the class in LangChain's tracing.

    Raises LabError, with the next thing to do as its `hint`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    pipeline: str
    top_n: int | None = None
    title_key: str = ""
    cache: bool = True
    """False: nothing is kept in the data folder's score cache or taken from it."""

    def __init__(
        self,
        pipeline: StagesLike,
        *,
        top_n: int | None = None,
        title_key: str = "",
        cache: bool = True,
        **unknown: Any,
    ) -> None:
        values: dict[str, Any] = {
            "pipeline": str(Stages(pipeline)),
            "top_n": checked_top("top_n", top_n),
            "title_key": title_key,
            "cache": cache,
        }
        super().__init__(**values, **unknown)

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> list[Document]:
        """The documents in their new order."""

        def work(_: _Inputs) -> list[Document]:
            return self._reranked(documents, query)

        run: RunnableLambda[_Inputs, list[Document]] = RunnableLambda(work, name=self.get_name())
        return run.invoke({"query": query, "documents": documents}, _config(callbacks))

    async def acompress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> list[Document]:
        """The same in a thread; cancelling it stops the work before the next batch."""

        async def work(_: _Inputs) -> list[Document]:
            return await in_thread(lambda cancel: self._reranked(documents, query, cancel))

        run: RunnableLambda[_Inputs, list[Document]] = RunnableLambda(work, name=self.get_name())
        return await run.ainvoke({"query": query, "documents": documents}, _config(callbacks))

    @classmethod
    def get_name(cls) -> str:
        """What LangChain's tracing calls it."""
        return cls.__name__

    def _reranked(
        self, documents: Sequence[Document], query: str, cancel: CancelToken | None = None
    ) -> list[Document]:
        candidates = [
            document(doc.page_content, doc.metadata, self.title_key, place)
            for place, doc in enumerate(documents)
        ]
        reranking = rerank(
            self.pipeline, query, candidates, top=self.top_n, cache=self.cache, cancel=cancel
        )
        return [_scored(documents[at.place], at.score, reranking.scale) for at in reranking.order]


def _scored(doc: Document, score: float | None, scale: str) -> Document:
    metadata = {k: v for k, v in doc.metadata.items() if k not in (SCORE, SCALE)}
    if score is not None:
        metadata |= {SCORE: score, SCALE: scale}
    return doc.model_copy(update={"metadata": metadata})


def _config(callbacks: Callbacks | None) -> RunnableConfig | None:
    return None if callbacks is None else RunnableConfig(callbacks=callbacks)
