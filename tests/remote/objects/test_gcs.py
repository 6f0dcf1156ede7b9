"""Google Cloud Storage by gcsfs against an emulator of its JSON API."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from rerank_lab.core.context import Context, Progress
from rerank_lab.core.errors import BackendError, InvalidInput
from rerank_lab.corpora.addresses import bring, origin_changes
from rerank_lab.remote.objects import gcs
from rerank_lab.testing.object_servers import CuttingProxy

pytest.importorskip("gcsfs")
pytest.importorskip("gcp_storage_emulator")


@pytest.fixture(scope="module")
def emulator() -> Iterator[str]:
    from gcp_storage_emulator.server import create_server

    server = create_server("127.0.0.1", 0, in_memory=True, default_bucket="bucket")
    server.start()
    yield f"http://127.0.0.1:{server._api._httpd.server_address[1]}"
    server.stop()


@pytest.fixture
def address(emulator: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", emulator)
    return emulator


def put(address: str, name: str, content: bytes) -> Any:
    url = f"{address}/upload/storage/v1/b/bucket/o?uploadType=media&name={quote(name, safe='')}"
    request = urllib.request.Request(url, content, {"Content-Type": "text/plain"}, method="POST")
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def test_files_and_folders_with_their_generations(address: str, tmp_path: Path) -> None:
    corpus = b"".join(b'{"_id": "d%d", "text": "words"}\n' % n for n in range(200_000))
    about = put(address, "c/corpus.jsonl", corpus)
    put(address, "c/qrels/test.tsv", b"query-id\tcorpus-id\tscore\nq\td1\t1\n")
    put(address, "c/film.mp4", b"\0\0")
    source = bring("gs://bucket/c/", tmp_path)
    assert source.origin is not None
    assert source.path is not None
    assert (source.path / "corpus.jsonl").read_bytes() == corpus
    first = source.origin.objects[0]
    assert (first.name, first.generation) == ("corpus.jsonl", str(about["generation"]))
    assert [one.name for one in source.origin.objects] == ["corpus.jsonl", "qrels/test.tsv"]
    assert not origin_changes(source.origin).any
    put(address, "c/corpus.jsonl", b"others")
    assert origin_changes(source.origin).changed == ("corpus.jsonl",)
    (tmp_path / "one").mkdir()
    assert bring("gs://bucket/c/corpus.jsonl", tmp_path / "one").read() == b"others"


def test_an_object_that_changes_between_is_never_mixed(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gcp_storage_emulator.handlers import objects

    download = objects.download

    def of_generation(request: Any, response: Any, storage: Any, *args: Any, **more: Any) -> Any:
        """As the API does: a generation that is not there any more is a 404."""
        wanted = request.query.get("generation", [None])[0]
        live = storage.get_file_obj(request.params["bucket_name"], request.params["object_id"])
        if wanted not in (None, str(live["generation"])):
            response.status = HTTPStatus.NOT_FOUND
            return None
        return download(request, response, storage, *args, **more)

    from gcp_storage_emulator import server

    monkeypatch.setattr(gcs, "BLOCK_BYTES", 1000)
    handlers = [
        (path, {**methods, "GET": of_generation} if methods.get("GET") is download else methods)
        for path, methods in server.HANDLERS
    ]
    monkeypatch.setattr(server, "HANDLERS", tuple(handlers))
    put(address, "a.txt", b"before " * 1000)

    def change(now: Progress) -> None:
        put(address, "a.txt", b"after! " * 1000)

    with pytest.raises(BackendError, match="was changed while it was read"):
        bring("gs://bucket/a.txt", tmp_path, ctx=Context(progress=change))


def test_a_read_that_breaks_off_goes_on_where_it_stopped(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = b"".join(b"line %d of the text\n" % number for number in range(20_000))
    put(address, "long.txt", lines)
    monkeypatch.setattr(gcs, "BLOCK_BYTES", 100_000)
    with CuttingProxy(int(address.rpartition(":")[2])) as proxy:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{proxy.port}")
        whole = 10**9  # what is said of the object comes first
        proxy.cuts = [whole, 50_000, 120_000, 10]
        assert bring("gs://bucket/long.txt", tmp_path).read() == lines
        assert proxy.cut >= 1


def test_what_is_not_there(address: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="nothing at gs://bucket/none"):
        bring("gs://bucket/none.csv", tmp_path)
    with pytest.raises(InvalidInput, match="no bucket gs://no-bucket"):
        bring("gs://no-bucket/", tmp_path)
