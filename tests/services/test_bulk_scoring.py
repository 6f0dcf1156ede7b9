"""Files of pairs in, Parquet with scores out: the same scores as Python, whatever is killed."""

from __future__ import annotations

import csv
import errno
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rerank_lab.core.context import CancelToken, Context
from rerank_lab.core.errors import Cancelled, InvalidInput, SpendLimit, StorageError
from rerank_lab.core.spend import SpendMeter
from rerank_lab.core.storage import file_lock
from rerank_lab.jobs.table import JobTable
from rerank_lab.jobs.workers import Threads
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.reranking import Stages, rerank_documents
from rerank_lab.remote.urls import ALLOW_PRIVATE, KEY_HOSTS
from rerank_lab.services.bulk_scoring import ScorePairsRequest, run, start
from rerank_lab.services.session import Session
from rerank_lab.testing.provider_servers import KEY, FakeProvider, Switch
from tests import plugins

ROWS = 50


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, object]]:
    return plugins.install(tmp_path / "plugin", monkeypatch)


@pytest.fixture
def engine(calls: list[tuple[str, object]]) -> Engine:
    return Engine()


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """50 pairs of 5 queries; row groups of 7, so that parts and groups do not end together."""
    records = [
        {
            "query": f"query {i % 5}",
            "document": f"document {i} " + "x" * (i % 11),
            "doc_id": f"d{i}",
        }
        for i in range(ROWS)
    ]
    path = tmp_path / "pairs.parquet"
    pq.write_table(pa.Table.from_pylist(records), path, row_group_size=7)
    return path


def request(pairs: Path, **options: Any) -> ScorePairsRequest:
    values = {"reranker": "by-length", "part_rows": 8} | options
    return ScorePairsRequest(pairs, pairs.with_name("scores.parquet"), **values)


def parts(pairs: Path) -> list[Path]:
    return sorted(pairs.parent.glob(".scores.parquet.*.parts/part-*"))


def test_the_scores_are_those_of_python_in_the_order_of_the_pairs(
    pairs: Path, engine: Engine
) -> None:
    done = run(request(pairs), Context(), engine)

    rows = pq.read_table(done.out).to_pylist()
    records = pq.read_table(pairs).to_pylist()
    assert [row["row"] for row in rows] == list(range(1, ROWS + 1))
    assert [row["document_id"] for row in rows] == [f"d{i}" for i in range(ROWS)]
    for row, record in zip(rows, records, strict=True):
        alone = rerank_documents("by-length", record["query"], [record["document"]], None, engine)
        assert alone.ranking is not None
        assert row["score"] == alone.ranking.scores[0]
    assert (done.pairs, done.reused, done.scale) == (ROWS, 0, "characters")
    metadata = pq.read_schema(done.out).metadata
    assert metadata[b"rerank_lab.reranker"] == b"by-length"
    assert list(pairs.parent.glob(".scores*")) == []


def test_csv_and_json_lines_give_the_same_as_parquet(pairs: Path, engine: Engine) -> None:
    expected = pq.read_table(run(request(pairs), Context(), engine).out)["score"].to_pylist()
    records = pq.read_table(pairs).to_pylist()
    lines = pairs.with_name("pairs.jsonl")
    lines.write_text("".join(json.dumps(record) + "\n" for record in records))
    table = pairs.with_name("pairs.csv")
    with table.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(records[0]))
        writer.writeheader()
        writer.writerows(records)
    for path in (lines, table):
        done = run(request(path, replace=True), Context(), engine)
        assert pq.read_table(done.out)["score"].to_pylist() == expected


def test_several_workers_write_the_same_file(pairs: Path, engine: Engine) -> None:
    alone = run(request(pairs), Context(), engine)
    before = pq.read_table(alone.out)
    together = run(request(pairs, replace=True), Context(), engine, Threads(4))
    assert pq.read_table(together.out).equals(before)
    assert (together.pairs, together.reused, together.blank) == (ROWS, 0, alone.blank)


