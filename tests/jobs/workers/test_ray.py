"""Evaluations and files of pairs on a real Ray cluster: as here, whatever is killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rerank_lab.core.context import CancelToken, Context, Progress
from rerank_lab.core.errors import Cancelled, InvalidInput
from rerank_lab.core.spend import SpendMeter
from rerank_lab.core.types import Document, Query, Status
from rerank_lab.corpora import Corpus
from rerank_lab.evaluation.experiments import (
    Cell,
    Evaluation,
    delete_experiment,
    load_experiment,
    plan,
    run,
)
from rerank_lab.jobs.workers import RayWorkers
from rerank_lab.pipeline.engine import Engine, default_engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.services.bulk_scoring import ScorePairsRequest
from rerank_lab.services.bulk_scoring import run as score_pairs
from rerank_lab.services.indexes import build_all
from rerank_lab.testing.provider_servers import KEY, FakeProvider, Switch

pytestmark = pytest.mark.usefixtures("ray_cluster")
TWO = RayWorkers(2)
PRICE = 0.001


@pytest.fixture(autouse=True)
def fresh_process(home: Path) -> Iterator[None]:
    default_engine.cache_clear()
    yield
    default_engine.cache_clear()


def corpus(queries: int = 12) -> Corpus:
    documents = tuple(Document(f"d{i}", f"word{i} word{i % 3} common") for i in range(8))
    texts = tuple(Query(f"q{i}", f"word{i % 8} common") for i in range(queries))
    return Corpus("tiny", documents, texts, {query.id: {"d3": 2, "d0": 0} for query in texts})


def hosted(server: FakeProvider) -> str:
    return f'bm25 >> cohere(base_url="{server.url}",price={PRICE})'


def outcome(cell: Cell) -> tuple[Any, ...]:
    return cell.status, cell.ranking, cell.failure


def same(one: Evaluation, other: Evaluation) -> None:
    assert one.finished
    assert other.finished
    assert {key: outcome(cell) for key, cell in one.cells.items()} == {
        key: outcome(cell) for key, cell in other.cells.items()
    }


def workers_now() -> list[psutil.Process]:
    """The processes in which actors of this test run."""
    return [
        process
        for process in psutil.Process().children(recursive=True)
        if "WorkerProcess" in " ".join(process.cmdline())
    ]


def test_the_cells_are_those_of_one_process_though_workers_are_killed(
    cohere: FakeProvider, ray_cluster: Any
) -> None:
    specs = ["bm25 >> overlap", hosted(cohere), 'bm25 >> cross-encoder(model="nobody/has-this")']
    planned = plan(corpus(), specs, measures=["RR"])
    here = run(planned, Context(cache=None))
    assert [outcome.measured for outcome in here.outcomes] == [12, 12, 0]
    delete_experiment(planned.id)
    cohere.always = Switch(delay_s=0.1)
    rows: list[Cell] = []

    def kill(cell: Cell) -> None:
        rows.append(cell)
        if len(rows) in (4, 12):
            os.kill(workers_now()[0].pid, signal.SIGKILL)

    there = run(planned, Context(cache=None), on_cell=kill, workers=TWO)
    same(here, there)
    assert len({(one.query_id, one.pipeline) for one in rows}) == len(rows) == 36
    # Beside the queries, what was killed on its way is asked again, and nothing else.
    assert len(cohere.requests) <= 12 + 12 + 2
    folder = Path(ray_cluster._private.worker._global_node.get_session_dir_path())
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if KEY.encode() in path.read_bytes()]


def test_a_cancel_stops_the_workers_and_the_next_run_goes_on(cohere: FakeProvider) -> None:
    planned = plan(corpus(20), [hosted(cohere)], measures=["RR"])
    cohere.always = Switch(delay_s=0.1)
    token = CancelToken()
    engine = Engine()

    def stop(_: Cell) -> None:
        token.cancel()

    with pytest.raises(Cancelled):
        run(planned, Context(cancel=token), engine, on_cell=stop, workers=TWO)
    answered = len(load_experiment(planned.id).cells)
    assert 1 <= answered <= 3
    asked = len(cohere.requests)
    assert run(planned, Context(cache=engine.scores), engine).finished
    assert len(cohere.requests) - asked <= 20 - answered


def test_the_spend_limit_holds_over_all_workers(cohere: FakeProvider) -> None:
    """A request costs PRICE; the limit allows five of them, whoever sends them."""
    planned = plan(corpus(), [hosted(cohere)], measures=["RR"])
    cohere.always = Switch(delay_s=0.05)
    meter = SpendMeter(5.5 * PRICE)
    done = run(planned, Context(spend=meter), workers=TWO)
    status = done.outcomes[0].status
    assert len(cohere.requests) == 5
    assert status[Status.OK] == 5
    assert status[Status.FAILED] == 1
    assert status[Status.SKIPPED] == 6
    assert done.outcomes[0].errors[0].failure.kind == "spend_limit"
    assert meter.spent == pytest.approx(5 * PRICE)


def test_a_file_of_pairs_is_scored_as_here(tmp_path: Path, cohere: FakeProvider) -> None:
    records = [{"query": f"word{i % 5}", "document": f"word{i} word{i % 5}"} for i in range(30)]
    pairs = tmp_path / "pairs.parquet"
    pq.write_table(pa.Table.from_pylist(records), pairs)
    spec = hosted(cohere).removeprefix("bm25 >> ")
    engine, ctx = Engine(), Context(cache=None)
    here = score_pairs(ScorePairsRequest(pairs, tmp_path / "here.parquet", spec), ctx, engine)
    request = ScorePairsRequest(pairs, tmp_path / "there.parquet", spec, part_rows=7)
    there = score_pairs(request, ctx, engine, TWO)
    assert pq.read_table(there.out)["score"].equals(pq.read_table(here.out)["score"])
    assert there.pairs == 30


@pytest.mark.models
def test_an_index_is_that_of_one_process_though_a_worker_is_killed(tmp_path: Path) -> None:
    documents = (Document(f"d{n}", f"word{n} topic{n % 9} common") for n in range(1000))
    many, specs = Corpus("many", tuple(documents)), [Pipeline("dense").spec]
    here, there = Engine(tmp_path / "here"), Engine(tmp_path / "there")
    there.home.mkdir()
    build_all(specs, many, Context(), here)
    killed: list[int] = []

    def kill(now: Progress) -> None:
        if now.message == "embedding documents" and now.done and not killed:
            killed.append(workers_now()[0].pid)
            os.kill(killed[0], signal.SIGKILL)

    [state] = build_all(specs, many, Context(progress=kill), there, TWO)
    assert killed
    assert state.built
    files = [
        {path.name: path.read_bytes() for path in engine.home.glob("indexes/*/*/*.*")}
        for engine in (here, there)
    ]
    assert len(files[0]) > 3
    assert files[0] == files[1]


def test_keys_of_a_session_stay_here(cohere: FakeProvider) -> None:
    planned = plan(corpus(), [hosted(cohere)], measures=["RR"])
    with pytest.raises(InvalidInput, match="typed in"):
        run(planned, Context(secrets={"COHERE_API_KEY": "typed"}), workers=TWO)
