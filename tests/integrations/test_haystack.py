"""The ranker inside Haystack's own pipeline, its serialisation and its event loop."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("haystack")
from haystack import Document, Pipeline
from haystack.components.retrievers.in_memory import InMemoryBM25Retriever
from haystack.core.errors import PipelineRuntimeError
from haystack.dataclasses import ByteStream
from haystack.document_stores.in_memory import InMemoryDocumentStore
from haystack.telemetry import _telemetry

import rerank_lab as rl
from rerank_lab.core.errors import BackendError, InvalidInput
from rerank_lab.integrations.haystack import RerankLabRanker
from tests.integrations.conftest import Calls, wait_for

TEXTS = ["heat pump", "a heat pump moves heat", "heat"]


def documents() -> list[Document]:
    return [
        Document(id=f"d{n}", content=text, meta={"page": n}, score=0.5)
        for n, text in enumerate(TEXTS)
    ]


def flow(ranker: RerankLabRanker) -> Pipeline:
    store = InMemoryDocumentStore()
    store.write_documents(documents())
    made = Pipeline()
    made.add_component("retriever", InMemoryBM25Retriever(store, top_k=3))
    made.add_component("ranker", ranker)
    made.connect("retriever.documents", "ranker.documents")
    return made


def asked(query: str, **ranker: Any) -> dict[str, Any]:
    return {"retriever": {"query": query}, "ranker": {"query": query, **ranker}}


def ids(found: list[Document]) -> list[str]:
    return [doc.id for doc in found]


def test_nothing_is_reported_to_haystacks_makers() -> None:
    assert _telemetry.telemetry is None


def test_a_pipeline_gives_the_reranked_documents() -> None:
    found = flow(RerankLabRanker("by-length", top_k=2)).run(asked("heat pump"))["ranker"]
    assert ids(found["documents"]) == ["d1", "d0"]
    assert [doc.score for doc in found["documents"]] == [22.0, 9.0]
    assert [doc.meta for doc in found["documents"]] == [
        {"page": 1, "score_scale": "characters"},
        {"page": 0, "score_scale": "characters"},
    ]


def test_the_number_asked_for_wins_over_the_components_own() -> None:
    made = flow(RerankLabRanker("by-length", top_k=2))
    assert ids(made.run(asked("heat", top_k=1))["ranker"]["documents"]) == ["d1"]
    assert len(made.run(asked("heat", top_k=9))["ranker"]["documents"]) == 3


def test_it_works_in_the_event_loop_too() -> None:
    made = flow(RerankLabRanker("by-length"))
    found = asyncio.run(made.run_async(asked("heat")))["ranker"]["documents"]
    assert ids(found) == ["d1", "d0", "d2"]


def test_a_saved_pipeline_comes_back_as_it_was() -> None:
    ranker = RerankLabRanker(
        rl.Pipeline("bm25 >> by-length(sign=-1)"), top_k=2, title_key="title", cache=False
    )
    made = flow(ranker)
    text = made.dumps()
    assert "pipeline: by-length(sign=-1)" in text
    back = Pipeline.loads(text, allowed_modules=[RerankLabRanker.__module__])
    assert back.to_dict() == made.to_dict()
    again = back.get_component("ranker")
    assert isinstance(again, RerankLabRanker)
    assert again.to_dict() == ranker.to_dict()
    assert (again.top_k, again.title_key, again.cache) == (2, "title", False)
    assert ids(again.run("heat", documents())["documents"]) == ["d2", "d0"]


def test_an_order_has_no_scores() -> None:
    given = documents()
    given[0].meta["score_scale"] = "bm25"
    found = RerankLabRanker("by-length >> both-ends").run("heat", given)["documents"]
    assert ids(found) == ["d1", "d2", "d0"]
    assert [(doc.score, doc.meta) for doc in found] == [(None, {"page": n}) for n in (1, 2, 0)]
    assert (given[0].score, given[0].meta["score_scale"]) == (0.5, "bm25")


def test_documents_below_the_top_lose_the_retrievers_score() -> None:
    found = RerankLabRanker("by-length(top=1)").run("heat", documents()[::-1])["documents"]
    assert [(doc.id, doc.score) for doc in found] == [("d2", 4.0), ("d1", None), ("d0", None)]


def test_equal_documents_stay_two_and_none_are_no_work(plugin: Calls) -> None:
    ranker = RerankLabRanker("by-length")
    assert ranker.run("heat", []) == {"documents": []}
    assert plugin == []
    twice = [Document(content="same"), Document(content="same")]
    assert len(ranker.run("heat", twice)["documents"]) == 2


def test_a_title_is_read_when_its_key_is_named() -> None:
    given = [Document(content="heat", meta={"title": "Pumps"})]
    for title_key, score in (("", 4.0), ("title", 10.0)):
        (found,) = RerankLabRanker("by-length", title_key=title_key).run("q", given)["documents"]
        assert found.score == score


def test_warming_up_loads_the_models_once(plugin: Calls) -> None:
    made = flow(RerankLabRanker("by-length"))
    made.warm_up()
    made.run(asked("heat"))
    assert plugin.count(("load", "by-length")) == 1
    assert plugin[0] == ("load", "by-length")


def test_what_cannot_be_used_is_refused_with_a_hint() -> None:
    with pytest.raises(InvalidInput, match="first stage"):
        RerankLabRanker("bm25 >> by-length")
    with pytest.raises(InvalidInput, match="top_k"):
        RerankLabRanker("by-length").run("heat", documents(), top_k=0)
    image = Document(blob=ByteStream(b"\x89PNG", mime_type="image/png"))
    with pytest.raises(InvalidInput, match="Candidate 2 holds no text") as caught:
        RerankLabRanker("by-length").run("heat", [documents()[0], image])
    assert "images" in caught.value.hint


def test_a_failure_names_the_stage_and_the_hint_inside_a_pipeline() -> None:
    with pytest.raises(PipelineRuntimeError) as caught:
        flow(RerankLabRanker("faulty")).run(asked("heat"))
    cause = caught.value.__cause__
    assert isinstance(cause, BackendError)
    assert cause.message in str(caught.value)
    assert cause.hint in str(caught.value)


def test_a_cancelled_task_stops_the_work(plugin: Calls) -> None:
    async def scene() -> None:
        task = asyncio.create_task(RerankLabRanker("slow").run_async("heat", documents()))
        await asyncio.to_thread(wait_for, plugin, ("slow", "started"))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(wait_for, plugin, ("slow", "stopped"))

    asyncio.run(scene())


def test_a_query_that_is_missing_is_said_so() -> None:
    with pytest.raises(InvalidInput, match="needs the query, and was given None"):
        RerankLabRanker("by-length").run(None, documents())  # type: ignore[arg-type]
