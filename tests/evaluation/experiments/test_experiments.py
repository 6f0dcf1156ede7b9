from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from rerank_lab.core.context import CancelToken, Context, Progress
from rerank_lab.core.errors import Cancelled, InvalidInput
from rerank_lab.core.types import Document, Query, Ranking, Status, Trace
from rerank_lab.corpora import Corpus
from rerank_lab.evaluation.experiments import (
    Cell,
    Design,
    Failure,
    delete_experiment,
    evaluate,
    list_experiments,
    load_experiment,
    plan,
    run,
    score,
)
from rerank_lab.evaluation.experiments.store import CellKey, ExperimentRecord
from rerank_lab.jobs.workers import Threads
from rerank_lab.pipeline.engine import Engine, default_engine
from rerank_lab.pipeline.pipeline import Pipeline
from tests.evaluation.experiments.old_folders import write_old_folder

Calls = list[tuple[str, object]]
A, B = "as-given", "as-given >> by-length"


@pytest.fixture(autouse=True)
def fresh_process(home: Path) -> Iterator[None]:
    """The engine that a process keeps, over this test's data folder."""
    default_engine.cache_clear()
    yield
    default_engine.cache_clear()


def corpus(queries: int = 3) -> Corpus:
    documents = tuple(Document(f"d{i}", "word " * (i + 1)) for i in range(4))
    asked = tuple(Query(f"q{i}", f"question {i}") for i in range(queries))
    qrels = {query.id: {"d3": 2, "d0": 0} for query in asked}
    return Corpus("tiny", documents, asked, qrels)


def design(queries: int, *specs: str, measures: tuple[str, ...] = ("RR", "AP")) -> Design:
    source = corpus(queries)
    return Design(
        "0123456789", "tiny", source.content_hash, specs, source.queries, source.qrels, measures
    )


def cell(query: str, spec: str, order: str, status: Status = Status.OK, **trace: float) -> Cell:
    ranking = Ranking.from_order(query, order.split()) if order else None
    failure = None if ranking else Failure("backend_error", "It broke.", "Mend it.")
    return Cell(query, spec, status, ranking, Trace(**trace), failure)  # type: ignore[arg-type]


def test_measures_of_each_pipeline_per_query_and_as_means(plugin: Calls, home: Path) -> None:
    found = evaluate(corpus(), [A, B], measures=["RR", "nDCG@10", "Judged@10"])

    assert [outcome.pipeline for outcome in found.outcomes] == [A, B]
    assert [outcome.measures["RR"] for outcome in found.outcomes] == [0.25, 1.0]
    assert found.per_query["q1"][A]["RR"] == 0.25
    assert found.by_pipeline[B].measures["Judged@10"] == 0.5
    assert found.outcomes[0].status == {Status.OK: 3}
    assert found.common == ("q0", "q1", "q2")
    assert found.values(B, "RR") == {"q0": 1.0, "q1": 1.0, "q2": 1.0}
    assert found.run(B).rankings["q0"].doc_ids[0] == "d3"
    assert found.finished


def test_the_json_has_the_promised_shape(plugin: Calls) -> None:
    shown = evaluate(corpus(2), [A], measures=["RR"]).to_json()

    (row,) = shown["results"]
    assert set(row) == {"pipeline", "queries", "measures", "status", "latency"}
    assert row["pipeline"] == A
    assert row["queries"] == 2
    assert row["measures"] == {"RR": 0.25}
    assert row["status"]["ok"] == 2
    assert row["status"]["failed"] == 0
    assert set(row["latency"]) == {"p50", "p95"}
    assert 0 < row["latency"]["p50"] <= row["latency"]["p95"]


def test_a_shared_beginning_is_run_once_a_query(plugin: Calls) -> None:
    evaluate(corpus(2), [A, B, f"{A} >> by-length(sign=-1)"])

    assert [call for call in plugin if call[0] == "search"] == [
        ("search", "question 0"),
        ("search", "question 1"),
    ]


def test_a_pipeline_that_fails_everywhere_has_no_number_and_stops_early(plugin: Calls) -> None:
    found = evaluate(corpus(20), [A, f"{A} >> faulty"], measures=["RR"])

    good, bad = found.outcomes
    assert bad.measures == {"RR": None}
    assert bad.latency.p50 is None
    assert bad.status == {Status.FAILED: 3, Status.SKIPPED: 17}
    assert {error.failure.message for error in bad.errors} == {
        "The stage faulty failed: ZeroDivisionError: no such luck"
    }
    assert sum(len(error.query_ids) for error in bad.errors) == 20
    assert good.measures == {"RR": 0.25}
    assert len(found.common) == 20