def test_a_cancelled_run_keeps_finished_parts_and_goes_on(
    pairs: Path, engine: Engine, calls: list[tuple[str, object]]
) -> None:
    token = CancelToken()

    def progress(now: Any) -> None:
        if now.message == "scoring pairs" and now.done >= 24:
            token.cancel()

    with pytest.raises(Cancelled):
        run(request(pairs), Context(cancel=token, progress=progress), engine)
    assert len(parts(pairs)) == 3
    assert not pairs.with_name("scores.parquet").exists()

    calls.clear()
    done = run(request(pairs), Context(), engine)
    assert (done.pairs, done.reused) == (ROWS, 24)
    assert sum(int(str(n)) for name, n in calls if name == "by-length") == ROWS - 24


def test_parts_of_other_pairs_or_damaged_ones_are_not_taken_over(
    pairs: Path, engine: Engine
) -> None:
    whole = pq.read_table(run(request(pairs), Context(), engine).out)
    token = CancelToken()
    stop = Context(cancel=token, progress=lambda now: token.cancel() if now.done >= 24 else None)
    with pytest.raises(Cancelled):
        run(request(pairs, replace=True), stop, engine)
    first, second, _ = parts(pairs)
    first.write_bytes(first.read_bytes()[:40])
    second.write_bytes(parts(pairs)[2].read_bytes())

    done = run(request(pairs, replace=True), Context(), engine)
    assert done.reused == 8
    assert pq.read_table(done.out).equals(whole)


def test_parts_that_another_run_has_left_are_removed_when_the_result_is_there(
    pairs: Path, engine: Engine
) -> None:
    token = CancelToken()
    stop = Context(cancel=token, progress=lambda now: token.cancel() if now.done >= 24 else None)
    with pytest.raises(Cancelled):
        run(request(pairs), stop, engine)
    [abandoned] = pairs.parent.glob(".scores.parquet.*.parts")
    at_work = abandoned.with_name(".scores.parquet.123456789abc.parts")
    at_work.mkdir()
    with file_lock(at_work):
        run(request(pairs, part_rows=9), Context(), engine)
        assert [path.name for path in pairs.parent.glob(".scores*.parts")] == [at_work.name]
    assert not list(pairs.parent.glob(f"{abandoned.name}*"))


def test_a_full_disk_is_told_and_what_was_written_is_kept(
    pairs: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = itertools.count(1)
    flush = os.fsync

    def until_full(number: int) -> None:
        if next(written) == 5:  # a part and its folder, and again
            raise OSError(errno.ENOSPC, "No space left on device")
        flush(number)

    monkeypatch.setattr(os, "fsync", until_full)
    with pytest.raises(StorageError, match="The disk is full"):
        run(request(pairs), Context(), engine)
    assert len(parts(pairs)) == 2
    assert run(request(pairs), Context(), engine).reused == 16


def test_of_a_provider_several_queries_are_on_their_way_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ALLOW_PRIVATE, "1")
    monkeypatch.setenv(KEY_HOSTS, "127.0.0.1")
    monkeypatch.setenv("COHERE_API_KEY", KEY)
    records = [{"query": f"word{i}", "document": f"word{i} {i}"} for i in range(16)]
    file = tmp_path / "single.parquet"
    pq.write_table(pa.Table.from_pylist(records), file)
    with FakeProvider("cohere") as server:
        server.always = Switch(delay_s=0.25)
        spec = f'cohere(base_url="{server.url}",price=0.001)'
        asked = ScorePairsRequest(file, tmp_path / "out.parquet", spec)
        begun = time.monotonic()
        run(asked, Context(cache=None), Engine())
        assert time.monotonic() - begun < 16 * 0.25 * 0.75
        server.always = Switch()
        limited = replace(asked, out=tmp_path / "limited.parquet")
        with pytest.raises(SpendLimit):
            run(limited, Context(cache=None, spend=SpendMeter(0.0055)), Engine())
        assert len(server.requests) == 16 + 5


