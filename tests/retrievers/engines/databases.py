"""Vector databases in a folder of the test, filled with documents and their embeddings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from rerank_lab.core.types import Document

TABLE = "articles"
Vectors = Callable[[Sequence[str]], list[list[float]]]


def fill(
    name: str,
    folder: Path,
    documents: Sequence[Document],
    vectors: Vectors,
    *,
    distance: bool = False,
) -> str:
    """Make the collection or table `articles`; gives its address.

    Skips where the client is not installed. `distance`: by Euclid, where the cosine is usual.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {"id": one.id, "title": one.title, "text": one.text, "vector": vector}
        for one, vector in zip(documents, vectors([one.content for one in documents]), strict=True)
    ]
    makers: dict[str, Callable[[Path, list[dict[str, Any]], bool], str]] = {
        "qdrant": _qdrant,
        "milvus": _milvus,
        "lancedb": _lancedb,
    }
    return makers[name](folder, rows, distance)


def _qdrant(folder: Path, rows: list[dict[str, Any]], distance: bool) -> str:
    pytest.importorskip("qdrant_client")
    from qdrant_client import QdrantClient, models

    place = str(folder / "qdrant")
    client = QdrantClient(path=place)
    size = len(rows[0]["vector"])
    metric = models.Distance.EUCLID if distance else models.Distance.COSINE
    vectors = models.VectorParams(size=size, distance=metric)
    client.create_collection(TABLE, vectors_config=vectors)
    points = [
        models.PointStruct(
            id=number,
            vector=row["vector"],
            payload={key: value for key, value in row.items() if key != "vector"},
        )
        for number, row in enumerate(rows)
    ]
    client.upsert(TABLE, points)
    client.close()
    return place


def _milvus(folder: Path, rows: list[dict[str, Any]], distance: bool) -> str:
    pytest.importorskip("milvus_lite")
    from pymilvus import DataType, Function, FunctionType, MilvusClient

    place = str(folder / "milvus.db")
    client = MilvusClient(uri=place)
    schema = client.create_schema()
    schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=100)
    schema.add_field("title", DataType.VARCHAR, max_length=1000)
    schema.add_field("text", DataType.VARCHAR, max_length=60_000, enable_analyzer=True)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=len(rows[0]["vector"]))
    schema.add_field("sparse", DataType.SPARSE_FLOAT_VECTOR)
    words = Function("bm25", FunctionType.BM25, ["text"], ["sparse"])
    schema.add_function(words)
    indexes = client.prepare_index_params()
    indexes.add_index("vector", index_type="FLAT", metric_type="L2" if distance else "COSINE")
    indexes.add_index("sparse", index_type="SPARSE_INVERTED_INDEX", metric_type="BM25")
    client.create_collection(TABLE, schema=schema, index_params=indexes)
    client.insert(TABLE, rows)
    client.close()
    return place


def _lancedb(folder: Path, rows: list[dict[str, Any]], distance: bool) -> str:
    pytest.importorskip("lancedb")
    import lancedb
    from lancedb.index import FTS

    place = str(folder / "lance")
    made = lancedb.connect(place).create_table(TABLE, rows)
    made.create_index("text", config=FTS())
    return place
