"""The post-processor inside LlamaIndex' own retrieval, query engine, events and event loop."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("llama_index.core")
from llama_index.core import VectorStoreIndex
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.llms import MockLLM
from llama_index.core.postprocessor import SimilarityPostprocessor
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.response_synthesizers.no_text import NoText
from llama_index.core.schema import MetadataMode, NodeWithScore, TextNode
from llama_index_instrumentation import get_dispatcher

import rerank_lab as rl
from rerank_lab.core.errors import BackendError, InvalidInput
from rerank_lab.integrations.llama_index import RerankLabPostprocessor
from tests.integrations.conftest import Calls, wait_for

TEXTS = ["heat pump", "a heat pump moves heat", "heat"]


def nodes() -> list[TextNode]:
    return [TextNode(id_=f"n{n}", text=text) for n, text in enumerate(TEXTS)]


def scored(given: list[TextNode]) -> list[NodeWithScore]:
    return [NodeWithScore(node=node, score=0.5) for node in given]


def engine(*steps: Any) -> RetrieverQueryEngine:
    """Retrieval, post-processing and an answer made of the nodes alone; no language model."""
    index = VectorStoreIndex(nodes(), embed_model=MockEmbedding(embed_dim=4))
    return RetrieverQueryEngine(
        index.as_retriever(similarity_top_k=3),
        response_synthesizer=NoText(llm=MockLLM()),
        node_postprocessors=list(steps),
    )


def ids(found: list[NodeWithScore]) -> list[str]:
    return [node.node.node_id for node in found]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_query_engine_answers_from_the_reranked_nodes(asynchronous: bool) -> None:
    flow = engine(RerankLabPostprocessor("by-length", top_n=2))
    answer = asyncio.run(flow.aquery("pump")) if asynchronous else flow.query("pump")
    assert ids(answer.source_nodes) == ["n1", "n0"]
    assert [node.score for node in answer.source_nodes] == [22.0, 9.0]


def test_it_stands_among_other_postprocessors_and_its_scores_can_be_cut() -> None:
    cut = SimilarityPostprocessor(similarity_cutoff=5)
    answer = engine(RerankLabPostprocessor("by-length"), cut).query("pump")
    assert ids(answer.source_nodes) == ["n1", "n0"]


def test_an_order_has_no_scores_and_says_so() -> None:
    reranker = RerankLabPostprocessor("by-length >> both-ends")
    found = reranker.postprocess_nodes(scored(nodes()), query_str="pump")
    assert ids(found) == ["n1", "n2", "n0"]
    assert [node.score for node in found] == [None] * 3
    assert reranker.scale == "order"
    assert RerankLabPostprocessor("by-length").scale == "characters"


def test_nodes_below_the_top_lose_the_retrievers_score() -> None:
    given = scored(nodes())
    found = RerankLabPostprocessor("by-length(top=2)").postprocess_nodes(given, query_str="q")
    assert [node.score for node in found] == [22.0, 9.0, None]
    assert [node.score for node in given] == [0.5] * 3
    assert found[0].node is given[1].node


def test_equal_nodes_stay_two_and_no_nodes_are_no_work(plugin: Calls) -> None:
    reranker = RerankLabPostprocessor("by-length")
    assert reranker.postprocess_nodes([], query_str="pump") == []
    assert plugin == []
    twice = scored([nodes()[0], nodes()[0]])
    assert ids(reranker.postprocess_nodes(twice, query_str="pump")) == ["n0", "n0"]


def test_models_read_what_llama_index_shows_them_or_title_and_text() -> None:
    node = TextNode(text="heat", metadata={"title": "Pumps", "page": 3})
    node.excluded_embed_metadata_keys = ["page"]
    shown = node.get_content(metadata_mode=MetadataMode.EMBED)
    assert "Pumps" in shown
    for title_key, read in (("", shown), ("title", "Pumps heat"), ("absent", "heat")):
        reranker = RerankLabPostprocessor("by-length", title_key=title_key)
        (found,) = reranker.postprocess_nodes(scored([node]), query_str="q")
        assert found.score == len(read)
        assert found.node.metadata == {"title": "Pumps", "page": 3}


def test_callbacks_and_events_tell_of_the_reranking() -> None:
    events: list[Any] = []

    class Keep(BaseEventHandler):
        def handle(self, event: Any, **_: Any) -> None:
            events.append(event)

    debug = LlamaDebugHandler(print_trace_on_end=False)
    reranker = RerankLabPostprocessor(
        "by-length", top_n=1, callback_manager=CallbackManager([debug])
    )
    root = get_dispatcher("root")
    keep = Keep()
    root.add_event_handler(keep)
    try:
        reranker.postprocess_nodes(scored(nodes()), query_str="pump")
    finally:
        root.event_handlers.remove(keep)
    names = [type(event).__name__ for event in events]
    assert names == ["ReRankStartEvent", "ReRankEndEvent"]
    assert (events[0].model_name, events[0].top_n, len(events[0].nodes)) == ("by-length", 1, 3)
    assert ids(events[1].nodes) == ["n1"]
    ((start, end),) = debug.get_event_pairs(CBEventType.RERANKING)
    assert start.payload is not None
    assert end.payload is not None
    assert start.payload["query_str"] == "pump"
    assert ids(end.payload["nodes"]) == ["n1"]


def test_what_cannot_be_used_is_refused_with_a_hint() -> None:
    with pytest.raises(InvalidInput, match="first stage"):
        RerankLabPostprocessor("bm25 >> by-length")
    with pytest.raises(InvalidInput, match="top_n"):
        RerankLabPostprocessor("by-length", top_n=-1)
    with pytest.raises(InvalidInput, match="needs the query"):
        RerankLabPostprocessor("by-length").postprocess_nodes(scored(nodes()))
    with pytest.raises(BackendError) as caught:
        engine(RerankLabPostprocessor("faulty")).query("pump")
    assert caught.value.hint


def test_a_cancelled_task_stops_the_work(plugin: Calls) -> None:
    async def scene() -> None:
        reranker = RerankLabPostprocessor("slow")
        work = reranker.apostprocess_nodes(scored(nodes()), query_str="pump")
        task = asyncio.create_task(work)
        await asyncio.to_thread(wait_for, plugin, ("slow", "started"))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(wait_for, plugin, ("slow", "stopped"))

    asyncio.run(scene())


def test_it_comes_back_from_json_as_it_was() -> None:
    made = RerankLabPostprocessor(rl.Pipeline("bm25 >> by-length >> mmr"), top_n=4, cache=False)
    back = RerankLabPostprocessor.from_json(made.to_json())
    assert back.to_dict() == made.to_dict()
    assert (back.pipeline, back.top_n, back.cache) == ("by-length >> mmr", 4, False)
