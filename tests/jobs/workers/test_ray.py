"""Evaluations and files of pairs on a real Ray cluster: as here, whatever is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rerank_lab.cli import main
from rerank_lab.cli.output import Output
from rerank_lab.core.context import CancelToken, Context, Progress
from rerank_lab.core.errors import Cancelled, InvalidInput, LabError
from rerank_lab.core.paths import data_home
from rerank_lab.core.spend import SpendMeter
from rerank_lab.core.types import Document, Query, Status
from rerank_lab.corpora import Corpus, load_corpus
from rerank_lab.evaluation.experiments import (
    Cell,
    Evaluation,
    delete_experiment,
    load_experiment,
    plan,
    run,
)
from rerank_lab.jobs.workers import RayWorkers, answers, schedule
from rerank_lab.pipeline.engine import Engine, default_engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.services.bulk_scoring import ScorePairsRequest
from rerank_lab.services.bulk_scoring import run as score_pairs
from rerank_lab.services.indexes import build_all
from rerank_lab.testing.provider_servers import KEY, FakeProvider, Switch
from tests.jobs.workers.conftest import STORE_BYTES

pytestmark = pytest.mark.usefixtures("ray_cluster")
TWO = RayWorkers(2)
PRICE = 0.001


class Watched(RayWorkers):
    """Workers whose pools a test can reach into."""

    pools: ClassVar[list[Any]] = []

    @contextmanager
    def pool(self, work: Any, ctx: Context, engine: Engine) -> Iterator[Any]:
        with super().pool(work, ctx, engine) as pool:
            self.pools[:] = [pool]
            yield pool


@dataclass(frozen=True)
class GpuWork:
    """Answers with the GPUs that a worker sees."""

    local_models = True

    def open(self, engine: Engine) -> Callable[[int, Context], str]:
        return lambda task, ctx: os.environ.get("CUDA_VISIBLE_DEVICES", "")

    def failed(self, task: int, error: LabError) -> str:
        raise error


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

    workers = Watched(2)

    def kill(cell: Cell) -> None:
        rows.append(cell)
        if len(rows) == 4:
            os.kill(workers_now()[0].pid, signal.SIGKILL)
        if len(rows) == 12:
            ray_cluster.ray.kill(next(iter(workers.pools[0]._actors.values())).handle)

    there = run(planned, Context(cache=None), on_cell=kill, workers=workers)
    same(here, there)
    assert len({(one.query_id, one.pipeline) for one in rows}) == len(rows) == 36
    # Beside the queries, what was killed on its way is asked again, and nothing else.
    assert len(cohere.requests) <= 12 + 12 + 2
    folder = Path(ray_cluster.machines.head_node.get_session_dir_path())
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
def test_an_index_is_that_of_one_process_though_a_worker_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = tmp_path / "rows.jsonl"
    lines = (json.dumps({"id": f"d{n}", "text": f"word{n} topic{n % 9}"}) for n in range(1000))
    rows.write_text("\n".join(lines))
    here = Engine(tmp_path / "here")
    killed: list[int] = []

    def kill(self: Output, now: Progress) -> None:
        if now.message == "embedding documents" and now.done and not killed:
            killed.append(workers_now()[0].pid)
            os.kill(killed[0], signal.SIGKILL)

    monkeypatch.setattr(Output, "progress", kill)
    assert main(["corpora", "import", str(rows), "--name", "mine"]) == 0
    build_all([Pipeline("dense").spec], load_corpus("mine"), Context(), here)
    assert main(["index", "mine", "-p", "dense", "--workers", "ray:2"]) == 0
    assert killed
    files = [
        {path.name: path.read_bytes() for path in home.glob("indexes/*/*/*.*")}
        for home in (here.home, data_home())
    ]
    assert len(files[0]) > 3
    assert files[0] == files[1]


def test_a_worker_that_hangs_holds_nobody_up(
    cohere: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its queries are run by the other as well, and their requests count within the limit."""
    monkeypatch.setattr(schedule, "SLOW_S", 0.5)
    planned = plan(corpus(), [hosted(cohere)], measures=["RR"])
    here = run(planned, Context(cache=None))
    delete_experiment(planned.id)
    cohere.requests.clear()
    cohere.always = Switch(delay_s=0.1)
    stopped: list[psutil.Process] = []

    def hang(_: Cell) -> None:
        if not stopped:
            stopped.append(workers_now()[0])
            stopped[0].suspend()

    meter = SpendMeter(14 * PRICE)
    try:
        there = run(planned, Context(cache=None, spend=meter), on_cell=hang, workers=TWO)
    finally:
        for process in stopped:
            with suppress(psutil.NoSuchProcess):
                process.resume()
    same(here, there)
    assert stopped
    assert 12 <= len(cohere.requests) <= 14
    assert meter.spent <= 14 * PRICE


def test_gpus_are_shared_out_and_a_machine_that_is_lost_costs_only_its_open_queries(
    cohere: FakeProvider, ray_cluster: Any
) -> None:
    machine = ray_cluster.machines.add_node(num_cpus=1, num_gpus=2, object_store_memory=STORE_BYTES)
    work = GpuWork()
    with RayWorkers().pool(work, Context(), Engine()) as pool:
        while len(pool.workers()) < 2:
            pool.wait(0.1)
        lots = iter([iter([number]) for number in range(12)])
        assert {gpu for _, gpu in answers(work, pool, lots, Context())} == {"0", "1"}
    planned = plan(corpus(20), [hosted(cohere)], measures=["RR"])
    here = run(planned, Context(cache=None))
    delete_experiment(planned.id)
    cohere.always = Switch(delay_s=0.1)
    rows: list[Cell] = []

    def lose(cell: Cell) -> None:
        rows.append(cell)
        if len(rows) == 8:
            ray_cluster.machines.remove_node(machine)

    same(here, run(planned, Context(cache=None), on_cell=lose, workers=RayWorkers(4)))
    assert len(rows) == 20


def test_commands_take_workers_on_ray(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ray_cluster: Any
) -> None:
    file = tmp_path / "experiment.yaml"
    text = "corpus: helpdesk\npipelines:\n  ours: bm25(k=7) >> overlap\nmeasures: [nDCG@10, RR]\n"
    file.write_text(text)
    assert main(["experiment", "run", str(file), "--workers", "ray:2"]) == 0
    there = capsys.readouterr()
    assert "2 workers on Ray" in there.err
    assert main(["experiment", "run", str(file), "--no-cache"]) == 0
    measured = next(line for line in there.out.splitlines() if "ours" in line).split()[:6]
    assert " ".join(measured) in " ".join(capsys.readouterr().out.split())
    # From a process that knows no more of the cluster than its address.
    words = ["evaluate", "helpdesk", "-p", "bm25(k=9) >> overlap", "--json"]
    there_too = ["--workers", "ray:2", "--ray-address", ray_cluster.machines.address]
    done = subprocess.run(
        [sys.executable, "-m", "rerank_lab", *words, *there_too],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert main([*words, "--no-cache"]) == 0
    here = json.loads(capsys.readouterr().out)
    assert json.loads(done.stdout)["results"][0]["measures"] == here["results"][0]["measures"]


def test_keys_of_a_session_stay_here(cohere: FakeProvider) -> None:
    planned = plan(corpus(), [hosted(cohere)], measures=["RR"])
    with pytest.raises(InvalidInput, match="typed in"):
        run(planned, Context(secrets={"COHERE_API_KEY": "typed"}), workers=TWO)