@pytest.mark.parametrize("workers", [Threads(1), Threads(7)])
def test_several_workers_give_the_same_cells(plugin: Calls, workers: Threads) -> None:
    missing = f'{A} >> cross-encoder(model="nobody/has-this-model")'
    planned = plan(corpus(20), [A, f"{A} >> faulty", B, missing], measures=["RR"])
    alone = run(planned, Context(cache=None))
    delete_experiment(planned.id)
    ran: list[Cell] = []
    together = run(planned, Context(cache=None), on_cell=ran.append, workers=workers)

    assert len({(one.query_id, one.pipeline) for one in ran}) == len(ran) == 80
    assert together.finished
    for key, one in alone.cells.items():
        other = together.cells[key]
        assert (one.status, one.ranking, one.failure) == (
            other.status, other.ranking, other.failure
        )  # fmt: skip
    assert load_experiment(planned.id).cells == together.cells


def test_a_missing_model_is_asked_for_once(plugin: Calls) -> None:
    plan_ = plan(corpus(5), [A, f'{A} >> cross-encoder(model="nobody/has-this-model")'])
    bad = run(plan_).outcomes[1]

    assert bad.status == {Status.FAILED: 1, Status.SKIPPED: 4}
    assert {error.failure.kind for error in bad.errors} == {"model_unavailable"}


def test_only_answers_are_scored_and_both_counts_are_stated() -> None:
    cells = [
        cell("q0", "a", "d3"),
        cell("q1", "a", "d0 d3"),
        cell("q2", "a", "d3"),
        cell("q3", "a", "d3"),
        cell("q0", "b", "d3"),
        cell("q1", "b", "", Status.FAILED),
        cell("q2", "b", "d0 d1 d2 d3", Status.FALLBACK),
        cell("q3", "b", "d1 d2 d0 d3", Status.REPAIRED),
        cell("q0", "c", "", Status.FAILED),
    ]
    found = score(design(4, "a", "b", "c"), cells)

    assert found.by_pipeline["a"].measures["RR"] == (1 + 0.5 + 1 + 1) / 4
    b = found.by_pipeline["b"]
    assert (b.queries, b.answered, b.measured, b.pending) == (4, 2, 2, 0)
    assert b.measures["RR"] == (1 + 0.25) / 2
    assert found.common == ("q0", "q3")
    assert found.common_measures["a"]["RR"] == 1.0
    assert found.common_measures["b"]["RR"] == (1 + 0.25) / 2
    assert found.common_measures["c"] == {"RR": None, "AP": None}
    assert found.values("a", "RR", common=True) == {"q0": 1.0, "q3": 1.0}
    assert found.by_pipeline["c"].pending == 3
    assert not found.finished
    assert found.to_json()["common"]["queries"] == 2


def test_an_answer_without_documents_is_scored_as_nothing_found() -> None:
    empty = Cell("q0", "a", Status.OK, Ranking.from_order("q0", []))

    assert score(design(1, "a"), [empty]).outcomes[0].measures == {"RR": 0.0, "AP": 0.0}


def test_latency_leaves_out_loading_and_whatever_a_cache_answered() -> None:
    cells = [
        cell("q0", "a", "d3", load_s=9.0, compute_s=1.0),
        cell("q1", "a", "d3", compute_s=2.0, network_s=1.0),
        cell("q2", "a", "d3", Status.CACHED, compute_s=0.0),
        cell("q3", "a", "d3", compute_s=0.1, cache_hits=1),
        cell("q4", "a", "", Status.FAILED, compute_s=7.0),
    ]
    latency = score(design(5, "a"), cells).outcomes[0].latency

    assert (latency.p50, latency.cells) == (2.0, 2)
    assert latency.p95 == pytest.approx(2.9)


def test_a_second_run_does_no_work_and_gives_the_same(plugin: Calls) -> None:
    first = evaluate(corpus(), [A, B])
    plugin.clear()
    again = run(plan(corpus(), [A, B]), engine=Engine())
    opened = load_experiment(first.id)

    assert plugin == []
    assert first.to_json() == again.to_json() == opened.to_json()
    assert opened.run(B) == first.run(B)


@pytest.mark.usefixtures("lab_database")
def test_an_experiment_runs_in_either_database_and_goes_on(plugin: Calls) -> None:
    planned, stopped = plan(corpus(), [A, B]), Engine()

    def stop(_: Cell) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        run(planned, engine=stopped, on_cell=stop)
    assert len(load_experiment(planned.id).cells) == 1
    assert run(planned, engine=Engine()).finished
    assert len(ExperimentRecord(planned.id).environments()) == 1


