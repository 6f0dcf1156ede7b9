"""PostgreSQL as first stage, against a real server with pgvector."""

from __future__ import annotations

import time

import pytest

from rerank_lab.core.context import CancelToken, Context
from rerank_lab.core.errors import (
    BackendError,
    Cancelled,
    DeadlineExceeded,
    InvalidInput,
    LabError,
    MissingKey,
)
from rerank_lab.core.types import Document, Query, Ranking
from rerank_lab.corpora import load_corpus
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.retrievers.engines.postgres import Postgres
from tests.retrievers.engines.conftest import ARTICLES, DSN, Database

CTX = Context()
SPEC = f'postgres(dsn_env="{DSN}",table="articles",title="title")'
HOSTILE = (
    "'; DROP TABLE articles; --",
    "' OR '1'='1",
    "password') UNION SELECT id, title, text, 1 FROM articles --",
    "{query} {k} %s %(query)s %",
    "\\' \\\\ $1 $$ E'\\''",
    "password & ! | ( : * <->",
    "\x00password",
    'pass"word',
)


def postgres(**options: str | float | bool) -> Postgres:
    return Postgres(dsn_env=DSN, **{"table": "articles", "title": "title", **options})


def search(engine: Postgres, text: str, k: int | None = None) -> Ranking:
    engine.build(load_corpus(SPEC), CTX)
    return engine.search(Query("q", text), k, CTX).ranking


def failure(engine: Postgres, text: str = "password") -> LabError:
    with pytest.raises(LabError) as caught:
        search(engine, text)
    return caught.value


def test_full_text_finds_any_of_the_words_best_first(articles: Database) -> None:
    ranking = search(postgres(), "changing a password in settings")
    assert ranking.scale == "ts_rank"
    assert set(ranking.doc_ids) == {"a2", "a3"}
    assert all(hit.score is not None and hit.score > 0 for hit in ranking)


def test_all_words_and_web_syntax_are_understood(articles: Database) -> None:
    assert search(postgres(match="all"), "password settings").doc_ids == ("a2",)
    assert search(postgres(match="web"), '"password rules" -account').doc_ids == ("a3",)


def test_documents_come_with_the_hits(articles: Database) -> None:
    corpus = load_corpus(SPEC)
    engine = postgres()
    engine.build(corpus, CTX)
    ranking = engine.search(Query("q", "fox"), None, CTX).ranking
    assert corpus.by_id[ranking.doc_ids[0]] == ARTICLES[0]


def test_a_filter_leaves_documents_out(articles: Database) -> None:
    assert search(postgres(filter="title LIKE 'Rul%'"), "password").doc_ids == ("a3",)


def test_prepared_words_are_used(articles: Database) -> None:
    articles.run(
        "ALTER TABLE articles ADD words tsvector GENERATED ALWAYS AS "
        "(to_tsvector('english', coalesce(text, ''))) STORED"
    )
    assert search(postgres(tsvector="words"), "Fox").doc_ids == ("a1",)
    assert search(postgres(tsvector="words"), "Passwords rules").doc_ids[0] == "a3"


def test_hostile_queries_are_values_and_nothing_else(articles: Database) -> None:
    for match in ("any", "all", "web"):
        engine = postgres(match=match)
        for text in HOSTILE:
            assert set(search(engine, text).doc_ids) <= {"a2", "a3"}
    assert articles.run("SELECT count(*) FROM articles") == [(len(ARTICLES),)]


def test_hostile_queries_in_a_template_are_values_too(articles: Database) -> None:
    own = postgres(
        template="SELECT id, text, title, 1.0 AS score FROM articles "
        "WHERE text ILIKE '%' || {query} || '%' ORDER BY id LIMIT {k}"
    )
    for text in HOSTILE:
        if "\x00" not in text:  # which no text of PostgreSQL can hold: a blank stands for it
            assert search(own, text).doc_ids == (), text
    assert articles.run("SELECT count(*) FROM articles") == [(len(ARTICLES),)]
    assert search(own, "O'Brien").doc_ids == ("a4",)
    assert search(own, "password").doc_ids == ("a2", "a3")


REFUSED = (
    ("SELECT id, text, 1 AS score FROM articles WHERE text LIKE '%{query}%'", "inside quotes"),
    ("SELECT id, text, 1 AS score FROM articles", "does not use the query"),
    ("SELECT {qery} AS id", "did you mean query"),
    ("DELETE FROM articles WHERE text = {query}", "must be a SELECT"),
    ("SELECT {query}; DROP TABLE articles", "more than one statement"),
    ("SELECT 1 /* {query} */", "inside quotes or a comment"),
    ("SELECT $$ {query} $$", "inside quotes"),
)


def test_a_template_that_is_not_safe_is_refused_before_anything_is_sent(
    articles: Database,
) -> None:
    for template, words in REFUSED:
        (problem,) = postgres(template=template).problems()
        assert words in problem.message
        assert problem.hint


