"""Hosted rerankers in pipelines and jobs: trouble stays in its column, many run side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rerank_lab.core.context import Context
from rerank_lab.core.types import Document, Query, Status
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.jobs.table import JobTable
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.remote.recordings import Recording
from rerank_lab.testing.provider_servers import KEY, FakeProvider, Switch
from tests.named_key import NamedKey
from tests.rerankers.hosted.conftest import keyed

Start = Callable[..., FakeProvider]
CORPUS = Corpus(
    "facts",
    tuple(
        Document(f"d{i}", f"{'Paris is the capital' if i % 3 else 'Bananas are'} of number {i}")
        for i in range(30)
    ),
)


def test_the_failure_of_one_column_leaves_the_others_alone(fake: Start, tmp_path: Path) -> None:
    good, bad = fake("voyage"), fake("jina")
    bad.always = Switch(status=402, words="no credit")
    engine = Engine(tmp_path)
    ctx = replace(keyed(), cache=engine.scores)
    specs = [
        f'bm25 >> voyage(base_url="{good.url}")',
        f'bm25 >> jina(base_url="{bad.url}")',
        'bm25 >> tei(base_url="http://127.0.0.1:9",retries=0)',
    ]
    table = JobTable()
    jobs = [
        table.submit(
            NamedKey(spec),
            lambda ctx, spec=spec: Pipeline(spec).run("capital number", CORPUS, ctx, engine),  # type: ignore[misc]
            lane="light",
            by_stage=True,
            ctx=ctx,
        )
        for spec in specs
    ]
    results = [job.wait(30) for job in jobs]
    assert [r.status for r in results] == [Status.OK, Status.FAILED, Status.FAILED]
    assert "no credit" in results[1].error.message
    assert results[1].ranking is None
    assert "connection" in results[2].error.message
    assert {job.lane for job in jobs} == {"network"}


def test_a_finished_job_holds_no_key(fake: Start, tmp_path: Path) -> None:
    server, engine = fake("voyage"), Engine(tmp_path)
    spec = f'bm25 >> voyage(base_url="{server.url}")'
    job = JobTable().submit(
        NamedKey(spec), lambda ctx: Pipeline(spec).run("capital", CORPUS, ctx, engine), ctx=keyed()
    )
    job.wait(30)
    assert job.ctx.secrets == {}


def test_sixteen_in_flight_give_what_one_after_the_other_gives(fake: Start, tmp_path: Path) -> None:
    server, engine = fake("cohere"), Engine(tmp_path)
    server.always = Switch(delay_s=0.02, order="reversed")
    pipeline = Pipeline(f'bm25 >> cohere(base_url="{server.url}")')
    queries = [Query.of(f"capital of number {i}") for i in range(32)]
    alone = [pipeline.run(q, CORPUS, keyed(), engine).ranking for q in queries]
    table = JobTable()
    jobs = [
        table.submit(
            NamedKey(q.id),
            lambda ctx, q=q: pipeline.run(q, CORPUS, ctx, engine),  # type: ignore[misc]
            lane="network",
            ctx=keyed(),
        )
        for q in queries
    ]
    assert [job.wait(30).ranking for job in jobs] == alone
    assert all(alone)


def test_a_pipeline_replays_from_a_recording_even_after_it_ran(fake: Start, tmp_path: Path) -> None:
    server, engine = fake("voyage"), Engine(tmp_path)
    pipeline = Pipeline(f'bm25 >> voyage(base_url="{server.url}")')
    plain = replace(keyed(), cache=engine.scores)
    before = pipeline.run("capital", CORPUS, plain, engine)
    with Recording(tmp_path / "t.sqlite") as recording:
        pipeline.run("capital", CORPUS, replace(plain, recording=recording), engine)
        assert len(recording) == 1
    server.__exit__(None, None, None)
    with Recording(tmp_path / "t.sqlite", "replay") as recording:
        other = Engine(tmp_path / "elsewhere")
        again = pipeline.run(
            "capital", CORPUS, Context(cache=other.scores, recording=recording), other
        )
    assert again.ranking == before.ranking


def test_a_key_in_the_specs_place_is_refused(fake: Start) -> None:
    problems = Pipeline(f'bm25 >> voyage(base_url="https://x:{KEY}@example.com")').check()
    assert [KEY in str(problem) for problem in problems] == [False]


@pytest.mark.parametrize("name", ["cohere", "tei"])
def test_what_stops_it_is_found_by_check(name: str) -> None:
    found = Pipeline(f"bm25 >> {name}").check()
    assert len(found) == (1 if name == "tei" else 0)
