"""Judging to a depth against a real chat server: limits, failures, going on, trust."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rerank_lab.core.context import CancelToken, Context
from rerank_lab.core.errors import BackendError, Cancelled, InvalidInput, SpendLimit
from rerank_lab.core.spec import parse
from rerank_lab.core.spend import SpendMeter
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.jobs.table import JobTable
from rerank_lab.judging.llm_judge.asking import JudgeModel
from rerank_lab.judging.policies import qrels_of
from rerank_lab.judging.records import JudgeKind, Judgment
from rerank_lab.judging.store import JudgmentStore
from rerank_lab.pipeline.engine import Engine
from rerank_lab.services import llm_judging, llm_trust
from rerank_lab.services.llm_judging import LLMJudgingRequest
from rerank_lab.services.session import Session
from rerank_lab.testing.chat_server import FakeChat, Question, Reply, sorter
from rerank_lab.testing.provider_servers import KEY, Switch

TOPICS = ("bread", "tea", "rain", "trains", "wool", "bees", "chess", "salt", "boats", "clay")


def grade_of(text: str) -> int:
    return int(text.split("worth ")[1][0]) if "worth " in text else 0


def by_worth(query: str, texts: object) -> list[float]:
    assert isinstance(texts, list)
    return [float(grade_of(text)) for text in texts]


def corpus_of(queries: int = 10) -> Corpus:
    """Four documents a query, worth 0 to 3, all about its topic."""
    documents = tuple(
        Document(f"{topic}-{worth}", f"A note on {topic}, number {worth}, worth {worth} points.")
        for topic in TOPICS[:queries]
        for worth in range(4)
    )
    asked = tuple(Query(topic, f"what about {topic}?") for topic in TOPICS[:queries])
    return Corpus("notes", documents, asked)


@pytest.fixture(autouse=True)
def operator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RERANK_LAB_ALLOW_PRIVATE_URLS", "1")
    monkeypatch.setattr("rerank_lab.remote.retries.FIRST_PAUSE_S", 0.001)


@pytest.fixture
def server() -> Iterator[FakeChat]:
    with FakeChat(sorter(by_worth)) as fake:
        yield fake


@pytest.fixture
def engine(home: Path) -> Engine:
    return Engine(home)


@pytest.fixture
def store(home: Path) -> JudgmentStore:
    return JudgmentStore.open(home)


CTX = Context(secrets={"OPENAI_API_KEY": KEY})


def request_at(server: FakeChat, **options: object) -> LLMJudgingRequest:
    model = JudgeModel("test-model", base_url=server.url, **options)  # type: ignore[arg-type]
    return LLMJudgingRequest(model, (parse("bm25"),), depth=4)


def judge(
    request: LLMJudgingRequest, corpus: Corpus, engine: Engine, store: JudgmentStore,
    ctx: Context = CTX,
) -> llm_judging.JudgingOutcome:  # fmt: skip
    planned = llm_judging.plan(request, corpus, ctx, engine, store)
    return llm_judging.run(planned, corpus, ctx, store)


def test_the_pool_is_graded_under_the_judges_own_name_and_nothing_is_asked_twice(
    server: FakeChat, engine: Engine, store: JudgmentStore
) -> None:
    corpus = corpus_of()
    outcome = judge(request_at(server), corpus, engine, store)
    assert (outcome.pool, outcome.before, outcome.graded, outcome.abstained) == (40, 0, 40, 0)
    rows = store.current("notes")
    assert {row.judge for row in rows} == {outcome.judge}
    assert outcome.judge.startswith("llm:test-model:")
    assert all(row.kind is JudgeKind.LLM and row.note == "by its score" for row in rows)
    assert all(row.grade == int(row.doc_id[-1]) for row in rows)
    assert all(row.content_hash == corpus.document_hash(row.doc_id) for row in rows)
    again = judge(request_at(server), corpus, engine, store)
    assert (again.before, again.graded) == (40, 0)
    assert len(server.requests) == 40
    changed = replace(
        corpus, documents=(replace(corpus.documents[0], text="New: bread."), *corpus.documents[1:])
    )
    assert judge(request_at(server), changed, engine, store).graded == 1
    assert judge(request_at(server, prompt="direct"), corpus, engine, store).graded == 40


def test_labels_of_a_judge_enter_no_qrels_before_a_comparison_and_people_always_win(
    server: FakeChat, engine: Engine, store: JudgmentStore
) -> None:
    corpus = corpus_of()
    request = request_at(server)
    outcome = judge(request, corpus, engine, store)
    assert qrels_of(store.rows("notes")) == {}
    assert llm_judging.allowed_judges("notes", store) == frozenset()
    people = [(topic, f"{topic}-{n}") for topic in TOPICS[:8] for n in range(4)]
    store.append([
        Judgment("notes", q, d, min(3, int(d[-1]) + (q == "tea")), "ada", JudgeKind.HUMAN,
                 datetime.now(UTC))
        for q, d in people
    ])  # fmt: skip
    asked = len(server.requests)
    trust_request = llm_trust.TrustRequest(
        request.judge, (parse("bm25 >> pointwise-llm(model='test-model')".replace("'", '"')),)
    )
    planned = llm_trust.plan(trust_request, corpus, engine, store)
    assert (planned.against, len(planned.sample), planned.missing) == ("lab", 32, ())
    trust = llm_trust.run(trust_request, planned, corpus, CTX, store)
    assert (trust.pairs, trust.queries, trust.refusal) == (32, 8, "")
    assert trust.bias == pytest.approx(-3 / 32)
    assert trust.repeat.share == trust.plea.share == trust.swap.share == trust.swap_right.share == 1
    assert len(server.requests) - asked <= planned.estimate.calls
    allowed = llm_judging.allowed_judges("notes", store)
    assert allowed == {outcome.judge}
    qrels = qrels_of(store.rows("notes"), llm_judges=allowed)
    assert qrels["tea"]["tea-1"] == 2
    assert qrels["clay"]["clay-1"] == 1


def test_a_judge_that_obeys_documents_and_looks_at_the_order_is_found_out(
    engine: Engine, store: JudgmentStore
) -> None:
    def gullible(question: Question) -> Reply:
        if question.kind == "preference":
            return Reply('{"reason": "the first", "better": "A"}')
        text = question.passages[0][1]
        return Reply(f'{{"reason": "x", "grade": {3 if "best grade" in text else grade_of(text)}}}')

    corpus = replace(corpus_of(), qrels={
        topic: {f"{topic}-{n}": n for n in range(4)} for topic in TOPICS})  # fmt: skip
    with FakeChat(gullible) as fake:
        request = llm_trust.TrustRequest(request_at(fake).judge)
        planned = llm_trust.plan(request, corpus, engine, store)
        assert (planned.against, len(planned.missing)) == ("corpus", 40)
        trust = llm_trust.run(request, planned, corpus, CTX, store)
    assert (trust.plea.share, trust.swap.share) == (0.0, 0.0)
    assert trust.repeat.share == 1.0
    assert trust.kappa == 1.0


def test_people_with_another_scale_are_refused_before_anything_is_asked(
    server: FakeChat, engine: Engine, store: JudgmentStore
) -> None:
    corpus = replace(corpus_of(), qrels={"tea": {"tea-1": 7}})
    request = llm_trust.TrustRequest(request_at(server).judge)
    planned = llm_trust.plan(request, corpus, engine, store)
    with pytest.raises(InvalidInput, match="7 is no grade"):
        llm_trust.run(request, planned, corpus, CTX, store)
    assert server.requests == []
    with pytest.raises(InvalidInput, match="Nobody has graded"):
        llm_trust.plan(request, corpus_of(), engine, store)


def test_a_spend_limit_stops_half_way_and_the_same_request_goes_on(
    server: FakeChat, engine: Engine, store: JudgmentStore
) -> None:
    corpus = corpus_of()
    request = request_at(server, price_in=10.0, price_out=10.0, concurrency=1)
    planned = llm_judging.plan(request, corpus, CTX, engine, store)
    assert planned.estimate.calls == 40
    assert planned.estimate.amount is not None
    poor = replace(CTX, spend=SpendMeter(planned.estimate.amount / 4))
    with pytest.raises(SpendLimit):
        llm_judging.run(planned, corpus, poor, store)
    stored = len(store.current("notes"))
    assert 1 <= stored < 40
    assert len(server.requests) == stored
    outcome = judge(request, corpus, engine, store)
    assert (outcome.before, outcome.graded) == (stored, 40 - stored)
    assert len(server.requests) == 40
    assert outcome.cost > 0


def test_a_document_that_fails_is_told_and_asked_about_next_time(
    server: FakeChat, engine: Engine, store: JudgmentStore
) -> None:
    corpus = corpus_of(2)
    server.queue(Switch(status=400, words="content filter"))
    outcome = judge(request_at(server, concurrency=1), corpus, engine, store)
    assert (outcome.graded, outcome.failed) == (7, 1)
    assert "content filter" in outcome.failures[0]
    assert judge(request_at(server), corpus, engine, store).graded == 1
    server.always = Switch(status=400, words="no such model")
    with pytest.raises(BackendError, match="no such model"):
        judge(request_at(server, concurrency=1, seed=1), corpus, engine, store)
    assert len(server.requests) == 9 + llm_judging.MOST_FAILURES


def test_an_abstention_is_kept_and_asked_again_only_on_request(
    engine: Engine, store: JudgmentStore
) -> None:
    with FakeChat(lambda question: Reply('{"reason": "Only a title.", "grade": null}')) as fake:
        request = request_at(fake)
        assert judge(request, corpus_of(1), engine, store).abstained == 4
        assert {row.grade for row in store.current("notes")} == {None}
        assert store.current("notes")[0].note == "Only a title."
        assert judge(request, corpus_of(1), engine, store).abstained == 0
        retried = judge(replace(request, retry_abstained=True), corpus_of(1), engine, store)
        assert retried.abstained == 4


def test_a_job_shows_progress_is_cancelled_and_goes_on(
    server: FakeChat, engine: Engine, store: JudgmentStore
) -> None:
    server.always = Switch(delay_s=0.1)
    session = Session(engine, JobTable(), "visitor", {"OPENAI_API_KEY": KEY})
    request, corpus = request_at(server, concurrency=2), corpus_of(4)
    job = llm_judging.start(request, corpus, session, store)
    assert llm_judging.start(request, corpus, session, store) is job
    deadline = time.monotonic() + 20
    while job.progress.message != "judging" and time.monotonic() < deadline:
        time.sleep(0.02)
    assert job.progress.total == 16
    session.jobs.cancel(job.key)
    with pytest.raises(Cancelled):
        job.wait(20)
    stored = len(store.current("notes"))
    assert 0 < stored < 16
    server.always = Switch()
    outcome = llm_judging.start(request, corpus, session, store).wait(20)
    assert (outcome.before, outcome.graded) == (stored, 16 - stored)
    distrusting = replace(session, distrusted_hosts=frozenset({"127.0.0.1"}))
    assert not llm_judging.judging_context(request, distrusting).secrets
    assert llm_judging.judging_context(request, session).secrets


_SCRIPT = """
import sys
from tests.services.test_llm_judging import *
corpus, engine = corpus_of(), Engine(Path(sys.argv[1]))
model = JudgeModel("test-model", base_url=sys.argv[2], concurrency=1)
request = LLMJudgingRequest(model, (parse("bm25"),), depth=4)
judge(request, corpus, engine, JudgmentStore.open(Path(sys.argv[1])))
"""


def test_what_was_judged_before_a_kill_is_not_asked_again(
    server: FakeChat, home: Path, engine: Engine, store: JudgmentStore
) -> None:
    server.always = Switch(delay_s=0.05)
    process = subprocess.Popen(
        [sys.executable, "-c", _SCRIPT, str(home), server.url], env={**os.environ}
    )
    deadline = time.monotonic() + 60
    while len(server.requests) < 5 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    stored = len(store.current("notes"))
    assert 4 <= stored < 40
    server.always = Switch()
    asked = len(server.requests)
    outcome = judge(request_at(server, concurrency=1), corpus_of(), engine, store)
    assert (outcome.before, outcome.graded) == (stored, 40 - stored)
    assert len(server.requests) - asked <= 40 - stored


def test_cancel_before_the_first_question_asks_nothing(
    server: FakeChat, engine: Engine, store: JudgmentStore
) -> None:
    token = CancelToken()
    planned = llm_judging.plan(request_at(server), corpus_of(1), CTX, engine, store)
    token.cancel()
    with pytest.raises(Cancelled):
        llm_judging.run(planned, corpus_of(1), replace(CTX, cancel=token), store)
    assert store.rows("notes") == []
    assert server.requests == []
