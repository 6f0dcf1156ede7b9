"""The compressor inside LangChain's own retrievers, callbacks and event loop."""

from __future__ import annotations

import asyncio
import pickle
from typing import Any
from uuid import UUID

import pytest

pytest.importorskip("langchain_classic")
from langchain_classic.retrievers import ContextualCompressionRetriever
from langchain_classic.retrievers.document_compressors import DocumentCompressorPipeline
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.vectorstores import InMemoryVectorStore
from pydantic import ValidationError

import rerank_lab as rl
from rerank_lab.core.errors import BackendError, InvalidInput
from rerank_lab.integrations.langchain import RerankLabCompressor
from tests.integrations.conftest import Calls, wait_for

TEXTS = ["heat pump", "a heat pump moves heat", "heat"]


def documents() -> list[Document]:
    return [
        Document(page_content=text, metadata={"source": f"page {n}"}, id=f"d{n}")
        for n, text in enumerate(TEXTS)
    ]


def retriever(compressor: RerankLabCompressor) -> ContextualCompressionRetriever:
    store = InMemoryVectorStore(DeterministicFakeEmbedding(size=8))
    store.add_documents(documents())
    return ContextualCompressionRetriever(
        base_compressor=compressor, base_retriever=store.as_retriever(search_kwargs={"k": 3})
    )


def ids(found: list[Document]) -> list[str | None]:
    return [doc.id for doc in found]


def test_a_compression_retriever_gives_the_reranked_documents() -> None:
    found = retriever(RerankLabCompressor("by-length", top_n=2)).invoke("pump")
    assert ids(found) == ["d1", "d0"]
    assert [doc.page_content for doc in found] == [TEXTS[1], TEXTS[0]]
    assert found[0].metadata == {
        "source": "page 1",
        "relevance_score": 22.0,
        "relevance_scale": "characters",
    }


def test_it_works_in_the_event_loop_too() -> None:
    found = asyncio.run(retriever(RerankLabCompressor("by-length")).ainvoke("pump"))
    assert ids(found) == ["d1", "d0", "d2"]
    assert [doc.metadata["relevance_score"] for doc in found] == [22.0, 9.0, 4.0]


def test_it_stands_among_other_compressors() -> None:
    chain = DocumentCompressorPipeline(
        transformers=[RerankLabCompressor("by-length", top_n=2), RerankLabCompressor("mmr")]
    )
    assert len(chain.compress_documents(documents(), "pump")) == 2


def test_an_order_gets_no_scores_and_keeps_none_from_before() -> None:
    given = documents()
    given[0].metadata |= {"relevance_score": 0.9, "relevance_scale": "cosine"}
    found = RerankLabCompressor("by-length(top=1) >> both-ends").compress_documents(given, "pump")
    assert ids(found) == ["d0", "d2", "d1"]
    assert [doc.metadata for doc in found] == [{"source": f"page {n}"} for n in (0, 2, 1)]
    assert given[0].metadata["relevance_score"] == 0.9


def test_documents_below_the_top_have_no_score() -> None:
    found = RerankLabCompressor("by-length(top=2)").compress_documents(documents(), "pump")
    assert ids(found) == ["d1", "d0", "d2"]
    assert ["relevance_score" in doc.metadata for doc in found] == [True, True, False]


def test_documents_given_are_left_as_they_are_and_equal_ones_stay_two() -> None:
    class Own(Document):
        pass

    given = [Own(page_content="same", metadata={"n": [n]}) for n in range(2)]
    found = RerankLabCompressor("by-length").compress_documents(given, "same")
    assert [doc.metadata["n"] for doc in found] == [[0], [1]]
    assert all(isinstance(doc, Own) for doc in found)
    assert [doc.metadata for doc in given] == [{"n": [0]}, {"n": [1]}]


def test_no_documents_are_no_work(plugin: Calls) -> None:
    assert RerankLabCompressor("by-length").compress_documents([], "pump") == []
    assert plugin == []


def test_a_title_is_read_when_its_key_is_named() -> None:
    given = [Document("heat", metadata={"title": "Longer"}), Document("cold!"), Document("warm")]
    plain = RerankLabCompressor("by-length").compress_documents(given, "q")
    titled = RerankLabCompressor("by-length", title_key="title").compress_documents(given, "q")
    assert [doc.metadata["relevance_score"] for doc in plain] == [5.0, 4.0, 4.0]
    assert [doc.metadata["relevance_score"] for doc in titled] == [11.0, 5.0, 4.0]