@pytest.mark.parametrize(
    "template",
    [
        "WITH x AS (DELETE FROM articles RETURNING *) SELECT id, text, 1.0 AS score FROM x "
        "WHERE text <> {query}",
        "SELECT set_config('transaction_read_only', 'off', true) AS id, {query} AS text, "
        "1.0 AS score",
        "SELECT pg_sleep(30)::text AS id, {query} AS text, 1.0 AS score",
    ],
)
def test_a_template_can_only_read_and_only_for_so_long(articles: Database, template: str) -> None:
    start = time.monotonic()
    failure(postgres(template=template, timeout=0.5))
    assert time.monotonic() - start < 3
    assert articles.run("SELECT count(*) FROM articles") == [(len(ARTICLES),)]


def test_the_preview_shows_the_statement_and_the_values_beside_it(articles: Database) -> None:
    engine = postgres()
    from rerank_lab.retrievers.engines.base import EngineQuery

    text = engine.request_text(EngineQuery("it's", 10))
    assert "it's" not in text.split("--")[0]
    assert 'query = "it\'s", k = 10' in text
    response = engine.preview("fox", 3, CTX)
    assert [hit.document.id for hit in response.hits] == ["a1"]


def test_postgresql_explains_what_is_wrong(articles: Database) -> None:
    assert '"titel" does not exist' in failure(postgres(title="titel")).message
    assert (
        'relation "nothing" does not exist'
        in failure(
            postgres(template="SELECT id, text, 1 AS score FROM nothing WHERE text = {query}")
        ).message
    )
    missing = failure(postgres(template="SELECT id, title FROM articles WHERE text = {query}"))
    assert "text and score are missing" in missing.message
    configuration = failure(postgres(language="klingon"))
    assert "klingon" in configuration.message


def test_no_message_holds_the_password(articles: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    password = articles.server.password
    wrong = articles.dsn.replace(password, "secret%2Fword")
    engine = postgres()
    engine.build(load_corpus(SPEC), CTX)
    monkeypatch.setenv(DSN, wrong)
    with pytest.raises(BackendError) as caught:
        engine.search(Query("q", "fox"), None, CTX)
    error = caught.value
    shown = f"{error} {error.hint} {error.details} {error.args!r} {error.__cause__!r}"
    assert "password authentication failed" in error.message
    assert "secret/word" not in shown
    assert "secret%2Fword" not in shown
    template = f"SELECT id, text, nothing('{password}') AS score FROM articles WHERE text={{query}}"
    monkeypatch.setenv(DSN, articles.dsn)
    assert password not in failure(postgres(template=template)).message


def test_an_unset_variable_and_an_unreadable_address_say_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(DSN, raising=False)
    (problem,) = postgres().problems()
    assert isinstance(problem, MissingKey)
    assert DSN in problem.hint
    monkeypatch.setenv(DSN, "postgresql://lab:secret@[bad")
    (unreadable,) = postgres().problems()
    assert "secret" not in str(unreadable)


def test_a_visitor_of_the_app_names_only_variables_meant_for_engines() -> None:
    engine = Engine()
    engine.readable = ()
    from rerank_lab.components.registry import resolve

    with pytest.raises(InvalidInput, match="RERANK_LAB_DATABASE"):
        engine.retriever(resolve('postgres(dsn_env="RERANK_LAB_DATABASE",table="x")').source)
    engine.retriever(resolve(f'postgres(dsn_env="{DSN}",table="x")').source)


def test_a_search_ends_at_its_timeout_and_when_it_is_cancelled(articles: Database) -> None:
    slow = "SELECT id, text, 1 AS score, pg_sleep(20) FROM articles WHERE text <> {query}"
    engine = postgres(template=slow, timeout=0.3)
    engine.build(load_corpus(SPEC), CTX)
    start = time.monotonic()
    with pytest.raises((DeadlineExceeded, InvalidInput)):
        engine.search(Query("q", "x"), None, CTX)
    assert time.monotonic() - start < 2
    patient = postgres(template=slow, timeout=30.0)
    patient.build(load_corpus(SPEC), CTX)
    token = CancelToken()
    import threading

    threading.Timer(0.1, token.cancel).start()
    with pytest.raises(Cancelled):
        patient.search(Query("q", "x"), None, Context(cancel=token))
    assert time.monotonic() - start < 4


def test_a_broken_connection_is_replaced(articles: Database) -> None:
    engine = postgres()
    assert search(engine, "fox").doc_ids == ("a1",)
    articles.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'rerank-lab'"
    )
    assert engine.search(Query("q2", "fox"), None, CTX).ranking.doc_ids == ("a1",)


def test_ids_of_any_type_are_texts_here(database: Database) -> None:
    database.run("CREATE TABLE numbers (id bigint PRIMARY KEY, text text)")
    database.run("INSERT INTO numbers VALUES (7, 'seven foxes'), (8, 'eight')")
    corpus = load_corpus(f'postgres(dsn_env="{DSN}",table="numbers")')
    assert corpus.by_id["7"].text == "seven foxes"
    assert "x7" not in corpus.by_id
    corpus.prefetch(["8", "none", "9"])
    assert corpus.document_hash("8") == Document("8", "eight").content_hash


