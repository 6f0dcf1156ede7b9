"""An experiment in a data folder that other processes use, that is full, or that is read-only."""

from __future__ import annotations

import errno
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from rerank_lab.cli import main
from rerank_lab.core.paths import HOME_VARIABLE
from rerank_lab.evaluation.experiments import list_experiments, load_experiment
from rerank_lab.pipeline.engine import default_engine

COMMAND = ("evaluate", "helpdesk", "-p", "bm25", "bm25(k=20) >> overlap", "-m", "nDCG@10",
           "--limit", "10", "--json")  # fmt: skip

TOGETHER = """
import json, sys, time
from contextlib import contextmanager
from pathlib import Path
from rerank_lab import load_corpus
from rerank_lab.evaluation.experiments import plan, run

me, folder = sys.argv[1], Path(sys.argv[2])
planned = plan(load_corpus("helpdesk"), ["bm25(k=20)"], measures=["nDCG@10"])
(folder / me).touch()
while len(list(folder.iterdir())) < 2:
    time.sleep(0.01)
ran = []

@contextmanager
def slowly(pipeline):
    time.sleep(0.03)
    yield

done = run(planned, on_cell=lambda cell: ran.append(cell.query_id), turn=slowly)
print(json.dumps([done.finished, done.unkept, ran, done.outcomes[0].measures["nDCG@10"]]))
"""


@pytest.fixture(autouse=True)
def fresh_process(home: Path) -> None:
    default_engine.cache_clear()


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.getcwd()}


def test_two_processes_share_the_work_of_one_experiment(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    ready.mkdir()
    children = [
        subprocess.Popen([sys.executable, "-c", TOGETHER, name, str(ready)], text=True,
                         env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for name in ("one", "other")
    ]  # fmt: skip
    outputs = [child.communicate(timeout=60) for child in children]
    assert [child.returncode for child in children] == [0, 0], outputs
    first, second = (json.loads(out) for out, _ in outputs)
    assert first[:2] == second[:2] == [True, ""]
    assert first[3] == second[3]
    assert set(first[2]) | set(second[2]) == {query.id for query in planned_queries()}
    assert first[2]
    assert second[2]
    assert len(set(first[2]) & set(second[2])) <= 2, "the work was done twice"
    [entry] = list_experiments()
    assert load_experiment(entry.id).outcomes[0].measures["nDCG@10"] == first[3]


def planned_queries() -> list[object]:
    [entry] = list_experiments()
    return list(entry.design.queries)


def measured(text: str) -> list[float]:
    return [one["measures"]["nDCG@10"] for one in json.loads(text)["results"]]


@pytest.fixture
def usual(capsys: pytest.CaptureFixture[str]) -> list[float]:
    """The values where results can be kept."""
    assert main(COMMAND) == 0
    default_engine.cache_clear()
    return measured(capsys.readouterr().out)


def test_a_full_disk_is_named_and_the_evaluation_goes_on(
    usual: list[float], tmp_path: Path
) -> None:
    full = tmp_path / "full"

    def no_large_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, 4_000))

    child = subprocess.run(
        [sys.executable, "-m", "rerank_lab", *COMMAND],
        env=environment() | {HOME_VARIABLE: str(full)},
        preexec_fn=no_large_files,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    assert measured(child.stdout) == usual
    reason = json.loads(child.stdout)["not_kept"]
    # SQLite cannot tell a limit on the size of files from a broken disk.
    assert reason.startswith(f"'lab.db' cannot be opened or written in the folder {full}: disk")
    assert "B free)" in reason


def test_a_read_only_data_folder_is_named_and_the_evaluation_goes_on(
    usual: list[float],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "read-only"
    folder.mkdir(mode=0o555)
    if os.access(folder, os.W_OK):  # root may write anywhere but on a read-only file system
        folder = Path("/sys/rerank-lab")
    try:
        (folder / "probe").mkdir(parents=True)
    except PermissionError:
        pass
    except OSError as error:
        if error.errno != errno.EROFS:
            pytest.skip("no folder here is read-only")
    else:
        pytest.skip("no folder here is read-only")
    monkeypatch.setenv(HOME_VARIABLE, str(folder))
    assert main(COMMAND) == 0
    out = capsys.readouterr().out
    assert measured(out) == usual
    reason = json.loads(out)["not_kept"]
    assert f"the folder {folder}" in reason
    assert "it is read-only or belongs to someone else" in reason
    assert "B free)" in reason
    default_engine.cache_clear()
