"""Record once with a key, replay without key and network, the same to the last digit."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from rerank_lab.core.context import Context, Response
from rerank_lab.core.errors import BackendError, InvalidInput
from rerank_lab.core.spend import SpendMeter
from rerank_lab.core.types import Document
from rerank_lab.remote.recordings import Recording, request_digest
from rerank_lab.remote.urls import ALLOW_PRIVATE
from rerank_lab.rerankers.score_cache import ScoreCache
from rerank_lab.testing.provider_servers import KEY, FakeProvider, Switch
from rerank_lab.testing.wire_formats import WIRES
from tests.rerankers.hosted.conftest import DOCS, QUERY, keyed, made

Start = Callable[..., FakeProvider]


@pytest.mark.parametrize("provider", list(WIRES))
def test_a_recording_replays_without_key_and_server(
    provider: str, fake: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = fake(provider)
    reranker = made(provider, server, price=0.5)
    with Recording(tmp_path / "t.sqlite") as recording:
        first = reranker.rerank(QUERY, DOCS, keyed(recording=recording))
    server.__exit__(None, None, None)
    monkeypatch.delenv(ALLOW_PRIVATE)
    meter = SpendMeter(0.0)
    with Recording(tmp_path / "t.sqlite", "replay") as recording:
        again = reranker.rerank(QUERY, DOCS, Context(recording=recording, spend=meter))
    assert again.ranking == first.ranking
    assert again.trace.units == first.trace.units
    assert again.trace.cost == first.trace.cost
    assert meter.spent == 0.0


def test_what_is_not_on_the_recording_is_said_and_never_sent(fake: Start, tmp_path: Path) -> None:
    server = fake("voyage")
    with Recording(tmp_path / "t.sqlite") as recording:
        made("voyage", server).rerank(QUERY, DOCS[:3], keyed(recording=recording))
    with (
        Recording(tmp_path / "t.sqlite", "replay") as recording,
        pytest.raises(BackendError) as caught,
    ):
        made("voyage", server).rerank(QUERY, DOCS, keyed(recording=recording))
    assert "recording holds no answer" in caught.value.message
    assert "record it again" in caught.value.hint
    assert len(server.requests) == 1


def test_a_recording_holds_whole_requests_whatever_the_cache_knows(
    fake: Start, tmp_path: Path
) -> None:
    server, cache = fake("voyage"), ScoreCache(tmp_path / "s.sqlite")
    reranker = made("voyage", server)
    reranker.rerank(QUERY, DOCS[:2], keyed(cache=cache))
    with Recording(tmp_path / "t.sqlite") as recording:
        reranker.rerank(QUERY, DOCS, keyed(cache=cache, recording=recording))
    with Recording(tmp_path / "t.sqlite", "replay") as recording:
        assert len(reranker.rerank(QUERY, DOCS, Context(recording=recording)).ranking) == 4


def test_a_final_refusal_replays_and_a_passing_fault_or_a_bad_key_does_not(
    fake: Start, tmp_path: Path
) -> None:
    server = fake("voyage")
    with Recording(tmp_path / "t.sqlite") as recording:
        for status in (401, 402, 403, 429, 500):
            server.always = Switch(status=status)
            with pytest.raises(BackendError):
                made("voyage", server, retries=0).rerank(QUERY, DOCS, keyed(recording=recording))
        assert len(recording) == 0
        server.always = Switch(status=413, words="far too large")
        with pytest.raises(BackendError):
            made("voyage", server).rerank(QUERY, DOCS, keyed(recording=recording))
        assert len(recording) == 1
    with (
        Recording(tmp_path / "t.sqlite", "replay") as recording,
        pytest.raises(BackendError) as caught,
    ):
        made("voyage", server).rerank(QUERY, DOCS, Context(recording=recording))
    assert "far too large" in caught.value.message


def test_a_recording_travels_as_lines(fake: Start, tmp_path: Path) -> None:
    server = fake("cohere")
    with Recording(tmp_path / "t.sqlite") as recording:
        first = made("cohere", server).rerank(QUERY, DOCS, keyed(recording=recording))
        lines = list(recording.lines())
    assert KEY not in "".join(lines)
    with Recording(tmp_path / "u.sqlite") as other:
        assert other.add_lines(lines) == 1
    with Recording(tmp_path / "u.sqlite", "replay") as other:
        again = made("cohere", server).rerank(QUERY, DOCS, Context(recording=other))
    assert again.ranking == first.ranking


def test_a_bad_line_leaves_the_recording_as_it_was(tmp_path: Path) -> None:
    with Recording(tmp_path / "t.sqlite") as recording:
        recording.record("0" * 64, "x", Response(200, {}, "{}"))
        good = list(recording.lines())
        row = json.loads(good[1])
        bad = [good[0], json.dumps(row | {"status": "200"}), "{", json.dumps(row | {"key": "k"})]
        bad += [json.dumps(row | {"body": "\ud800"}), json.dumps(row | {"status": 10**30})]
        with pytest.raises(InvalidInput) as caught:
            recording.add_lines(bad)
        lines = [problem.split(":")[0] for problem in caught.value.problems]
        assert lines == [f"line {number}" for number in range(2, 7)]
        with pytest.raises(InvalidInput, match="does not begin with"):
            recording.add_lines(['{"format": "other"}'])
        assert len(recording) == 1


def test_only_harmless_headers_are_kept(tmp_path: Path) -> None:
    with Recording(tmp_path / "t.sqlite") as recording:
        sent = {"Set-Cookie": "session=1", "X-Total-Time": "5", "Authorization": "Bearer x"}
        recording.record("0" * 64, "x", Response(200, sent, "{}"))
        kept = recording.play("0" * 64)
    assert kept is not None
    assert kept.headers == {"x-total-time": "5"}


def test_a_file_that_is_no_recording_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.sqlite").write_bytes(b"not a database at all" * 60)
    with pytest.raises(InvalidInput, match="cannot be read"):
        Recording(tmp_path / "t.sqlite", "replay")
    with pytest.raises(InvalidInput, match="There is no recording"):
        Recording(tmp_path / "none.sqlite", "replay")


def test_many_threads_record_on_one_recording(tmp_path: Path) -> None:
    with Recording(tmp_path / "t.sqlite") as recording:

        def record(part: int) -> None:
            for i in range(20):
                recording.record(request_digest("x", "", [part, i]), "x", Response(200, {}, "{}"))

        threads = [threading.Thread(target=record, args=(part,)) for part in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(recording) == 160


def test_a_request_of_many_parts_replays_in_full(fake: Start, tmp_path: Path) -> None:
    docs = [Document(f"d{i}", f"{'capital ' * (i % 5)}of {i}") for i in range(100)]
    server = fake("tei")
    with Recording(tmp_path / "t.sqlite") as recording:
        first = made("tei", server).rerank(QUERY, docs, keyed(recording=recording))
        assert len(recording) == 4
    with Recording(tmp_path / "t.sqlite", "replay") as recording:
        assert (
            made("tei", server).rerank(QUERY, docs, Context(recording=recording)).ranking
            == first.ranking
        )
