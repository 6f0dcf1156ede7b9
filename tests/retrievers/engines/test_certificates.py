"""Certificates of a private authority, and of clients, for every engine that is reached by TLS."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rerank_lab.core.context import Context
from rerank_lab.core.errors import BackendError, InvalidInput, LabError
from rerank_lab.retrievers.engines.base import EngineRetriever
from rerank_lab.retrievers.engines.elasticsearch import ElasticsearchEngine
from rerank_lab.retrievers.engines.milvus import Milvus
from rerank_lab.retrievers.engines.opensearch import OpenSearchEngine
from rerank_lab.retrievers.engines.postgres import Postgres
from rerank_lab.retrievers.engines.qdrant import Qdrant
from rerank_lab.testing.object_servers import FileServer
from rerank_lab.testing.postgres_server import PostgresServer
from rerank_lab.testing.search_engine_server import SearchEngineServer
from tests.retrievers.engines.conftest import ARTICLES, DSN, Database

trustme = pytest.importorskip("trustme")
CTX = Context()
URL, CA, CERT = "RERANK_LAB_ENGINE_TLS", "RERANK_LAB_ENGINE_CA", "RERANK_LAB_ENGINE_CERT"
SEARCHES = {"opensearch": OpenSearchEngine, "elasticsearch": ElasticsearchEngine}


@pytest.fixture(scope="module")
def authority() -> Any:
    return trustme.CA()


@pytest.fixture
def tls(authority: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """What a server shows; `CA` and `CERT` name the files that a client of it needs."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    authority.issue_cert("client").private_key_and_cert_chain_pem.write_to_path(
        str(tmp_path / "client.pem")
    )
    (tmp_path / "client.pem").chmod(0o600)
    monkeypatch.setenv(CA, str(tmp_path / "ca.pem"))
    monkeypatch.setenv(CERT, str(tmp_path / "client.pem"))
    return context


@pytest.fixture(params=sorted(SEARCHES))
def server(
    request: pytest.FixtureRequest, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SearchEngineServer]:
    running = SearchEngineServer(request.param)
    running.tls = tls
    running.index("articles", [("a", {"text": "the red fox"})])
    with running:
        monkeypatch.setenv(URL, running.address)
        yield running


def failure(one: EngineRetriever) -> LabError:
    with pytest.raises(LabError) as caught:
        one.fetch(["a"])
    return caught.value


def test_a_private_authority_is_trusted_where_it_is_named(server: SearchEngineServer) -> None:
    engine = SEARCHES[server.flavour]
    (document,) = engine(url_env=URL, index="articles", ca_env=CA).fetch(["a"])
    assert document.text == "the red fox"
    error = failure(engine(url_env=URL, index="articles"))
    assert isinstance(error, BackendError)
    assert "certificate" in error.message.lower()
    assert "ca_env=" in error.hint


def test_a_client_shows_its_certificate(
    server: SearchEngineServer, tls: ssl.SSLContext, authority: Any
) -> None:
    authority.configure_trust(tls)
    tls.verify_mode = ssl.CERT_REQUIRED
    engine = SEARCHES[server.flavour]
    assert engine(url_env=URL, index="articles", ca_env=CA, cert_env=CERT).fetch(["a"])
    assert isinstance(failure(engine(url_env=URL, index="articles", ca_env=CA)), BackendError)


