"""What vector databases and document stores write: points, objects, nodes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rerank_lab.core.errors import InvalidInput
from rerank_lab.corpora import Corpus, load_corpus

from .. import make

OWL, WREN = "Owls hunt at night.", "Wrens sing in spring."
BIRDS = {"a": OWL, "b": WREN}


def loaded(folder: Path, name: str, value: object) -> Corpus:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    (folder / name).write_bytes(data)
    return load_corpus(folder / name)


def texts(corpus: Corpus) -> dict[str, str]:
    return {document.id: document.text for document in corpus.documents}


def points(key: str, **more: object) -> list[dict[str, object]]:
    return [{"id": doc_id, key: {"text": text}, **more} for doc_id, text in BIRDS.items()]


NODE = {"id_": "a", "text": OWL, "metadata": {"page": 3}, "class_name": "TextNode"}


@pytest.mark.parametrize(
    ("value", "label"),
    [
        ({"result": {"points": points("payload"), "next_page_offset": None}}, "points of Qdrant"),
        ({"result": points("payload", score=0.5, version=1), "status": "ok"}, "points of Qdrant"),
        (make.jsonl(*points("payload")), "points of Qdrant"),
        ({"vectors": points("metadata", values=[0.5]), "namespace": ""}, "vectors of Pinecone"),
        ({"objects": points("properties"), "totalResults": 2}, "objects of Weaviate"),
        (make.jsonl(*points("properties", uuid="u")), "objects of Weaviate"),
        (
            {"data": {"Get": {"Bird": [{"_additional": {"id": doc_id}, "text": text}
                                       for doc_id, text in BIRDS.items()]}}},
            "objects of Weaviate",
        ),
        (
            {"documents": [{"id": f"id:ns:bird::{p['id']}", "fields": p["fields"]}
                           for p in points("fields")], "pathId": "/document/v1/"},
            "documents of Vespa",
        ),
        (
            {"root": {"id": "toplevel", "children": [{"relevance": 0.5, **p}
                                                     for p in points("fields")]}},
            "documents of Vespa",
        ),
        (
            {"ids": [["a", "b"], ["b"]], "documents": [[OWL, WREN], [WREN]], "distances": [[], []],
             "metadatas": [[None, None], [None]]},
            "collection of Chroma",
        ),
    ],
)  # fmt: skip
def test_each_store_in_the_ways_it_answers(tmp_path: Path, value: object, label: str) -> None:
    name = "dump.jsonl" if isinstance(value, bytes) else "dump.json"
    corpus = loaded(tmp_path, name, value)
    assert texts(corpus) == BIRDS
    assert corpus.meta["readings"][0].label == label


def test_feeds_of_vespa_assign_and_remove(tmp_path: Path) -> None:
    feed = make.jsonl(
        {"put": "id:ns:bird:n=1:a", "fields": {"text": OWL, "sddocname": "bird"}},
        {"update": "id:ns:bird::x:y", "fields": {"text": {"assign": WREN}}},
        {"remove": "id:ns:bird::c"},
    )
    corpus = loaded(tmp_path, "feed.jsonl", feed)
    assert texts(corpus) == {"a": OWL, "x:y": WREN}
    assert corpus.documents[0].meta == {}
    assert "1 removals" in corpus.meta["readings"][0].sentence


def test_nodes_of_llama_index_inside_a_vector_database(tmp_path: Path) -> None:
    payload = {"_node_content": json.dumps(NODE), "_node_type": "TextNode", "doc_id": "whole"}
    corpus = loaded(tmp_path, "q.jsonl", make.jsonl({"id": "point", "payload": payload}))
    assert texts(corpus) == {"point": OWL}
    assert corpus.documents[0].meta == {"page": 3}


def test_the_document_store_that_llama_index_writes(tmp_path: Path) -> None:
    pytest.importorskip("llama_index.core")
    from llama_index.core.schema import Document, TextNode
    from llama_index.core.storage.docstore import SimpleDocumentStore

    store = SimpleDocumentStore()
    store.add_documents(
        [TextNode(id_="a", text=OWL, metadata={"title": "Owl"}), Document(id_="b", text=WREN)]
    )
    store.persist(str(tmp_path / "docstore.json"))
    corpus = load_corpus(tmp_path / "docstore.json")
    assert texts(corpus) == BIRDS
    assert corpus.documents[0].title == "Owl"
    lines = make.jsonl(*(node.to_dict() for node in store.docs.values()))
    assert texts(loaded(tmp_path, "nodes.jsonl", lines)) == BIRDS


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"ids": ["a"], "documents": None, "metadatas": [None]}, "no documents of Chroma"),
        ({"ids": ["a"], "documents": [OWL, WREN], "metadatas": None}, "1 ids and 2 documents"),
        ({"docstore/data": []}, "no documents of LlamaIndex"),
    ],
)
def test_halves_of_a_dump_are_refused(tmp_path: Path, value: object, words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as caught:
        loaded(tmp_path, "dump.json", value)
    assert caught.value.hint
