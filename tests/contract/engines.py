"""Search engines for the contract of first stages: each holds the contract's documents."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Sequence

import pytest

from rerank_lab import models
from rerank_lab.core.context import Context
from rerank_lab.core.types import Document
from rerank_lab.testing.search_engine_server import SearchEngineServer
from tests.retrievers.engines.databases import fill

_DSN = "RERANK_LAB_ENGINE_CONTRACT"
# As the engine's own words would not find Japanese: how many of the query's words are in a text.
_WORDS_INSIDE = """
SELECT id, text, score FROM (
  SELECT id, text, (
    SELECT count(*) FROM regexp_split_to_table(lower({query}), '\\s+') word
    WHERE word <> '' AND position(word in lower(text)) > 0
  )::float AS score FROM documents
) d WHERE score > 0 ORDER BY score DESC, id LIMIT {k}
"""

Options = dict[str, str | int]
VECTOR_DATABASES = ("qdrant", "milvus", "lancedb")
"""Those whose search needs the weights of a model."""


def engine_options(
    name: str, documents: Sequence[Document], request: pytest.FixtureRequest
) -> Options:
    """The options of the search engine `name` that holds `documents`; {} for any other."""
    fill = _ENGINES.get(name)
    return fill(documents, request) if fill is not None else {}


def _postgres(documents: Sequence[Document], request: pytest.FixtureRequest) -> Options:
    import psycopg

    server = request.getfixturevalue("vector_postgres")
    schema = f"contract_{uuid.uuid4().hex[:12]}"
    dsn = server.address(schema)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
        connection.execute("CREATE TABLE documents (id text PRIMARY KEY, text text)")
        for one in documents:
            connection.execute("INSERT INTO documents VALUES (%s, %s)", [one.id, one.text])
    os.environ[_DSN] = dsn
    return {"dsn_env": _DSN, "table": "documents", "template": _WORDS_INSIDE}


def _search_api(flavour: str) -> Callable[[Sequence[Document], pytest.FixtureRequest], Options]:
    def fill(documents: Sequence[Document], request: pytest.FixtureRequest) -> Options:
        pytest.importorskip("opensearchpy" if flavour == "opensearch" else flavour)
        server = SearchEngineServer(flavour)  # type: ignore[arg-type]
        server.index("documents", ((one.id, {"text": one.text}) for one in documents))
        server.__enter__()
        request.addfinalizer(lambda: server.__exit__(None, None, None))
        os.environ[_DSN] = server.address
        return {"url_env": _DSN, "index": "documents"}

    return fill


def _vector_database(
    name: str,
) -> Callable[[Sequence[Document], pytest.FixtureRequest], Options]:
    def fill_once(documents: Sequence[Document], request: pytest.FixtureRequest) -> Options:
        os.environ[_DSN] = _address(name, tuple(documents), request)
        unit = "table" if name == "lancedb" else "collection"
        options: Options = {"url_env": _DSN, unit: "articles", "model": "all-minilm-l6"}
        return options if name == "qdrant" else options | {"vector": "vector"}

    return fill_once


_addresses: dict[str, str] = {}


def _address(name: str, documents: Sequence[Document], request: pytest.FixtureRequest) -> str:
    """The database of the contract's documents, made once for all its tests."""
    if name not in _addresses:
        folder = request.getfixturevalue("tmp_path_factory").mktemp(name)
        encoder = models.open_encoder("all-minilm-l6", Context())

        def embed(texts: Sequence[str]) -> list[list[float]]:
            vectors = encoder.encode(list(texts), "passage", Context())
            return [list(map(float, one)) for one in vectors]

        _addresses[name] = fill(name, folder, documents, embed)
    return _addresses[name]


_ENGINES: dict[str, Callable[[Sequence[Document], pytest.FixtureRequest], Options]] = {
    "postgres": _postgres,
    "opensearch": _search_api("opensearch"),
    "elasticsearch": _search_api("elasticsearch"),
    **{name: _vector_database(name) for name in VECTOR_DATABASES},
}
