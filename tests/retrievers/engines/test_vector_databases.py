"""Qdrant in local mode, Milvus by milvus-lite and LanceDB on files, each through its own client."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput, LabError
from rerank_lab.core.types import Query
from rerank_lab.corpora import load_corpus
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.retrievers.engines.base import EngineQuery
from rerank_lab.retrievers.engines.lancedb import LanceDB
from rerank_lab.retrievers.engines.milvus import Milvus
from rerank_lab.retrievers.engines.qdrant import Qdrant
from rerank_lab.retrievers.engines.vector_database import VectorDatabase
from tests.retrievers.engines.conftest import ARTICLES
from tests.retrievers.engines.databases import Vectors, fill

CTX = Context()
URL = "RERANK_LAB_ENGINE_VECTORS"
CLASSES: dict[str, type[VectorDatabase]] = {"qdrant": Qdrant, "milvus": Milvus, "lancedb": LanceDB}
FILTERS = {
    "qdrant": '{"must": [{"key": "title", "match": {"value": "Rules"}}]}',
    "milvus": 'title == "Rules"',
    "lancedb": "title = 'Rules'",
}
Make = Callable[..., VectorDatabase]


@pytest.fixture(params=sorted(CLASSES))
def make(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    vectors: Vectors,
) -> Make:
    """Makes a first stage over a database of the kind, which holds the articles."""
    name = request.param
    monkeypatch.setenv(URL, fill(name, tmp_path, ARTICLES, vectors))

    def made(**options: str | float) -> VectorDatabase:
        unit = "table" if name == "lancedb" else "collection"
        usual: dict[str, Any] = {"url_env": URL, unit: "articles", "title": "title"}
        usual |= {"model": "all-minilm-l6", "vector": "" if name == "qdrant" else "vector"}
        return CLASSES[name](**usual | options)

    return made


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    """Embeds texts as the documents were."""
    from rerank_lab import models

    encoder = models.open_encoder("all-minilm-l6", CTX)

    def embed(texts: Sequence[str]) -> list[list[float]]:
        return [list(map(float, one)) for one in encoder.encode(list(texts), "passage", CTX)]

    return embed


def spec(engine: VectorDatabase) -> str:
    from rerank_lab.core.spec import Node

    return str(Node(engine.info.name, tuple(engine.options.items())))


@pytest.mark.models
def test_a_live_corpus_whose_hits_bring_their_documents(make: Make) -> None:
    engine = make()
    corpus = load_corpus(spec(engine))
    assert (corpus.size, corpus.live) == (len(ARTICLES), True)
    engine.build(corpus, CTX)
    retrieved = engine.search(Query("q", "forgotten login credentials"), 3, CTX)
    assert retrieved.ranking.doc_ids[:2] == ("a2", "a3")
    assert retrieved.ranking.scale == "engine score"
    scores = [hit.score for hit in retrieved.ranking]
    assert None not in scores
    assert corpus.by_id["a2"] == ARTICLES[1]
    assert corpus.by_id["a4"] == ARTICLES[3]  # fetched by its id
    assert "nothing' OR '1'='1" not in corpus.document_ids
    assert 'x"] or 1 == 1 or id in ["' not in corpus.document_ids
    result = Pipeline("live >> overlap").run("password rules", corpus)
    assert result.error is None
    assert result.ranking is not None
    assert result.ranking.doc_ids[0] == "a3"


@pytest.mark.models
def test_filters_hold_for_hits_counts_and_documents(make: Make) -> None:
    engine = make(filter=FILTERS[make().info.name])
    corpus = load_corpus(spec(engine))
    assert corpus.size == 1
    engine.build(corpus, CTX)
    assert engine.search(Query("q", "login"), None, CTX).ranking.doc_ids == ("a3",)
    assert "a1" not in corpus.document_ids
    assert "a3" in corpus.document_ids


@pytest.mark.models
def test_the_database_explains_what_is_wrong(make: Make) -> None:
    name = make().info.name
    unit = "table" if name == "lancedb" else "collection"
    with pytest.raises(LabError) as missing:
        load_corpus(spec(make(**{unit: "nothing"})))
    assert f"{make().title} says" in missing.value.message
    assert "nothing" in missing.value.message
    with pytest.raises(InvalidInput):
        load_corpus(spec(make(filter="((")))
    (problem,) = make(model="").problems()
    assert "no model is named" in problem.message
    (unnamed,) = make(**{unit: ""}).problems()
    assert f"no {unit} is named" in unnamed.message


@pytest.mark.models
def test_full_text_where_the_database_has_it(make: Make) -> None:
    name = make().info.name
    if name == "qdrant":
        return
    engine = make(search="words", model="", **({"words": "sparse"} if name == "milvus" else {}))
    engine.build(load_corpus(spec(engine)), CTX)
    hostile = 'password") OR ("1"="1'
    for text in ("password", hostile, "password' OR 'x"):
        assert set(engine.search(Query("q", text), None, CTX).ranking.doc_ids) == {"a2", "a3"}


def test_requests_are_shown_and_vectors_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL, "/nowhere")
    for name, kind in CLASSES.items():
        unit = "table" if name == "lancedb" else "collection"
        engine = kind(url_env=URL, model="m", **{unit: "articles"})
        assert "... 384 numbers" in engine.request_text(EngineQuery("q", 3, (0.5,) * 384))
        assert engine.template_text()


@pytest.mark.models
def test_a_distance_counts_negative_however_many_hits_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def embed(texts: Sequence[str]) -> list[list[float]]:
        return [[float(len(text))] * 384 for text in texts]

    for name, options in (("qdrant", {}), ("milvus", {"vector": "vector"}), ("lancedb", {})):
        monkeypatch.setenv(URL, fill(name, tmp_path / name, ARTICLES, embed, distance=True))
        unit = "table" if name == "lancedb" else "collection"
        more: dict[str, Any] = {**options, unit: "articles", "url_env": URL}
        more |= {"metric": "l2"} if name == "lancedb" else {}
        engine = CLASSES[name](model="all-minilm-l6", **more)
        whole, first = (engine.preview("fox", k, CTX).hits for k in (4, 1))
        scores = [hit.score or 0.0 for hit in whole]
        assert scores == sorted(scores, reverse=True)
        assert scores[0] < 0
        assert [hit.score for hit in first] == scores[:1]


def test_lancedb_reads_tables_in_s3(
    s3: Any, s3_port: int, monkeypatch: pytest.MonkeyPatch, vectors: Vectors
) -> None:
    lancedb = pytest.importorskip("lancedb")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv(URL, "s3://bucket/lance")
    rows = [
        {"id": one.id, "title": one.title, "text": one.text, "vector": vector}
        for one, vector in zip(ARTICLES, vectors([one.content for one in ARTICLES]), strict=True)
    ]
    table = lancedb.connect("s3://bucket/lance").create_table("articles", rows)
    near = LanceDB(url_env=URL, table="articles", title="title", model="all-minilm-l6")
    hits = near.preview("which city is in Switzerland", 2, CTX).hits
    assert hits[0].document == ARTICLES[3]
    assert near.count() == len(ARTICLES)
    assert list(near.fetch(["a2"])) == [ARTICLES[1]]
    table.add([rows[0] | {"id": "a9"}])
    assert near.count() == len(ARTICLES) + 1  # what was added since is seen