def test_a_name_that_is_not_in_the_certificate_is_refused(
    server: SearchEngineServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(URL, server.address.replace("localhost", "127.0.0.1"))
    engine = SEARCHES[server.flavour]
    error = failure(engine(url_env=URL, index="articles", ca_env=CA))
    assert "127.0.0.1" in error.message
    assert "match" in error.message or "not valid" in error.message


def test_a_file_that_is_not_there_is_said_before_anything_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(CA, "/nowhere/ca.pem")
    monkeypatch.setenv(URL, "https://localhost:9")
    for one in (
        OpenSearchEngine(url_env=URL, index="a", ca_env=CA),
        Qdrant(url_env=URL, collection="a", model="all-minilm-l6", ca_env=CA),
        Milvus(url_env=URL, collection="a", model="all-minilm-l6", ca_env=CA),
        Postgres(dsn_env=URL, table="a", ca_env=CA),
    ):
        (problem,) = one.problems()
        assert isinstance(problem, InvalidInput)
        assert "names no file that is here" in problem.message


def test_qdrant_trusts_the_authority_that_is_named(
    tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("qdrant_client")
    with FileServer(tls=tls) as server:
        monkeypatch.setenv(URL, server.address)
        options = {"url_env": URL, "collection": "a", "model": "all-minilm-l6"}
        trusted, untrusted = Qdrant(**options, ca_env=CA), Qdrant(**options)
        assert "certificate" not in failure(trusted).message.lower()
        error = failure(untrusted)
    assert "certificate" in error.message.lower()
    assert "ca_env=" in error.hint


def test_milvus_asks_for_an_authority_beside_a_client_certificate(
    tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(URL, "https://localhost:9")
    one = Milvus(url_env=URL, collection="a", model="all-minilm-l6", cert_env=CERT)
    (problem,) = one.problems()
    assert "no authority is named" in problem.message


def test_postgres_checks_the_certificate_where_an_authority_is_named(
    database: Database, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.fill("articles", ARTICLES)
    options = {"dsn_env": DSN, "table": "articles"}
    assert Postgres(**options).fetch(["a1"])
    error = failure(Postgres(**options, ca_env=CA))  # this server knows no TLS, and none is refused
    assert isinstance(error, BackendError)
    assert "SSL" in error.message


@pytest.fixture
def guarded(
    postgres: PostgresServer,
    authority: Any,
    tls: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Database]:
    """A PostgreSQL that speaks TLS as `localhost`, and looks at the certificates of clients."""
    database = Database(postgres, postgres.address())
    ((library,),) = database.run("SHOW ssl_library")
    if not library:
        pytest.skip("this PostgreSQL was built without TLS")
    database.fill("articles_by_tls", ARTICLES)
    identity = authority.issue_cert("localhost").private_key_and_cert_chain_pem
    postgres.set_tls(identity.bytes(), authority.cert_pem.bytes())
    monkeypatch.setenv(DSN, database.dsn)
    monkeypatch.setenv(URL, database.dsn.replace("127.0.0.1", "localhost"))
    yield database
    postgres.set_tls(b"")
    database.run("DROP TABLE articles_by_tls")


def test_postgres_by_tls_with_a_private_authority_and_a_client_certificate(
    guarded: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Postgres(dsn_env=URL, table="articles_by_tls", ca_env=CA, cert_env=CERT)
    assert engine.fetch(["a1"])[0].id == "a1"
    (tmp_path / "client.pem").chmod(0o644)
    error = failure(Postgres(dsn_env=URL, table="articles_by_tls", ca_env=CA, cert_env=CERT))
    assert "chmod 600" in error.hint
    other = trustme.CA()
    other.cert_pem.write_to_path(str(tmp_path / "other.pem"))
    monkeypatch.setenv(CA, str(tmp_path / "other.pem"))
    error = failure(Postgres(dsn_env=URL, table="articles_by_tls", ca_env=CA))
    assert isinstance(error, BackendError)
    assert "certificate verify failed" in error.message
    assert "ca_env" in error.hint


def test_postgres_under_another_name_or_with_a_strange_client_is_refused(
    guarded: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = failure(Postgres(dsn_env=DSN, table="articles_by_tls", ca_env=CA))  # it says 127.0.0.1
    assert "does not match host name" in error.message
    strange = trustme.CA().issue_cert("client").private_key_and_cert_chain_pem
    strange.write_to_path(str(tmp_path / "strange.pem"))
    (tmp_path / "strange.pem").chmod(0o600)
    monkeypatch.setenv(CERT, str(tmp_path / "strange.pem"))
    error = failure(Postgres(dsn_env=URL, table="articles_by_tls", ca_env=CA, cert_env=CERT))
    assert isinstance(error, BackendError)
