"""S3 by its real client against moto's server."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from rerank_lab.core.context import Context, Progress
from rerank_lab.core.errors import BackendError, InvalidInput, LabError, NotAllowed
from rerank_lab.corpora.addresses import bring, origin_changes
from rerank_lab.corpora.source import Source
from rerank_lab.remote import retries
from rerank_lab.remote.objects.address import PLACES, visitor_rules
from rerank_lab.testing.object_servers import CuttingProxy

pytest.importorskip("s3fs")
BIG = b"".join(b'{"_id": "d%07d", "text": "some words"}\n' % n for n in range(250_000))


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "FIRST_PAUSE_S", 0.0)


def brought(address: str, folder: Path, **more: Any) -> Source:
    folder.mkdir()
    return bring(address, folder, **more)


def failure(address: str, folder: Path, **more: Any) -> LabError:
    with pytest.raises(LabError) as caught:
        brought(address, folder, **more)
    return caught.value


def test_a_prefix_is_a_folder_with_its_etags(s3: Any, tmp_path: Path) -> None:
    etags = {}
    for key in ("c/corpus.jsonl", "c/qrels/test.tsv", "c/queries.jsonl", "c/film.mp4", "c/"):
        etags[key] = s3.put_object(Bucket="bucket", Key=key, Body=key.encode())["ETag"]
    for number, address in enumerate(("s3://bucket/c/", "s3://bucket/c")):
        source = brought(address, tmp_path / str(number))
        assert source.origin is not None
        assert [(one.name, one.etag) for one in source.origin.objects] == [
            (name, etags[f"c/{name}"])
            for name in ("corpus.jsonl", "qrels/test.tsv", "queries.jsonl")
        ]
        assert source.path is not None
        assert (source.path / "qrels" / "test.tsv").read_text() == "c/qrels/test.tsv"
        assert (source.path / "film.mp4").read_bytes() == b""
    assert not origin_changes(source.origin).any
    s3.put_object(Bucket="bucket", Key="c/queries.jsonl", Body=b"others")
    assert origin_changes(source.origin).changed == ("queries.jsonl",)


def test_a_large_object_comes_in_blocks_and_survives_cuts(
    s3: Any, s3_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.put_object(Bucket="bucket", Key="big.jsonl", Body=BIG)
    with CuttingProxy(s3_port) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{proxy.port}")
        whole = 10**9  # what is said of the object comes first, by connections of its own
        proxy.cuts = [whole, whole, 1_000_000, 3_000_000, 100]
        source = brought("s3://bucket/big.jsonl", tmp_path / "x")
        assert proxy.cut == 3
    assert source.path is not None
    assert source.path.read_bytes() == BIG


def test_an_object_that_changes_between_is_never_mixed(s3: Any, tmp_path: Path) -> None:
    s3.put_object(Bucket="bucket", Key="big.jsonl", Body=BIG)

    def change(now: Progress) -> None:
        if now.done:
            s3.put_object(Bucket="bucket", Key="big.jsonl", Body=BIG.replace(b"some", b"many"))

    with pytest.raises(BackendError, match="was changed while it was read"):
        brought("s3://bucket/big.jsonl", tmp_path / "x", ctx=Context(progress=change))


def test_what_is_not_there(s3: Any, tmp_path: Path) -> None:
    assert (
        "nothing at s3://bucket/none.csv" in failure("s3://bucket/none.csv", tmp_path / "x").message
    )
    assert "nothing at s3://bucket/none/" in failure("s3://bucket/none/", tmp_path / "y").message
    for number, address in enumerate(("s3://no-bucket/a.csv", "s3://no-bucket/")):
        error = failure(address, tmp_path / str(number))
        assert isinstance(error, InvalidInput)
        assert error.message == "There is no bucket s3://no-bucket."


def test_without_credentials_the_next_step_is_said(
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.put_object(Bucket="bucket", Key="a.txt", Body=b"words")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    error = failure("s3://bucket/a.txt", tmp_path / "x")
    assert isinstance(error, NotAllowed)
    assert "no credentials in the environment" in error.message
    assert "AWS_ACCESS_KEY_ID" in error.hint
    s3.put_object_acl(Bucket="bucket", Key="a.txt", ACL="public-read")
    assert brought("s3://bucket/a.txt", tmp_path / "y").read() == b"words"


def test_a_store_that_does_not_answer(
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with caplog.at_level(logging.DEBUG):
        error = failure("s3://bucket/a.txt", tmp_path / "x")
    assert isinstance(error, BackendError)
    assert "cannot be reached" in error.message
    assert "a-secret-for-tests" not in str(error) + error.details + caplog.text


def test_visitors_read_only_the_buckets_that_were_named(
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("open/a.txt", "open-not/a.txt"):
        s3.put_object(Bucket="bucket", Key=key, Body=b"words")
    error = failure("s3://bucket/open/a.txt", tmp_path / "x", rules=visitor_rules())
    assert isinstance(error, NotAllowed)
    assert PLACES in error.hint
    monkeypatch.setenv(PLACES, "gs://bucket s3://bucket/open")
    assert brought("s3://bucket/open/a.txt", tmp_path / "y", rules=visitor_rules()).origin
    for number, address in enumerate(("s3://bucket/open-not/a.txt", "s3://bucket", "s3://open/")):
        failure(address, tmp_path / str(number), rules=visitor_rules())


@pytest.mark.parametrize(
    "key", ["c/../../up.txt", "c//double.txt", "c/back\\slash.txt", "c/" + "x" * 250]
)
def test_names_that_are_no_paths_here_are_refused(s3: Any, tmp_path: Path, key: str) -> None:
    s3.put_object(Bucket="bucket", Key="c/a.txt", Body=b"words")
    s3.put_object(Bucket="bucket", Key=key, Body=b"words")
    error = failure("s3://bucket/c/", tmp_path / "x")
    assert "cannot be those of files here" in error.message
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_file_and_a_folder_of_one_name(s3: Any, tmp_path: Path) -> None:
    for key in ("c/a.txt", "c/a.txt/b.txt"):
        s3.put_object(Bucket="bucket", Key=key, Body=b"words")
    assert "or a folder" in failure("s3://bucket/c/", tmp_path / "x").message


@pytest.fixture
def guarded(s3: Any) -> Iterator[Any]:
    """From now on the store asks IAM for leave; gives a new access key that has none."""
    import boto3

    iam, user = boto3.client("iam"), f"reader-{uuid4()}"
    iam.create_user(UserName=user)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("moto.settings.INITIAL_NO_AUTH_ACTION_COUNT", 0.0)
        yield key


@pytest.mark.parametrize("name", ["a.txt", "", "none.txt"])
def test_a_key_without_leave_is_named_and_its_secret_is_not(
    s3: Any, guarded: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", guarded["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", guarded["SecretAccessKey"])
    error = failure(f"s3://bucket/{name}", tmp_path / "x")
    assert isinstance(error, NotAllowed)
    assert f"the bucket bucket may not be read with the access key {guarded['AccessKeyId']}" in (
        error.message
    )
    assert "s3:GetObject" in error.hint
    assert guarded["SecretAccessKey"] not in str(error) + error.details
