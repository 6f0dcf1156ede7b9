"""Files of web servers: read whole or refused in words, never two versions mixed."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from rerank_lab.cli import main
from rerank_lab.core.context import CancelToken, Context, Progress
from rerank_lab.core.errors import BackendError, Cancelled, InvalidInput, LabError, NotAllowed
from rerank_lab.core.types import Query
from rerank_lab.corpora import load_corpus
from rerank_lab.corpora.addresses import bring, origin_changes
from rerank_lab.corpora.limits import Limits
from rerank_lab.corpora.source import Source
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.remote import retries
from rerank_lab.remote.objects import partial
from rerank_lab.remote.objects.address import AddressRules
from rerank_lab.testing.object_servers import FileServer

pytest.importorskip("httpcore")
LINES = b"".join(b'{"_id": "d%d", "text": "text number %d"}\n' % (n, n) for n in range(5000))
VISITOR = AddressRules(private=False, places=())


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setattr(retries, "FIRST_PAUSE_S", 0.0)
    with FileServer({"/docs/corpus.jsonl": LINES}) as running:
        yield running


def brought(server: FileServer, folder: Path, path: str = "/docs/corpus.jsonl") -> Source:
    folder.mkdir(exist_ok=True)
    return bring(server.address + path, folder)


def failure(address: str, folder: Path, **more: Any) -> LabError:
    folder.mkdir(exist_ok=True)
    with pytest.raises(LabError) as caught:
        bring(address, folder, **more)
    return caught.value


def test_a_file_comes_with_its_etag_and_size(server: FileServer, tmp_path: Path) -> None:
    messages: list[Progress] = []
    (tmp_path / "x").mkdir()
    source = bring(
        f"{server.address}/docs/corpus.jsonl", tmp_path / "x", ctx=Context(progress=messages.append)
    )
    assert source.path is not None
    assert source.path.read_bytes() == LINES
    assert source.name == "corpus.jsonl"
    assert source.origin is not None
    (one,) = source.origin.objects
    assert (one.etag, one.size) == (server.etag("/docs/corpus.jsonl"), len(LINES))
    assert (messages[-1].done, messages[-1].total) == (len(LINES), len(LINES))


def test_a_read_that_breaks_off_goes_on_where_it_stopped(
    server: FileServer, tmp_path: Path
) -> None:
    server.breaks = [1000, 50_000]
    source = brought(server, tmp_path / "x")
    assert source.path is not None
    assert source.path.read_bytes() == LINES
    asked = [(h.get("range"), h.get("if-match")) for _, h in server.requests[1:]]
    etag = server.etag("/docs/corpus.jsonl")
    assert asked == [(None, etag), ("bytes=1000-", etag), ("bytes=51000-", etag)]


@pytest.mark.parametrize("knows", ["etags", "ranges", "nothing"])
def test_servers_that_know_less_give_the_same_bytes(
    server: FileServer, tmp_path: Path, knows: str
) -> None:
    server.etags, server.ranges = knows == "etags", knows == "ranges"
    server.breaks = [1000, 2000, 500]  # the look at its size takes one where ranges are unknown
    source = brought(server, tmp_path / "x")
    assert source.path is not None
    assert source.path.read_bytes() == LINES


@pytest.mark.parametrize("preconditions", [True, False])
def test_an_object_that_changes_between_is_never_mixed(
    server: FileServer, tmp_path: Path, preconditions: bool
) -> None:
    server.preconditions = preconditions
    server.breaks = [1000]

    def change(now: Progress) -> None:
        server.files["/docs/corpus.jsonl"] = LINES.replace(b"text", b"tent")

    with pytest.raises(BackendError, match="was changed while it was read"):
        bring(f"{server.address}/docs/corpus.jsonl", tmp_path, ctx=Context(progress=change))


def test_what_breaks_off_again_and_again_is_given_up(server: FileServer, tmp_path: Path) -> None:
    server.breaks = [1000] + [0] * 50
    error = failure(f"{server.address}/docs/corpus.jsonl", tmp_path / "x")
    assert isinstance(error, BackendError)
    assert "broke off at 1000 bytes" in error.message


def test_a_passing_fault_is_asked_again(server: FileServer, tmp_path: Path) -> None:
    server.statuses = [503, 429]
    assert brought(server, tmp_path / "x").size == len(LINES)


def test_a_page_of_links_is_a_folder(server: FileServer, tmp_path: Path) -> None:
    server.files["/docs/queries.jsonl"] = b'{"_id": "q", "text": "number 7"}\n'
    server.files["/docs/qrels/test.tsv"] = b"query-id\tcorpus-id\tscore\nq\td7\t1\n"
    server.files["/docs/movie.mp4"] = b"\0" * 100
    server.files["/other.jsonl"] = b"{}"
    source = brought(server, tmp_path / "x", "/docs/")
    assert source.origin is not None
    names = [one.name for one in source.origin.objects]
    assert names == ["corpus.jsonl", "qrels/test.tsv", "queries.jsonl"]
    assert (tmp_path / "x" / "movie.mp4").stat().st_size == 0
    assert "other.jsonl" not in [path.name for path in (tmp_path / "x").rglob("*")]


def test_changes_since_then_are_known_without_reading(server: FileServer, tmp_path: Path) -> None:
    server.files["/docs/b.txt"] = b"before"
    server.files["/docs/c.txt"] = b"to be removed"
    origin = brought(server, tmp_path / "x", "/docs/").origin
    assert origin is not None
    assert not origin_changes(origin).any
    server.files["/docs/b.txt"] = b"after"
    server.files["/docs/d.txt"] = b"new"
    del server.files["/docs/c.txt"]
    changes = origin_changes(origin)
    assert (changes.changed, changes.added, changes.removed) == (("b.txt",), ("d.txt",), ("c.txt",))


def test_a_signature_stands_in_no_message_and_is_not_kept(
    server: FileServer, tmp_path: Path
) -> None:
    signed = f"{server.address}/docs/corpus.jsonl?X-Amz-Signature=5ec4e7f00d&X-Amz-Expires=60"
    (tmp_path / "x").mkdir()
    source = bring(signed, tmp_path / "x")
    assert server.requests[-1][0].endswith("X-Amz-Signature=5ec4e7f00d&X-Amz-Expires=60")
    assert source.origin is not None
    assert "5ec4e7f00d" not in str(source.origin.to_json()) + repr(source) + repr(source.origin)
    with pytest.raises(InvalidInput, match="signed address"):
        origin_changes(source.origin)
    server.statuses = [403]
    error = failure(signed, tmp_path / "y")
    assert isinstance(error, NotAllowed)
    assert "works for a while only" in error.message
    assert "5ec4e7f00d" not in str(error) + error.details


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("https://user:secret-pass@example.com/a.csv", "user name or password"),
        ("http://example.com/a.csv", "unencrypted"),
        ("https:///a.csv", "no host"),
        ("s3://", "no bucket"),
        ("gs://a b/c", "no bucket"),
    ],
)
def test_addresses_that_cannot_be_read_are_refused_at_once(
    address: str, words: str, tmp_path: Path
) -> None:
    error = failure(address, tmp_path / "x")
    assert words in error.message
    assert "secret-pass" not in str(error)


def test_what_is_not_there_and_what_is_too_large(server: FileServer, tmp_path: Path) -> None:
    assert "nothing at" in failure(f"{server.address}/none.csv", tmp_path / "x").message
    small = Limits(upload=1000)
    error = failure(f"{server.address}/docs/corpus.jsonl", tmp_path / "y", limits=small)
    assert "up to 1000 bytes are read" in error.message
    assert len(server.requests) == 2  # its size was enough to know


def test_a_host_that_nobody_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "FIRST_PAUSE_S", 0.0)
    error = failure("https://nobody.invalid/a.csv", tmp_path / "x")
    assert isinstance(error, BackendError)
    assert "https://nobody.invalid/a.csv cannot be reached" in error.message


def test_a_visitor_does_not_reach_this_network(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for address in (
        f"{server.address}/docs/corpus.jsonl",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::ffff:10.0.0.1]/a.csv",
        "https://0x7f.1/a.csv",
    ):
        error = failure(address, tmp_path / "x", rules=VISITOR)
        assert "private network" in error.message
    assert not server.requests

    def resolve(host: str, port: int, **more: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.1.2.3", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    error = failure("https://looks-public.example.com/a.csv", tmp_path / "x", rules=VISITOR)
    assert "private network" in error.message


def test_a_public_address_does_not_lead_into_this_network(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rerank_lab.remote import urls

    server.moved["/docs/a.csv"] = "https://169.254.169.254/latest/meta-data/"
    monkeypatch.setattr(urls, "reaches_private", lambda url: False)  # as if it were a public one
    error = failure(f"{server.address}/docs/a.csv", tmp_path / "x")
    assert "private network" in error.message
    server.moved["/docs/a.csv"] = "file:///etc/passwd"
    assert "not read" in failure(f"{server.address}/docs/a.csv", tmp_path / "x").message


def test_redirects_are_followed_and_counted(server: FileServer, tmp_path: Path) -> None:
    server.moved["/latest"] = "/docs/corpus.jsonl"
    assert brought(server, tmp_path / "x", "/latest").size == len(LINES)
    server.moved["/latest"] = "/latest"
    assert "redirected more than" in failure(f"{server.address}/latest", tmp_path / "y").message


def test_it_can_be_cancelled(server: FileServer, tmp_path: Path) -> None:
    token = CancelToken()

    def stop(now: Progress) -> None:
        token.cancel()

    (tmp_path / "x").mkdir()
    with pytest.raises(Cancelled):
        bring(
            f"{server.address}/docs/corpus.jsonl",
            tmp_path / "x",
            ctx=Context(cancel=token, progress=stop),
        )


def test_a_certificate_that_nobody_trusts_is_said(tmp_path: Path) -> None:
    import ssl

    import trustme

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    with FileServer({"/a.csv": b"id,text\n1,a\n"}, tls=context) as server:
        error = failure(f"{server.address}/a.csv", tmp_path / "x")
    assert "certificate" in error.message.lower()
    assert "SSL_CERT_FILE" in error.hint


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of small files are kept as well."""
    monkeypatch.setattr(partial, "SMALLEST_BYTES", 1000)


