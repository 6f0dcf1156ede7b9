"""LlamaIndex: any reranking stages as a node post-processor.

from rerank_lab.integrations.llama_index import RerankLabPostprocessor

reranker = RerankLabPostprocessor("ms-marco-minilm-l12(top=50)", top_n=5)
engine = index.as_query_engine(similarity_top_k=50, node_postprocessors=[reranker])
"""

from __future__ import annotations

from typing import Any

from rerank_lab.core.context import CancelToken
from rerank_lab.core.errors import InvalidInput, MissingExtra
from rerank_lab.core.types import Document
from rerank_lab.integrations.shared import StagesLike, checked_top, document, in_thread, rerank
from rerank_lab.pipeline.reranking import Stages

try:
    from llama_index.core.callbacks import CBEventType, EventPayload
    from llama_index.core.instrumentation.events.rerank import ReRankEndEvent, ReRankStartEvent
    from llama_index.core.postprocessor.types import BaseNodePostprocessor
    from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle
    from llama_index_instrumentation import get_dispatcher
except ModuleNotFoundError as error:
    raise MissingExtra.of("The LlamaIndex post-processor", "llama-index") from error

_dispatcher = get_dispatcher(__name__)


class RerankLabPostprocessor(BaseNodePostprocessor):
    """Reranks retrieved nodes; returns the best `top_n` or all of them, the nodes as they are.

    `NodeWithScore.score` is the last stage's score on the scale that `scale` names (logit,
    probability, ...), and None for a node that it did not score: the retriever's score would be on
    another scale. The models read a node's text with its embedding metadata, as LlamaIndex' own
    rerankers do; with a `title_key`, that metadata as title and the text alone.

    Raises LabError, with the next thing to do as its `hint`.
    """

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
        **inherited: Any,
    ) -> None:
        values: dict[str, Any] = {
            "pipeline": str(Stages(pipeline)),
            "top_n": checked_top("top_n", top_n),
            "title_key": title_key,
            "cache": cache,
        }
        super().__init__(**values, **inherited)

    @classmethod
    def class_name(cls) -> str:
        """What LlamaIndex calls it when it is saved."""
        return "RerankLabPostprocessor"

    @property
    def scale(self) -> str:
        """What the scores are, "order" when there are none."""
        return Stages(self.pipeline).scale

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        return self._reranked(nodes, query_bundle, CancelToken())

    async def _apostprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        return await in_thread(lambda cancel: self._reranked(nodes, query_bundle, cancel))

    def _reranked(
        self, nodes: list[NodeWithScore], query: QueryBundle | None, cancel: CancelToken
    ) -> list[NodeWithScore]:
        if query is None:
            raise InvalidInput(
                "A reranker needs the query.",
                hint='Give it: postprocess_nodes(nodes, query_str="...").',
            )
        if not nodes:
            return []
        top = self.top_n or len(nodes)
        _dispatcher.event(
            ReRankStartEvent(query=query, nodes=nodes, top_n=top, model_name=self.pipeline)
        )
        payload: dict[str, Any] = {
            EventPayload.NODES: nodes,
            EventPayload.MODEL_NAME: self.pipeline,
            EventPayload.QUERY_STR: query.query_str,
            EventPayload.TOP_K: top,
        }
        with self.callback_manager.event(CBEventType.RERANKING, payload=payload) as event:
            candidates = [self._document(node, place) for place, node in enumerate(nodes)]
            reranking = rerank(
                self.pipeline, query.query_str, candidates, top=top, cache=self.cache, cancel=cancel
            )
            reranked = [
                NodeWithScore(node=nodes[at.place].node, score=at.score) for at in reranking.order
            ]
            event.on_end(payload={EventPayload.NODES: reranked})
        _dispatcher.event(ReRankEndEvent(nodes=reranked))
        return reranked

    def _document(self, node: NodeWithScore, place: int) -> Document:
        mode = MetadataMode.NONE if self.title_key else MetadataMode.EMBED
        text = node.node.get_content(metadata_mode=mode)
        return document(text, node.node.metadata, self.title_key, place)