def test_without_a_cache_everything_is_measured_again(plugin: Calls) -> None:
    evaluate(corpus(), [A])
    plugin.clear()
    found = evaluate(corpus(), [A], ctx=Context(cache=None))

    assert [call[0] for call in plugin].count("search") == 3
    assert found.outcomes[0].latency.cells == 3
    assert len(load_experiment(found.id).cells) == 3


def test_failed_cells_are_tried_again(plugin: Calls) -> None:
    planned = plan(corpus(2), [A])
    run(planned)
    broken = Cell("q1", A, Status.FAILED, failure=Failure("backend_error", "Gone.", "Wait."))
    ExperimentRecord(planned.id).writer(planned.design).add(broken)

    assert load_experiment(planned.id).outcomes[0].status == {Status.OK: 1, Status.FAILED: 1}
    assert run(planned).outcomes[0].status == {Status.OK: 2}
    assert load_experiment(planned.id).outcomes[0].status == {Status.OK: 2}


def test_an_old_folder_with_a_torn_line_is_gone_on_with(plugin: Calls, home: Path) -> None:
    planned = plan(corpus(), [A])
    whole = score(planned.design, [cell(f"q{n}", A, "d0 d1 d2 d3") for n in range(3)])
    file = write_old_folder(home, planned.design, whole.cells.values())
    file.write_bytes(file.read_bytes()[:-40])

    again = run(planned, engine=Engine())
    assert [call for call in plugin if call[0] == "search"] == [("search", "question 2")]
    assert again.outcomes[0].measures == whole.outcomes[0].measures
    assert load_experiment(planned.id).finished


def test_cancel_keeps_what_is_done(plugin: Calls) -> None:
    token = CancelToken()
    seen: list[Progress] = []

    def progress(now: Progress) -> None:
        seen.append(now)
        if now.message == "evaluating" and now.done == 3:
            token.cancel()

    engine = Engine()
    planned = plan(corpus(4), [A, B])
    with pytest.raises(Cancelled):
        run(planned, Context(cache=engine.scores, cancel=token, progress=progress), engine)

    kept = load_experiment(planned.id)
    assert len(kept.cells) == 3
    assert [outcome.pending for outcome in kept.outcomes] == [2, 3]
    assert {now.total for now in seen} == {8}
    finished = run(planned)
    assert finished.finished
    assert finished.outcomes[1].measures["RR@10"] == 1.0


def test_each_cell_is_told_when_it_is_done(plugin: Calls) -> None:
    told: list[tuple[str, str]] = []
    run(plan(corpus(2), [A, B]), on_cell=lambda c: told.append((c.query_id, c.pipeline)))

    assert told == [("q0", A), ("q0", B), ("q1", A), ("q1", B)]


def test_the_id_belongs_to_documents_queries_and_pipelines(plugin: Calls) -> None:
    base = plan(corpus(), [A, B]).id

    assert plan(corpus(), [A, f" {A} >> by-length( sign = 1 ) "]).id == base
    assert plan(corpus(), [A, B], measures=["AP"]).id == base
    assert plan(replace(corpus(), name="renamed"), [A, B]).id == base
    assert plan(corpus(2), [A, B]).id != base
    assert plan(corpus(), [A]).id != base
    assert plan(corpus(), [A, f"{A} >> by-length(sign=-1)"]).id != base
    other = replace(corpus(), documents=corpus().documents[:3])
    assert plan(other, [A, B]).id != base


def test_a_changed_component_is_another_experiment(plugin: Calls, tmp_path: Path) -> None:
    file = tmp_path / "given.run"
    file.write_text("q0 Q0 d1 1 2.0 tag\n")
    spec = f'run(path="{file}")'
    before = plan(corpus(1), [spec]).id
    file.write_text("q0 Q0 d2 1 2.0 tag\n")

    assert plan(corpus(1), [spec], engine=Engine()).id != before


def test_the_date_is_of_the_first_run(plugin: Calls) -> None:
    planned = plan(corpus(1), [A])
    run(replace(planned, design=replace(planned.design, created_at="2020-01-01T00:00:00+00:00")))
    run(planned)

    assert load_experiment(planned.id).design.created_at == "2020-01-01T00:00:00+00:00"


