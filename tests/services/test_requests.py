"""The requests of the services: values that can be compared and written down, and one way in."""

from __future__ import annotations

import ast
from pathlib import Path

import msgspec
import pytest

import rerank_lab
from rerank_lab.core.context import Context
from rerank_lab.core.types import Query
from rerank_lab.corpora import load_corpus
from rerank_lab.decision.cost import CostTerms, TypedPrice
from rerank_lab.evaluation.load.run import LoadPlan
from rerank_lab.jobs.table import JobTable
from rerank_lab.pipeline.engine import default_engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.services import calibrate, compare, cost, evaluate, health, load, train
from rerank_lab.services.session import Session

SPEC = Pipeline("bm25 >> overlap").spec
REQUESTS = [
    compare.CompareRequest(Query.of("reset a password"), SPEC, depth=20),
    evaluate.EvaluationRequest((SPEC,), measures=("nDCG@10",), limit=12),
    calibrate.CalibrationRequest(SPEC, grade=2),
    train.TrainingRequest(Pipeline("bm25 >> ltr(bm25,overlap)").spec, "mine"),
    load.LoadRequest(SPEC, LoadPlan(rate=7.0, bound=0.3), "0123456789abcdef"),
    cost.CostRequest((SPEC,), CostTerms(usd_per_hour=0.5, prices=(TypedPrice("m", "price", 1.0),))),
    health.HealthRequest("cross-encoder", (("model", "ms-marco-minilm-l12"),)),
]


@pytest.mark.parametrize("request_value", REQUESTS, ids=lambda value: type(value).__name__)
def test_a_request_is_a_value_that_can_be_written_down(request_value: object) -> None:
    written = msgspec.json.encode(request_value)
    assert msgspec.json.decode(written, type=type(request_value)) == request_value
    assert hash(request_value) == hash(msgspec.json.decode(written, type=type(request_value)))


def test_a_job_and_a_run_give_the_same_evaluation() -> None:
    corpus, engine = load_corpus("helpdesk"), default_engine()
    session = Session(engine, JobTable(), "me")
    request = REQUESTS[1]
    assert isinstance(request, evaluate.EvaluationRequest)
    job = evaluate.start(request, corpus, session)
    job.wait(60)
    direct = evaluate.run(request, corpus, Context(cache=None), engine)
    kept = evaluate.load_experiment(evaluate.experiment_of(job), engine.home)
    assert direct.design.id == kept.design.id
    assert [one.measures for one in direct.outcomes] == [one.measures for one in kept.outcomes]


def test_a_job_and_a_run_give_the_same_ranking() -> None:
    corpus, engine = load_corpus("helpdesk"), default_engine()
    request = REQUESTS[0]
    assert isinstance(request, compare.CompareRequest)
    job = compare.start(request, corpus, Session(engine, JobTable(), "me"))
    direct = compare.run(request, corpus, Context(), engine)
    assert job.wait(30).ranking == direct.ranking


def test_the_pages_start_no_work_but_through_services() -> None:
    slow = {"calibrate", "judged_scores", "plan", "run_import", "check", "cross_validate"}
    rooms = ("rerank_lab.evaluation", "rerank_lab.learning", "rerank_lab.rerankers.health")
    for path in (Path(rerank_lab.__file__).parent / "ui").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith(rooms):
                names = {alias.name for alias in node.names}
                assert not names & (slow | {"run", "train", "evaluate"}), f"{path}: {names}"
