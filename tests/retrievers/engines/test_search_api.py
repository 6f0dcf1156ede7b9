"""OpenSearch and Elasticsearch as first stages: official clients against a server of their wire."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rerank_lab.core.context import Context
from rerank_lab.core.errors import (
    BackendError,
    DeadlineExceeded,
    InvalidInput,
    LabError,
    MissingKey,
)
from rerank_lab.core.types import Document, Query, Ranking
from rerank_lab.corpora import load_corpus
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.retrievers.engines.base import EngineQuery
from rerank_lab.retrievers.engines.elasticsearch import ElasticsearchEngine
from rerank_lab.retrievers.engines.opensearch import OpenSearchEngine
from rerank_lab.retrievers.engines.search_api import SearchAPI, explanation
from rerank_lab.testing.search_engine_server import SearchEngineServer
from tests.retrievers.engines.conftest import ARTICLES

pytest.importorskip("opensearchpy")
pytest.importorskip("elasticsearch")
CTX = Context()
URL, KEY = "RERANK_LAB_ENGINE_SEARCH", "RERANK_LAB_ENGINE_KEY"
HOSTILE = (
    '"}},"size":0,"query":{"match_all":{',
    "{query}",
    '{"match_all":{}}',
    "title:(* OR *) AND NOT x",
    "\\u0022 \\ \" '",
    "\x00\x1f",
)
CLASSES = {"opensearch": OpenSearchEngine, "elasticsearch": ElasticsearchEngine}


@pytest.fixture(params=["opensearch", "elasticsearch"])
def server(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SearchEngineServer]:
    """Either engine with the index `articles`; the variable `URL` holds its address."""
    with SearchEngineServer(request.param) as running:
        running.index(
            "articles",
            (
                (
                    one.id,
                    {"title": one.title, "body": {"content": one.text}, "text": one.text, "n": n},
                )
                for n, one in enumerate(ARTICLES)
            ),
        )
        monkeypatch.setenv(URL, running.address)
        yield running


def engine(server: SearchEngineServer, **options: str | float | bool) -> SearchAPI:
    given = {"url_env": URL, "index": "articles", "title": "title", **options}
    return CLASSES[server.flavour](**given)


def spec(server: SearchEngineServer) -> str:
    return f'{server.flavour}(url_env="{URL}",index="articles",title="title")'


def search(one: SearchAPI, text: str, k: int | None = None) -> Ranking:
    described = f'{one.info.name}(url_env="{URL}",index="articles",title="title")'
    one.build(load_corpus(described), CTX)
    return one.search(Query("q", text), k, CTX).ranking


def failure(one: SearchAPI, text: str = "password") -> LabError:
    with pytest.raises(LabError) as caught:
        search(one, text)
    return caught.value


def test_words_are_found_in_title_and_text_and_documents_come_with_the_hits(
    server: SearchEngineServer,
) -> None:
    corpus = load_corpus(spec(server))
    assert (corpus.size, corpus.live) == (5, True)
    one = engine(server)
    one.build(corpus, CTX)
    retrieved = one.search(Query("q", "password rules"), None, CTX)
    assert retrieved.ranking.doc_ids == ("a3", "a2")
    assert corpus.by_id["a3"] == ARTICLES[2]
    assert retrieved.trace.network_s > 0
    path, body = server.requests[-1]
    assert path == "/articles/_search"
    assert body["query"] == {
        "multi_match": {"query": "password rules", "fields": ["title", "text"]}
    }
    assert (body["size"], body["_source"]) == (100, ["title", "text"])


def test_the_engines_own_time_is_told_apart(server: SearchEngineServer) -> None:
    server.delay_s = 0.05
    one = engine(server)
    one.build(load_corpus(spec(server)), CTX)
    trace = one.search(Query("q", "fox"), None, CTX).trace
    assert 0.05 <= trace.server_s <= trace.network_s


def test_a_pipeline_over_a_live_corpus(server: SearchEngineServer) -> None:
    result = Pipeline("live >> overlap").run("password rules", load_corpus(spec(server)))
    assert result.error is None
    assert result.ranking is not None
    assert result.ranking.doc_ids[0] == "a3"


def test_filters_ids_of_a_field_and_dotted_fields(server: SearchEngineServer) -> None:
    one = engine(server, filter='{"term": {"title": "Rules"}}', text="body.content", id="title")
    corpus = load_corpus(
        f'{server.flavour}(url_env="{URL}",index="articles",id="title",text="body.content")'
    )
    assert corpus.by_id["Rules"].text == ARTICLES[2].text
    assert "nothing" not in corpus.document_ids
    one.build(corpus, CTX)
    assert one.search(Query("q", "password"), None, CTX).ranking.doc_ids == ("Rules",)


def test_hostile_queries_are_values_and_nothing_else(server: SearchEngineServer) -> None:
    template = '{"query": {"match": {"text": {"query": "{query}"}}}, "size": "{k}"}'
    for one in (engine(server), engine(server, template=template)):
        for text in HOSTILE:
            search(one, text)
            _, body = server.requests[-1]
            (clause,) = body["query"].values()
            assert text in (clause.get("query"), (clause.get("text") or {}).get("query"))
            assert body["size"] == 100


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ('{"query": {"query_string": {"query": "title:({query})"}}}', "inside the longer text"),
        ('{"query": {"match": {"{query}": 1}}}', "in the key"),
        ('{"query": {"match": {"text": "{qury}"}}}', "did you mean query"),
        ('{"query": {"match_all": {}}}', "does not use the query"),
        ('{"query": {"match": {"text": {query}}}}', "is no JSON"),
        ('["{query}"]', "must be a JSON object"),
    ],
)
def test_a_template_that_is_not_safe_is_refused_before_anything_is_sent(
    server: SearchEngineServer, template: str, words: str
) -> None:
    (problem,) = engine(server, template=template).problems()
    assert words in problem.message
    assert problem.hint
    assert not server.requests


def test_the_engine_explains_a_failing_template(server: SearchEngineServer) -> None:
    error = failure(engine(server, template='{"query": {"mach": {"text": "{query}"}}}'))
    assert isinstance(error, InvalidInput)
    assert f"{CLASSES[server.flavour].title} says: unknown query [mach] did you mean [match]?" in (
        error.message
    )
    nested = failure(
        engine(server, template='{"query": {"bool": {"most": [{"match": {"text": "{query}"}}]}}}')
    )
    assert "[bool] unknown field [most]" in nested.message
    missing = failure(engine(server, index="nothing"))
    assert "no such index [nothing]" in missing.message
    assert "name of the index" in missing.hint


def test_a_failed_shard_and_a_wide_window_are_told(server: SearchEngineServer) -> None:
    one = engine(server)
    one.build(load_corpus(spec(server)), CTX)
    server.failing_shard = "failed to create query: field expansion matches too many fields"
    retrieved = one.search(Query("q", "fox"), None, CTX)
    assert retrieved.ranking.doc_ids == ("a1",)
    assert "1 of 2 shards failed" in retrieved.trace.warnings[0]
    assert "field expansion" in retrieved.trace.warnings[0]
    server.failing_shard = ""
    one.search(Query("q", "fox"), 10_000, CTX)
    wide = engine(server, template='{"size": 20000, "query": {"match": {"text": "{query}"}}}')
    assert "Result window is too large" in failure(wide).message


def test_users_and_keys_stand_in_the_environment_and_in_no_message(
    server: SearchEngineServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.user = ("reader", "s3cr/t pw")
    right = server.address.replace("s3cr/t pw", "s3cr%2Ft%20pw")
    monkeypatch.setenv(URL, right)
    assert search(engine(server), "fox").doc_ids == ("a1",)
    monkeypatch.setenv(URL, right.replace("s3cr", "wrong"))
    error = failure(engine(server))
    assert "environment" in error.hint
    assert "wrong" not in f"{error} {error.details}"
    assert "reader" not in engine(server, index="articles").place
    monkeypatch.delenv(URL)
    (problem,) = engine(server).problems()
    assert isinstance(problem, MissingKey)
    monkeypatch.setenv(URL, "search.example.com:9200")
    (unreadable,) = engine(server).problems()
    assert "cannot be read" in unreadable.message
    assert "example" not in unreadable.message


def test_an_api_key_of_elasticsearch(
    server: SearchEngineServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    if server.flavour != "elasticsearch":
        return
    server.key = "VnVhQ2ZHY0JDZGJrUW0tZTVhT3g6dWkybHAyYXhUTm1zeWFrdzl0dk5udw=="
    monkeypatch.setenv(KEY, server.key)
    described = spec(server).replace(")", f',key_env="{KEY}")')
    assert load_corpus(described).size == 5
    monkeypatch.setenv(KEY, "another")
    with pytest.raises(InvalidInput, match="missing authentication credentials"):
        load_corpus(described)


def test_another_product_and_another_major_version(monkeypatch: pytest.MonkeyPatch) -> None:
    with SearchEngineServer("opensearch") as other:
        other.index("articles", ())
        monkeypatch.setenv(URL, other.address)
        with pytest.raises(InvalidInput, match="is not Elasticsearch") as caught:
            load_corpus(f'elasticsearch(url_env="{URL}",index="articles")')
        assert "opensearch(...)" in caught.value.hint
    with SearchEngineServer("elasticsearch", "8.19.0") as older:
        older.index("articles", ())
        monkeypatch.setenv(URL, older.address)
        with pytest.raises(InvalidInput, match="must be either version 8 or 7"):
            load_corpus(f'elasticsearch(url_env="{URL}",index="articles")')


def test_nobody_answers_or_too_late(
    server: SearchEngineServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = engine(server, timeout=0.2)
    slow.build(load_corpus(spec(server)), CTX)
    server.delay_s = 1.0
    start = time.monotonic()
    with pytest.raises((DeadlineExceeded, BackendError)):
        slow.search(Query("q", "fox"), None, CTX)
    assert time.monotonic() - start < 0.8
    server.delay_s = 0.0
    monkeypatch.setenv(URL, "http://127.0.0.1:9")
    with pytest.raises(BackendError, match="cannot be reached") as caught:
        load_corpus(spec(server))
    assert URL in caught.value.hint


def test_embeddings_and_previews(server: SearchEngineServer) -> None:
    one = engine(server, search="vector", vector="embedding", model="all-minilm-l6", k=3)
    text = one.request_text(EngineQuery("fox", 3, (0.5,) * 384))
    request = json.loads(text.split("\n", 1)[1])
    assert "... 384 numbers" in text
    assert "knn" in json.dumps(request)
    (problem,) = engine(server, search="vector", model="all-minilm-l6").problems()
    assert "no vector field" in problem.message


@pytest.mark.models
def test_nearest_neighbours(server: SearchEngineServer) -> None:
    from rerank_lab import models

    encoder = models.open_encoder("all-minilm-l6", CTX)
    texts = [one.content for one in ARTICLES]
    for (_, source), vector in zip(
        server.indexes["articles"].documents, encoder.encode(texts, "passage", CTX), strict=True
    ):
        source["embedding"] = list(map(float, vector))
    near = {"search": "vector", "vector": "embedding", "model": "all-minilm-l6"}
    assert search(engine(server, **near), "login credentials", 2).doc_ids == ("a2", "a3")
    only = engine(server, filter='{"term": {"title": "Rules"}}', **near)
    assert search(only, "login credentials").doc_ids == ("a3",)
    body = {"query": {"match": {"text": "{query}"}}}
    if server.flavour == "opensearch":
        body = {"query": {"knn": {"embedding": {"vector": "{vector}", "k": "{k}"}}}}
    else:
        body = {"knn": {"field": "embedding", "query_vector": "{vector}", "k": "{k}"}}
    own = engine(server, template=json.dumps(body), model="all-minilm-l6")
    assert search(own, "login credentials", 2).doc_ids == ("a2", "a3")


def test_explanations_of_every_shape() -> None:
    assert explanation("Unauthorized") == "Unauthorized"
    assert explanation({"error": "alias [x] has more than one index"}).startswith("alias")
    assert explanation({"error": {"type": "x"}}) == ""
    assert explanation(None) == ""


def test_the_same_documents_in_two_engines_are_fused(
    server: SearchEngineServer,
) -> None:
    corpus = load_corpus(spec(server))
    other = f'{server.flavour}(url_env="{URL}",index="articles",text="text",k=5)'
    result = Pipeline(f"rrf(live,{other})").run("password", corpus)
    assert result.error is None
    assert result.ranking is not None
    assert set(result.ranking.doc_ids) == {"a2", "a3"}
    assert corpus.by_id["a2"] == Document("a2", ARTICLES[1].text, "Passwords")


def vectors_server() -> SearchEngineServer:
    """An OpenSearch whose articles have vectors: a1 is nearest to (1, 0), then a4."""
    running = SearchEngineServer("opensearch")
    places = {"a1": [1.0, 0.0], "a2": [0.0, 1.0], "a3": [0.2, 1.0], "a4": [0.9, 0.1]}
    running.index(
        "articles",
        (
            (one.id, {"title": one.title, "text": one.text, "v": places.get(one.id, [0.0, 1.0])})
            for one in ARTICLES
        ),
    )
    return running


@pytest.mark.parametrize("fusion", ["rrf", "mean"])
def test_words_and_neighbours_are_fused_inside_opensearch(
    monkeypatch: pytest.MonkeyPatch, fusion: str
) -> None:
    with vectors_server() as running:
        monkeypatch.setenv(URL, running.address)
        one = OpenSearchEngine(
            url_env=URL,
            index="articles",
            title="title",
            search="hybrid",
            vector="v",
            model="all-minilm-l6",
            fusion=fusion,
            filter='{"terms": {"title": ["Passwords", "Rules", "Fox"]}}',
        )
        response = one._ask(EngineQuery("reset password rules", 10, (0.3, 1.0)))
    _, body = running.requests[-1]
    words, near = body["query"]["hybrid"]["queries"]
    assert words["bool"]["must"][0]["multi_match"]["query"] == "reset password rules"
    assert near["knn"]["v"]["vector"] == [0.3, 1.0]
    assert near["knn"]["v"]["filter"]
    assert words["bool"]["filter"]
    (processor,) = body["search_pipeline"]["phase_results_processors"]
    assert list(processor) == [
        {"rrf": "score-ranker-processor", "mean": "normalization-processor"}[fusion]
    ]
    assert {hit.document.id for hit in response.hits} == {"a1", "a2", "a3"}
    assert response.hits[0].document.id in ("a2", "a3")
    scores = [hit.score for hit in response.hits]
    assert scores == sorted(scores, key=lambda score: -(score or 0.0))


@pytest.fixture
def signed(monkeypatch: pytest.MonkeyPatch) -> Iterator[SearchEngineServer]:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret-for-tests")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with vectors_server() as running:
        running.aws = ("AKIDEXAMPLE", "a-secret-for-tests")
        monkeypatch.setenv(URL, running.address)
        yield running


def test_requests_are_signed_for_aws(
    signed: SearchEngineServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    described = f'opensearch(url_env="{URL}",index="articles",title="title",auth="aws")'
    result = Pipeline("live").run("password rules", load_corpus(described))
    assert result.error is None
    assert result.ranking is not None
    assert result.ranking.doc_ids[0] == "a3"
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-secret")
    one = OpenSearchEngine(url_env=URL, index="articles", auth="aws")
    with pytest.raises(InvalidInput, match="signature we calculated does not match"):
        one.preview("password", 3, CTX)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    one = OpenSearchEngine(url_env=URL, index="articles", auth="aws")
    with pytest.raises(MissingKey, match="no credentials can be found"):
        one.preview("password", 3, CTX)


def test_region_and_service_of_aws_are_those_of_the_host(
    signed: SearchEngineServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for host, region, service in (
        ("search-shop-abc.us-east-2.es.amazonaws.com", "us-east-2", "es"),
        ("abc.eu-central-1.aoss.amazonaws.com", "eu-central-1", "aoss"),
        ("search.example.com", "eu-west-1", "es"),
    ):
        monkeypatch.setenv(URL, f"https://{host}")
        signer = OpenSearchEngine(url_env=URL, index="articles", auth="aws")._signer
        headers = signer("GET", f"https://{host}/", None, {})
        assert f"/{region}/{service}/aws4_request" in headers["Authorization"]
