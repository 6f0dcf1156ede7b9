"""Several experiments at a time: each gets on, one answer at a time, and the page goes first."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rerank_lab.core.context import CancelToken, Context
from rerank_lab.core.errors import Cancelled
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora import Corpus
from rerank_lab.evaluation.experiments import load_experiment
from rerank_lab.jobs.table import JobState, JobTable
from rerank_lab.jobs.turns import Turns
from rerank_lab.pipeline.engine import Engine, default_engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.services import evaluate
from rerank_lab.services.session import Session
from tests.named_key import NamedKey

COUNT = 40


@pytest.fixture(autouse=True)
def fresh_process(home: Path) -> Iterator[None]:
    default_engine.cache_clear()
    yield
    default_engine.cache_clear()


def corpus() -> Corpus:
    documents = tuple(Document(f"d{number}", f"word{number} more") for number in range(5))
    queries = tuple(Query(f"q{number}", f"word{number % 5}") for number in range(COUNT))
    return Corpus("tiny", documents, queries, {query.id: {"d1": 1} for query in queries})


def test_experiments_get_on_side_by_side_and_the_page_goes_first() -> None:
    session = Session(Engine(), JobTable(), "me")
    page_works, page_is_done = threading.Event(), threading.Event()

    def look_at(ctx: Context) -> str:
        page_works.set()
        page_is_done.wait(20)
        return "drawn"

    page = session.jobs.submit(NamedKey("page"), look_at, lane="cpu", waiter="me")
    assert page_works.wait(5)
    specs = ("bm25(b=0.1)", "bm25(b=0.2)")
    requests = [evaluate.EvaluationRequest((Pipeline(s).spec,), ("RR",)) for s in specs]
    jobs = [evaluate.start(request, corpus(), session) for request in requests]
    time.sleep(0.5)
    running = {job.state for job in jobs}
    done = sum(job.progress.done for job in jobs)
    page_is_done.set()
    assert running == {JobState.RUNNING}, "one waits for the other to end"
    assert done <= 2, "an experiment went on while somebody waited for the page"
    assert page.wait(5) == "drawn"
    for job in jobs:
        assert load_experiment(job.wait(60)).finished


def test_turns_are_taken_one_at_a_time_in_order() -> None:
    turns, taken, at_once = Turns(), [], []
    begin = threading.Barrier(3)

    def work(name: str) -> None:
        begin.wait(5)
        for _ in range(6):
            with turns.turn(lambda: None):
                at_once.append(1)
                assert len(at_once) == 1
                taken.append(name)
                time.sleep(0.005)
                at_once.clear()

    threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(taken) == 18
    assert all(set(taken[start : start + 3]) == set("abc") for start in range(3, 12, 3))


def test_who_is_cancelled_leaves_the_line() -> None:
    turns, token = Turns(), CancelToken()
    token.cancel()
    with (
        turns.turn(lambda: None),
        pytest.raises(Cancelled),
        turns.turn(Context(cancel=token).checkpoint),
    ):
        pytest.fail("had a turn")
    with turns.turn(lambda: pytest.fail("had to wait")):
        pass