def test_a_killed_run_goes_on_where_it_stopped(tmp_path: Path, engine: Engine) -> None:
    """kill -9 in the middle of a part: the finished ones are taken over, the result is whole."""
    records = [{"query": "q", "document": f"document {i}"} for i in range(40)]
    pairs = tmp_path / "pairs.parquet"
    pq.write_table(pa.Table.from_pylist(records), pairs)
    script = (
        "import sys; from pathlib import Path; from rerank_lab.core.context import Context\n"
        "from rerank_lab.pipeline.engine import Engine\n"
        "from rerank_lab.services.bulk_scoring import ScorePairsRequest, run\n"
        "import lab_test_plugin as plugin, time\n"
        "score = plugin.ByLength.score\n"
        "def slow(self, *given):\n"
        "    time.sleep(0.05)\n"
        "    return score(self, *given)\n"
        "plugin.ByLength.score = slow\n"
        "a = Path(sys.argv[1])\n"
        "run(ScorePairsRequest(a, a.with_name('scores.parquet'), 'by-length', part_rows=2),\n"
        "    Context(), Engine())\n"
    )
    paths = os.pathsep.join([str(tmp_path / "plugin"), *sys.path])
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(pairs)], env=os.environ | {"PYTHONPATH": paths}
    )
    try:
        end = time.monotonic() + 60
        while len(parts(pairs)) < 3 and child.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()

    finished = len(parts(pairs))
    assert 3 <= finished < 20
    done = run(request(pairs, part_rows=2), Context(), engine)
    assert done.reused == 2 * finished
    assert pq.read_table(done.out)["score"].to_pylist() == [
        float(len(record["document"])) for record in records
    ]


def test_only_one_process_scores_into_a_file(pairs: Path, engine: Engine) -> None:
    token = CancelToken()
    stop = Context(cancel=token, progress=lambda now: token.cancel() if now.done >= 24 else None)
    with pytest.raises(Cancelled):
        run(request(pairs), stop, engine)
    (folder,) = pairs.parent.glob(".scores.parquet.*.parts")
    with file_lock(folder), pytest.raises(StorageError, match="in use by another process"):
        run(request(pairs), Context(), engine)


def test_a_document_without_text_has_no_score_and_a_row_without_one_is_left_out(
    tmp_path: Path, engine: Engine
) -> None:
    pairs = tmp_path / "pairs.jsonl"
    records = [{"question": "q", "body": "abc"}, {"question": "q", "body": " "}, {"question": "q"}]
    pairs.write_text("".join(json.dumps(record) + "\n" for record in records))
    columns = (("document", "body"),)
    done = run(request(pairs, columns=columns), Context(), engine)
    assert pq.read_table(done.out)["score"].to_pylist() == [3.0, None]
    assert (done.pairs, done.blank, done.left_out) == (2, 1, 1)
    assert done.problems[0].where == "pairs.jsonl, line 3"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reranker": "loses"}, "looks at the candidates of a query together"),
        ({"reranker": "by-length >> by-length(sign=-1)"}, "scored by one reranker"),
        ({"columns": (("query", "nobody"),)}, "has no column 'nobody'"),
        ({"columns": (("grade", "query"),)}, "has no grade"),
    ],
)
def test_what_cannot_be_scored_is_refused(
    pairs: Path, engine: Engine, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        run(request(pairs, **options), Context(), engine)


def test_a_result_that_is_there_is_not_overwritten(pairs: Path, engine: Engine) -> None:
    run(request(pairs), Context(), engine)
    with pytest.raises(InvalidInput, match="is there already"):
        run(request(pairs), Context(), engine)
    onto_itself = ScorePairsRequest(pairs, pairs, "by-length", replace=True)
    with pytest.raises(InvalidInput, match="take the place of the pairs"):
        run(onto_itself, Context(), engine)


def test_as_a_job_it_reports_progress_and_its_result(pairs: Path, engine: Engine) -> None:
    session = Session(engine, JobTable(), "somebody", spend=SpendMeter())
    job = start(request(pairs), session)
    assert job.wait(20).pairs == ROWS
    assert job.progress.done == ROWS


JOINT = 'jina(model="jina-reranker-v3")'


def test_a_hosted_model_that_reads_documents_together_is_refused(
    pairs: Path, engine: Engine
) -> None:
    """Its class is that of models that score one text; the contract tells, not the class."""
    reranker = engine.reranker(Stages(JOINT).spec.nodes[0])
    assert not reranker.scores_alone
    assert reranker.score_of_text("q", "text", Context()) is None
    with pytest.raises(InvalidInput, match="looks at the candidates"):
        run(request(pairs, reranker=JOINT), Context(), engine)
