"""Sixteen slow calls in flight: what else the app does goes on, other sessions' calls too."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rerank_lab.components.base import Info
from rerank_lab.components.registry import expand
from rerank_lab.core.context import Context
from rerank_lab.core.types import Document, Query, Status
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.jobs.table import Job, JobTable
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.services.cost_estimates import calls_out
from rerank_lab.testing.chat_server import FakeChat, sorter
from rerank_lab.testing.provider_servers import FakeProvider, Switch, overlap
from tests.named_key import NamedKey
from tests.rerankers.hosted.conftest import keyed

Start = Callable[..., FakeProvider]
CORPUS = Corpus("facts", tuple(Document(f"d{i}", f"Paris is number {i}") for i in range(8)))
SLOW_S = 3.0


@pytest.mark.parametrize("kind", ["voyage", "listwise", "pointwise-llm"])
def test_sixteen_slow_calls_hold_up_nobody_else(kind: str, fake: Start, tmp_path: Path) -> None:
    engine, table = Engine(tmp_path), JobTable()
    quick = fake("jina")

    def start(spec: str, query: str, waiter: str) -> Job:
        pipeline = Pipeline(spec)

        def work(ctx: Context) -> Any:
            return pipeline.run(Query.of(query), CORPUS, ctx, engine)

        key = NamedKey(f"{spec} {query}")
        return table.submit(key, work, lane="light", by_stage=True, waiter=waiter, ctx=keyed())

    with FakeChat(sorter(overlap), keys=()) as chat:
        slow: Any = fake("voyage") if kind == "voyage" else chat
        slow.always = Switch(delay_s=SLOW_S)
        begun = time.monotonic()
        waiting = [
            start(f'bm25 >> {kind}(base_url="{slow.url}")', f"paris {i}", "anna") for i in range(16)
        ]
        while len(slow.requests) < 16:
            assert time.monotonic() - begun < SLOW_S, "sixteen calls do not run side by side"
            time.sleep(0.01)
        others = [
            start("bm25", "paris", "ben"),
            start("bm25 >> overlap", "paris", "ben"),
            start(f'bm25 >> jina(base_url="{quick.url}")', "paris", "ben"),
        ]
        assert [job.wait(20).status for job in others] == [Status.OK] * 3
        assert {job.lane for job in others} == {"light", "cpu", "network"}
        assert not any(job.state.ended for job in waiting), "the quick ones waited for the slow"
        assert [job.wait(20).status for job in waiting] == [Status.OK] * 16


@pytest.mark.parametrize("name", ["listwise", "pairwise", "setwise", "pointwise-llm"])
def test_a_language_model_in_this_process_counts_as_its_work(name: str) -> None:
    local, served = (Pipeline(f"bm25 >> {name}{more}") for more in ('(backend="local")', ""))
    assert (calls_out(local.spec), calls_out(served.spec)) == (False, True)
    both = Pipeline(f'bm25 >> {name} >> {name}(backend="local",top=3)')
    lanes = [info.lane_of(options) for info, options in expanded(both)]
    assert lanes == ["network", "cpu"]


def expanded(pipeline: Pipeline) -> list[tuple[Info, dict[str, Any]]]:
    return [expand(node, "reranker") for node in pipeline.spec.stages]


def test_a_local_stage_frees_its_lane_while_the_next_one_waits_for_the_network(
    fake: Start, tmp_path: Path
) -> None:
    engine, table, slow = Engine(tmp_path), JobTable(), fake("voyage")
    slow.always = Switch(delay_s=SLOW_S)

    def start(spec: str) -> Job:
        def work(ctx: Context) -> Any:
            return Pipeline(spec).run(Query.of("paris"), CORPUS, ctx, engine)

        return table.submit(NamedKey(spec), work, lane="light", by_stage=True, ctx=keyed())

    first = start(f'bm25 >> overlap >> voyage(base_url="{slow.url}")')
    while not slow.requests:
        time.sleep(0.01)
    assert first.holds == "network"
    assert start("bm25 >> mmr").wait(SLOW_S / 2).status is Status.OK
    assert not first.state.ended, "the local pipeline waited for the network of another"
    assert first.wait(20).status is Status.OK