@pytest.mark.usefixtures("small_parts")
def test_what_came_before_a_break_is_kept_for_the_next_time(
    server: FileServer, tmp_path: Path, home: Path
) -> None:
    server.breaks = [1000] + [0] * 50
    address = f"{server.address}/docs/corpus.jsonl"
    failure(address, tmp_path / "x")
    (part,) = (home / "downloads").glob("*.part")
    assert part.read_bytes() == LINES[:1000]
    server.breaks.clear()
    server.requests.clear()
    seen: list[Progress] = []
    (tmp_path / "y").mkdir()
    source = bring(address, tmp_path / "y", ctx=Context(progress=seen.append))
    assert source.path is not None
    assert source.path.read_bytes() == LINES
    assert server.requests[-1][1]["range"] == "bytes=1000-"
    assert (seen[0].done, seen[-1].done) == (1000, len(LINES))
    assert not list((home / "downloads").iterdir())


@pytest.mark.usefixtures("small_parts")
def test_a_part_of_another_version_is_not_gone_on_with(
    server: FileServer, tmp_path: Path, home: Path
) -> None:
    server.breaks = [1000] + [0] * 50
    address = f"{server.address}/docs/corpus.jsonl"
    failure(address, tmp_path / "x")
    server.breaks.clear()
    server.files["/docs/corpus.jsonl"] = LINES.replace(b"text", b"tent")
    assert brought(server, tmp_path / "y").read() == LINES.replace(b"text", b"tent")
    (part,) = (home / "downloads").glob("*.part")
    os.utime(part, (0, 0))
    brought(server, tmp_path / "z")
    assert not part.exists()  # it was begun long ago