class Watch(BaseCallbackHandler):
    """Notes runs by name, their parents, tags and errors."""

    def __init__(self) -> None:
        self.started: dict[UUID, str] = {}
        self.parents: dict[str, str | None] = {}
        self.tags: dict[str, list[str]] = {}
        self.inputs: Any = None
        self.outputs: Any = None
        self.errors: list[BaseException] = []

    def on_retriever_start(self, *_: Any, **more: Any) -> None:
        self._note(more)

    def on_chain_start(self, serialized: Any, inputs: Any, **more: Any) -> None:
        self.inputs = inputs
        self._note(more)

    def on_chain_end(self, outputs: Any, **more: Any) -> None:
        self.outputs = outputs

    def on_chain_error(self, error: BaseException, **more: Any) -> None:
        self.errors.append(error)

    def _note(self, more: dict[str, Any]) -> None:
        name = str(more.get("name"))
        self.started[more["run_id"]] = name
        self.parents[name] = self.started.get(more["parent_run_id"])
        self.tags[name] = more.get("tags") or []


@pytest.mark.parametrize("asynchronous", [False, True])
def test_callbacks_and_config_see_the_reranking_inside_the_retriever(asynchronous: bool) -> None:
    watch = Watch()
    flow = retriever(RerankLabCompressor("by-length", top_n=1))
    config: Any = {"callbacks": [watch], "tags": ["shop"]}
    if asynchronous:
        asyncio.run(flow.ainvoke("pump", config))
    else:
        flow.invoke("pump", config)
    assert watch.parents["RerankLabCompressor"] == "ContextualCompressionRetriever"
    assert "shop" in watch.tags["RerankLabCompressor"]
    assert watch.inputs["query"] == "pump"
    assert len(watch.inputs["documents"]) == 3
    assert ids(watch.outputs) == ["d1"]


def test_a_failure_comes_as_it_is_with_its_hint() -> None:
    watch = Watch()
    with pytest.raises(BackendError) as caught:
        retriever(RerankLabCompressor("faulty")).invoke("pump", {"callbacks": [watch]})
    assert "faulty" in caught.value.message
    assert caught.value.hint
    assert caught.value in watch.errors


def test_a_cancelled_task_stops_the_work(plugin: Calls) -> None:
    async def scene() -> None:
        compressor = RerankLabCompressor("slow")
        task = asyncio.create_task(compressor.acompress_documents(documents(), "pump"))
        await asyncio.to_thread(wait_for, plugin, ("slow", "started"))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(wait_for, plugin, ("slow", "stopped"))

    asyncio.run(scene())


def test_what_cannot_be_used_is_refused_at_once() -> None:
    with pytest.raises(InvalidInput, match="first stage"):
        RerankLabCompressor("bm25 >> by-length")
    with pytest.raises(InvalidInput, match="top_n"):
        RerankLabCompressor("by-length", top_n=0)
    with pytest.raises(ValidationError, match="topn"):
        RerankLabCompressor("by-length", topn=3)
    with pytest.raises(InvalidInput, match="query is empty"):
        RerankLabCompressor("by-length").compress_documents(documents(), " ")


def test_a_pipeline_is_taken_without_its_first_stage_and_survives_copies() -> None:
    made = RerankLabCompressor(rl.Pipeline("bm25 >> by-length(top=100) >> mmr"), top_n=4)
    assert made.pipeline == "by-length >> mmr"
    assert RerankLabCompressor.model_validate_json(made.model_dump_json()) == made
    assert pickle.loads(pickle.dumps(made)) == made


def test_scores_are_kept_for_a_next_time_unless_told_otherwise(plugin: Calls) -> None:
    for cache, calls in ((True, 1), (True, 0), (False, 1)):
        plugin.clear()
        RerankLabCompressor("by-length", cache=cache).compress_documents(documents(), "pump")
        assert plugin.count(("by-length", 3)) == calls


@pytest.mark.models
def test_scores_are_those_of_the_same_pipeline_on_a_corpus() -> None:
    corpus = rl.load_corpus("helpdesk")
    query = corpus.queries[0]
    whole = rl.Pipeline("bm25(k=10) >> ms-marco-minilm-l12(top=5)").run(query, corpus)
    first, last = whole.stages[0].ranking, whole.ranking
    assert first is not None
    assert last is not None
    given = [
        Document(page_content=doc.text, metadata={"title": doc.title}, id=doc.id)
        for doc in (corpus.document(hit.doc_id) for hit in first)
    ]
    compressor = RerankLabCompressor("ms-marco-minilm-l12(top=5)", title_key="title", cache=False)
    found = compressor.compress_documents(given, query.text)
    assert ids(found) == list(last.doc_ids)
    scores = [doc.metadata.get("relevance_score") for doc in found]
    assert scores[:5] == pytest.approx([hit.score for hit in last][:5], abs=1e-4)
    assert scores[5:] == [None] * 5
    assert found[0].metadata["relevance_scale"] == last.scale