def test_scores_that_do_not_fall_leave_the_engines_order_alone(articles: Database) -> None:
    own = postgres(
        template="SELECT id, text, length(text) AS score FROM articles WHERE text <> {query} "
        "ORDER BY id LIMIT {k}"
    )
    own.build(load_corpus(SPEC), CTX)
    retrieved = own.search(Query("q", "x"), None, CTX)
    assert retrieved.ranking.doc_ids == ("a1", "a2", "a3", "a4", "a5")
    assert retrieved.ranking.scale == "order"
    assert "do not fall" in retrieved.trace.warnings[0]


def test_over_a_stored_corpus_hits_it_lacks_are_left_out_and_counted(articles: Database) -> None:
    corpus = Corpus("copy", (Document("a3", "Another text of the copy."),))
    engine = postgres()
    engine.build(corpus, CTX)
    retrieved = engine.search(Query("q", "password"), None, CTX)
    assert retrieved.ranking.doc_ids == ("a3",)
    assert "1 of the engine's hits are not in the corpus" in retrieved.trace.warnings[0]
    assert corpus.by_id["a3"].text == "Another text of the copy."


def test_a_pipeline_reranks_what_the_engine_returns(articles: Database) -> None:
    corpus = load_corpus(SPEC)
    for first in ("live", SPEC):
        result = Pipeline(f"{first} >> overlap").run("password rules", corpus)
        assert result.error is None
        assert result.ranking is not None
        assert result.ranking.doc_ids[0] == "a3"


def test_first_stages_that_read_all_documents_say_what_to_do(articles: Database) -> None:
    corpus = load_corpus(SPEC)
    pipeline = Pipeline("bm25 >> overlap")
    (problem,) = pipeline.check(corpus)
    error = pipeline.run("fox", corpus).error
    assert error is not None
    assert error.message == problem.message
    assert "live" in error.hint
    stored = Corpus("stored", ARTICLES)
    refused = Pipeline("live").run("fox", stored).error
    assert refused is not None
    assert "belongs to no search engine" in refused.message


@pytest.fixture
def embedded(articles: Database) -> Database:
    """With pgvector's embeddings of the texts in the column `embedding`."""
    from rerank_lab import models

    encoder = models.open_encoder("all-minilm-l6", CTX)
    articles.run("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public")
    articles.run(f"ALTER TABLE articles ADD embedding vector({encoder.dimension})")
    filled = [document for document in ARTICLES if document.text]
    vectors = encoder.encode([document.content for document in filled], "passage", CTX)
    for document, vector in zip(filled, vectors, strict=True):
        text = "[" + ",".join(map(str, map(float, vector))) + "]"
        articles.run("UPDATE articles SET embedding = %s WHERE id = %s", text, document.id)
    articles.run("CREATE INDEX ON articles USING hnsw (embedding vector_cosine_ops)")
    return articles


@pytest.mark.models
def test_pgvector_ranks_by_meaning_and_hybrid_by_both(embedded: Database) -> None:
    near = {"vector": "embedding", "model": "all-minilm-l6"}
    ranking = search(postgres(search="vector", **near), "forgotten login credentials")
    assert ranking.scale == "cosine"
    assert ranking.doc_ids[:2] == ("a2", "a3")
    assert all(-1 <= (hit.score or 0) <= 1 for hit in ranking)
    assert "a5" not in ranking.doc_ids  # it has no embedding
    both = search(postgres(search="hybrid", **near), "a quick fox, and credentials")
    assert both.scale == "rrf"
    assert both.doc_ids[0] == "a1"
    assert set(both.doc_ids) == {"a1", "a2", "a3", "a4"}
    own = postgres(
        template="SELECT id, title, text, 1 - (embedding <=> {vector}::vector) AS score "
        "FROM articles WHERE embedding IS NOT NULL "
        "ORDER BY embedding <=> {vector}::vector LIMIT {k}",
        model="all-minilm-l6",
    )
    assert search(own, "forgotten login credentials").doc_ids[:2] == ("a2", "a3")


@pytest.mark.models
def test_embeddings_that_do_not_fit_are_explained(embedded: Database) -> None:
    embedded.run("ALTER TABLE articles ADD other vector(3)")
    embedded.run("UPDATE articles SET other = '[1,2,3]'")
    error = failure(postgres(search="vector", vector="other", model="all-minilm-l6"))
    assert "different vector dimensions" in error.message
    assert "name the model that embedded" in error.hint
    (problem,) = postgres(search="vector", vector="embedding").problems()
    assert "no model is named" in problem.message
    (problem,) = postgres(search="hybrid", model="all-minilm-l6").problems()
    assert "no vector column" in problem.message
