"""Haystack: any reranking stages as a ranker component.

from rerank_lab.integrations.haystack import RerankLabRanker

pipeline.add_component("ranker", RerankLabRanker("ms-marco-minilm-l12(top=50)", top_k=5))
pipeline.connect("retriever.documents", "ranker.documents")
"""

from __future__ import annotations

import dataclasses
from typing import Any

from rerank_lab.core.context import CancelToken
from rerank_lab.core.errors import MissingExtra
from rerank_lab.integrations.shared import StagesLike, checked_top, document, in_thread, rerank
from rerank_lab.pipeline.reranking import Stages

try:
    from haystack import Document, component, default_from_dict, default_to_dict
except ModuleNotFoundError as error:
    raise MissingExtra.of("The Haystack ranker", "haystack") from error

SCALE = "score_scale"


@component
class RerankLabRanker:
    """Reranks documents; returns copies, the best `top_k` or all of them, equal ones included.

    `Document.score` is the last stage's score, and `meta["score_scale"]` says what it is (logit,
    probability, ...). A document that the last stage did not score has neither: the retriever's
    score would be on another scale. The models read `content`, after the metadata `title_key` if
    one is named. `cache=False` keeps nothing in the data folder's score cache.

    Raises LabError, with the next thing to do as its `hint`; a Haystack pipeline shows both.
    """

    def __init__(
        self,
        pipeline: StagesLike,
        *,
        top_k: int | None = None,
        title_key: str = "",
        cache: bool = True,
    ) -> None:
        self.pipeline = str(Stages(pipeline))
        self.top_k = checked_top("top_k", top_k)
        self.title_key = title_key
        self.cache = cache

    def warm_up(self) -> None:
        """Load the models; nothing where that is done."""
        Stages(self.pipeline).load()

    @component.output_types(documents=list[Document])
    def run(
        self, query: str, documents: list[Document], top_k: int | None = None
    ) -> dict[str, list[Document]]:
        """`{"documents": [...]}` in their new order; `top_k` wins over the component's own."""
        return self._reranked(query, documents, top_k)

    @component.output_types(documents=list[Document])
    async def run_async(
        self, query: str, documents: list[Document], top_k: int | None = None
    ) -> dict[str, list[Document]]:
        """The same in a thread; cancelling it stops the work before the next batch."""
        return await in_thread(lambda cancel: self._reranked(query, documents, top_k, cancel))

    def to_dict(self) -> dict[str, Any]:
        """How Haystack saves it in a pipeline's YAML."""
        return default_to_dict(
            self,
            pipeline=self.pipeline,
            top_k=self.top_k,
            title_key=self.title_key,
            cache=self.cache,
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> RerankLabRanker:
        """The component that `to_dict` wrote."""
        return default_from_dict(cls, data)

    def _reranked(
        self,
        query: str,
        documents: list[Document],
        top_k: int | None,
        cancel: CancelToken | None = None,
    ) -> dict[str, list[Document]]:
        top = checked_top("top_k", top_k) or self.top_k
        candidates = [
            document(doc.content, doc.meta, self.title_key, place)
            for place, doc in enumerate(documents)
        ]
        reranking = rerank(
            self.pipeline, query, candidates, top=top, cache=self.cache, cancel=cancel
        )
        order = [_scored(documents[at.place], at.score, reranking.scale) for at in reranking.order]
        return {"documents": order}


def _scored(doc: Document, score: float | None, scale: str) -> Document:
    meta = {key: value for key, value in doc.meta.items() if key != SCALE}
    if score is not None:
        meta[SCALE] = scale
    return dataclasses.replace(doc, score=score, meta=meta)
