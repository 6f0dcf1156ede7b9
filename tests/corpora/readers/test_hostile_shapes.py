"""Whatever stands in the fields of a known shape, it becomes a corpus or an error for people."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank_lab.core.errors import LabError
from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.bundle import CollectionOptions, read_parts
from rerank_lab.corpora.layouts import Parts
from rerank_lab.corpora.readers.base import ReadOptions
from rerank_lab.corpora.source import Source

GOOD: dict[str, list[dict[str, Any]]] = {
    "flagembedding": [{"query": "a", "pos": ["b"], "neg": ["c"]}],
    "tevatron": [
        {"query_id": "1", "query": "a", "positive_passages": [{"docid": "d", "text": "b"}]}
    ],
    "candidates": [
        {"query": {"text": "a", "qid": "1"}, "candidates": [{"doc": {"contents": "b"}}]}
    ],
    "rag-evaluation": [{"question": "a", "contexts": ["b"], "reference_contexts": ["c"]}],
    "qa-dataset": [{"queries": {"q": "a"}, "corpus": {"d": "b"}, "relevant_docs": {"q": ["d"]}}],
    "framework-documents": [{"id": None, "metadata": {"k": "v"}, "page_content": "b"}],
    "elasticdump": [{"_id": "d", "_source": {"title": "t", "body": "b"}}],
    "bulk": [{"index": {"_id": "d"}}, {"body": "b"}],
    "search-response": [{"hits": {"hits": [{"_id": "d", "_source": {"body": "b"}}]}}],
    "chroma": [{"ids": ["d"], "documents": ["b"], "metadatas": [{"k": "v"}]}],
    "llama-index-store": [{"docstore/data": {"d": {"__data__": {"id_": "d", "text": "b"}}}}],
    "qdrant": [{"id": 1, "payload": {"text": "b"}, "vector": [0.5]}],
    "pinecone": [{"id": "d", "values": [0.5], "metadata": {"text": "b"}}],
    "weaviate": [{"id": "d", "properties": {"text": "b"}}],
    "vespa": [{"put": "id:n:t::d", "fields": {"text": "b"}}],
}
ONE_VALUE = ("qa-dataset", "search-response", "chroma", "llama-index-store")
"""Shapes that are one JSON value, not one a line."""
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place inside a JSON value."""
    keys = (
        range(len(value)) if isinstance(value, list) else value if isinstance(value, dict) else ()
    )
    return [path, *(place for key in keys for place in places(value[key], (*path, key)))]


def read(name: str, records: Any, log: ProblemLog) -> int:
    single = name in ONE_VALUE
    lines = records[:1] if single else records
    data = "".join(json.dumps(record) + "\n" for record in lines).encode()
    source = Source("x.json" if single else "x.jsonl", data=data)
    return len(
        read_parts(Parts((source,)), CollectionOptions(ReadOptions(format=name)), log).documents
    )


@pytest.mark.parametrize("name", GOOD)
def test_the_good_shape_is_read(name: str) -> None:
    log = ProblemLog()
    assert read(name, GOOD[name], log) >= 1
    assert not log.lines()


@pytest.mark.parametrize("name", GOOD)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_value_in_any_place(name: str, data: st.DataObject) -> None:
    records = copy.deepcopy(GOOD[name])
    place = data.draw(st.sampled_from([one for one in places(records) if one]))
    inner: Any = records
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = data.draw(ANYTHING)
    hint = "read"
    try:
        read(name, records, ProblemLog())
    except LabError as error:
        hint = error.hint
    assert hint
