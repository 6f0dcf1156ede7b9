"""A pipeline of the lab under load, as a job and at once."""

from __future__ import annotations

import pytest

from rerank_lab.core.errors import MissingKey
from rerank_lab.corpora import load_corpus
from rerank_lab.evaluation.load.run import LoadPlan
from rerank_lab.jobs.table import JobTable
from rerank_lab.pipeline.engine import default_engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.services import load
from rerank_lab.services.load import LoadRequest
from rerank_lab.services.session import Session

SPEC = Pipeline("bm25(k=20) >> overlap(top=20)").spec


def test_a_study_is_measured_afresh_and_kept_with_its_experiment() -> None:
    corpus, engine = load_corpus("helpdesk"), default_engine()
    plan = LoadPlan(rate=120.0, seconds=0.25, workers=2, bound=0.5, tries=1, by_core=True)
    request = LoadRequest(SPEC, plan, "0123456789abcdef")
    session = Session(engine, JobTable(), "me")
    job = load.start(request, corpus, session)
    assert job.lane == "load"
    study = job.wait(60)
    assert study.cold is not None
    assert study.cold.build_s + study.cold.load_s > 0
    step = study.at_rate
    assert step is not None
    assert step.answered == step.due > 12
    assert step.documents_per_s > 10 * step.queries_per_s  # every query was really reranked
    assert study.within
    assert study.sustained is not None
    assert study.sustained >= 120.0
    assert [one.threads for one in study.saturated][:2] == [None, 1]
    assert study.machine.cores >= 1
    assert load.load_studies("0123456789abcdef", engine.home) == (study,)
    assert load.load_studies("fedcba9876543210", engine.home) == ()


def test_a_pipeline_that_cannot_answer_fails_with_its_own_reason() -> None:
    corpus, engine = load_corpus("helpdesk"), default_engine()
    unkeyed = Pipeline("bm25(k=5) >> cohere(top=5)").spec
    request = LoadRequest(unkeyed, LoadPlan(rate=5, seconds=0.2))
    with pytest.raises(MissingKey, match="COHERE_API_KEY"):
        load.start(request, corpus, Session(engine, JobTable(), "me")).wait(30)


def test_every_query_really_asks_the_model(plugin: list[tuple[str, object]]) -> None:
    corpus, engine = load_corpus("helpdesk"), default_engine()
    pipeline = Pipeline("bm25(k=4) >> by-length(top=4)")
    for query in corpus.queries[:2]:
        pipeline.run(query, corpus, engine=engine)
    plugin.clear()
    request = LoadRequest(pipeline.spec, LoadPlan(rate=100, seconds=0.2), limit=2)
    study = load.start(request, corpus, Session(engine, JobTable(), "me")).wait(30)
    step = study.at_rate
    assert step is not None
    assert plugin.count(("load", "by-length")) == 1  # a cold start loads anew
    assert plugin.count(("by-length", 4)) > step.answered + study.saturated[0].queries
    assert step.documents_per_s == pytest.approx(4 * step.queries_per_s)


def test_a_study_is_cancelled_between_two_queries() -> None:
    corpus, engine = load_corpus("helpdesk"), default_engine()
    jobs = JobTable()
    request = LoadRequest(SPEC, LoadPlan(rate=5, seconds=60))
    job = load.start(request, corpus, Session(engine, jobs, "me"))
    jobs.cancel(job.key)
    assert job.finished.wait(5)
    assert job.state.value == "cancelled"