def test_judged_queries_are_asked_and_the_rest_named(plugin: Calls) -> None:
    base = corpus(3)
    part = replace(base, qrels={"q1": {"d3": 1}, "q2": {}, "q9": {"d1": 1}})

    planned = plan(part, [A]).design
    assert [query.id for query in planned.queries] == ["q1"]
    assert planned.unasked == ("q9",)
    unjudged = evaluate(replace(base, qrels={}), [A])
    assert unjudged.outcomes[0].queries == 3
    assert set(unjudged.outcomes[0].measures.values()) == {None}
    assert unjudged.outcomes[0].latency.p50 is not None


def test_a_plan_that_cannot_work_is_refused_before_any_work(plugin: Calls) -> None:
    with pytest.raises(InvalidInput, match="no query"):
        plan(corpus(0), [A])
    with pytest.raises(InvalidInput, match="No pipeline"):
        plan(corpus(), [])
    with pytest.raises(InvalidInput, match="nDGC"):
        plan(corpus(), [A], measures=["nDGC@10"])
    with pytest.raises(InvalidInput, match="more than once"):
        plan(corpus(), [A], queries=[Query("q0", "x"), Query("q0", "y")])
    with pytest.raises(InvalidInput) as caught:
        plan(corpus(), ["as-gven", f"{A} >> by-lenght"])
    assert len(caught.value.problems) == 2
    assert plugin == []
    assert list_experiments() == []


def test_experiments_are_listed_latest_first_and_deleted(plugin: Calls) -> None:
    first, second = evaluate(corpus(1), [A]), evaluate(corpus(2), [A])

    listed = list_experiments()
    assert {entry.id for entry in listed} == {first.id, second.id}
    assert listed[0].updated >= listed[1].updated
    assert {entry.id: entry.cells for entry in listed}[second.id] == 2
    delete_experiment(first.id)
    assert [entry.id for entry in list_experiments()] == [second.id]
    with pytest.raises(InvalidInput, match="no experiment"):
        load_experiment(first.id)
    for wrong in ("../../etc", "", "ABC"):
        with pytest.raises(InvalidInput, match="not the id"):
            load_experiment(wrong)
        with pytest.raises(InvalidInput, match="not the id"):
            delete_experiment(wrong)


SLOW = """
import time
from rerank_lab.evaluation.experiments import plan, run
from tests.evaluation.experiments.test_experiments import A, corpus

def on_cell(cell):
    print(cell.query_id, flush=True)
    time.sleep(0.05)

run(plan(corpus(200), [A]), on_cell=on_cell)
"""


def test_a_killed_run_goes_on_where_it_stopped(plugin: Calls, home: Path, tmp_path: Path) -> None:
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), os.getcwd()])}
    child = subprocess.Popen(
        [sys.executable, "-c", SLOW], env=env, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    seen = [child.stdout.readline().strip() for _ in range(5)]
    child.send_signal(signal.SIGKILL)
    child.wait(10)
    child.stdout.close()

    planned = plan(corpus(200), [A])
    kept = load_experiment(planned.id)
    assert seen[0] == "q0"
    assert 5 <= len(kept.cells) < 200
    plugin.clear()
    start = time.monotonic()
    assert run(planned).finished
    assert len([call for call in plugin if call[0] == "search"]) == 200 - len(kept.cells)
    assert time.monotonic() - start < 20


def test_nothing_waits_to_be_written_while_a_slow_answer_is_made(plugin: Calls, home: Path) -> None:
    planned = plan(corpus(6), [A, B])
    made: list[str] = []
    unwritten: list[int] = []

    @contextmanager
    def turn(pipeline: Pipeline) -> Iterator[None]:
        if str(pipeline) == B:
            unwritten.append(len(made) - ExperimentRecord(planned.id).state().changes)
            time.sleep(0.03)
        yield
        made.append(str(pipeline))

    told: list[Cell] = []
    assert run(planned, on_cell=told.append, turn=turn).finished
    assert unwritten == [0] * 6
    assert [one.pipeline for one in told] == [A, B] * 6


def test_a_run_does_not_read_its_own_answers_back(
    plugin: Calls, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[int] = []
    original = ExperimentRecord.cells_since

    def counted(
        record: ExperimentRecord, design: Design, changes: int = 0
    ) -> tuple[dict[CellKey, Cell], int]:
        reads.append(changes)
        return original(record, design, changes)

    monkeypatch.setattr(ExperimentRecord, "cells_since", counted)
    monkeypatch.setattr(sys.modules[run.__module__], "_LOOK_S", 0.0)
    planned = plan(corpus(8), [A, B])
    assert run(planned).finished
    assert reads == []
    assert run(planned).finished
    assert reads == [0]