@pytest.mark.usefixtures("small_parts")
def test_a_part_that_another_process_fills_is_left_to_it(
    server: FileServer, tmp_path: Path, home: Path
) -> None:
    server.breaks = [1000] + [0] * 50
    failure(f"{server.address}/docs/corpus.jsonl", tmp_path / "x")
    server.breaks.clear()
    (part,) = (home / "downloads").glob("*.part")
    with FileLock(part.with_name(f"{part.name}.lock")):
        assert brought(server, tmp_path / "y").read() == LINES
    assert part.stat().st_size == 1000


def test_loading_an_address_tells_how_much_has_come(server: FileServer) -> None:
    seen: list[Progress] = []
    corpus = load_corpus(f"{server.address}/docs/corpus.jsonl", ctx=Context(progress=seen.append))
    assert len(corpus.documents) == 5000
    assert (seen[-1].done, seen[-1].total) == (len(LINES), len(LINES))


def test_pairs_runs_and_judgments_may_lie_elsewhere(
    server: FileServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.files |= {
        "/pairs.csv": b"query,document\nred fox,the red fox\nred fox,bread\n",
        "/qrels.txt": b"q 0 d1 1\n",
        "/run.trec": b"q Q0 d2 1 2.0 x\nq Q0 d1 2 1.0 x\n",
        "/corpus.csv": b"id,text\nd1,fox\nd2,bread\n",
    }
    out = tmp_path / "scores.parquet"
    assert main(["score", f"{server.address}/pairs.csv", "-p", "overlap", "--out", str(out)]) == 0
    assert out.exists()
    assert main(["measure", f"{server.address}/qrels.txt", f"{server.address}/run.trec"]) == 0
    assert "0.5000" in capsys.readouterr().out
    run = f'run(path="{server.address}/run.trec")'
    corpus = load_corpus(f"{server.address}/corpus.csv")
    result = Pipeline(run).run(Query("q", "any words"), corpus)
    assert result.ranking is not None
    assert result.ranking.doc_ids == ("d2", "d1")
    visited = Engine(tmp_path)
    visited.readable = (tmp_path,)
    error = Pipeline(run).run(Query("q", "any words"), corpus, engine=visited).error
    assert error is not None
    assert "may not read" in error.message
