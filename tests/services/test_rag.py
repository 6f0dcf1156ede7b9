from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from rerank_lab.cli import main
from rerank_lab.core.context import Context
from rerank_lab.core.errors import BackendError, InvalidInput, SpendLimit
from rerank_lab.core.spend import SpendMeter
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora import Corpus
from rerank_lab.evaluation.experiments import plan
from rerank_lab.evaluation.experiments import run as run_experiment
from rerank_lab.evaluation.rag.answers import ModelAnswer
from rerank_lab.evaluation.rag.grading import AnswerGrade, grade_figures, read_grade
from rerank_lab.evaluation.rag.study import GradeFigures, RagStudy
from rerank_lab.jobs.table import JobTable
from rerank_lab.judging.llm_judge.asking import JudgeModel
from rerank_lab.pipeline.engine import Engine
from rerank_lab.remote.responses import Completion
from rerank_lab.remote.urls import ALLOW_PRIVATE, host_of
from rerank_lab.services import rag
from rerank_lab.services.rag import RagRequest
from rerank_lab.services.session import Session
from rerank_lab.testing.chat_server import FakeChat, Question, Reply
from rerank_lab.testing.provider_servers import KEY

SHORTEST_FIRST = "as-given >> by-length(sign=-1)"


def corpus(queries: int = 8) -> Corpus:
    """Ten documents, the longest first; the last one has the answer. Each query names its own."""
    documents = tuple(
        Document(f"d{n}", "filler " * (20 - n) + ("The code is seven." if n == 9 else ""))
        for n in range(10)
    )
    asked = tuple(
        Query(f"q{n}", f"what is code {n}", {"answers": ["seven"]}) for n in range(queries)
    )
    return Corpus("codes", documents, asked, {q.id: {"d9": 1, "d0": 0} for q in asked})


def reads(question: Question) -> Reply:
    """A model that finds the code where it is shown."""
    shown = any("seven" in text for _, text in question.passages)
    return Reply('{"answer": "seven"}' if shown else '{"answer": null}')


@pytest.fixture
def engine(plugin: list[tuple[str, object]], monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setenv(ALLOW_PRIVATE, "1")
    monkeypatch.setattr("rerank_lab.remote.retries.FIRST_PAUSE_S", 0.001)
    one = Engine()
    yield one
    one.forget()


def ctx(limit: float | None = None) -> Context:
    return Context(secrets={"OPENAI_API_KEY": KEY}, spend=SpendMeter(limit))


def model(server: FakeChat, **options: float) -> JudgeModel:
    return JudgeModel("test-model", base_url=server.url, **options)  # type: ignore[arg-type]


def test_reranking_that_brings_the_answer_helps_the_answers(engine: Engine) -> None:
    with FakeChat(reads) as server:
        request = RagRequest((SHORTEST_FIRST,), documents=3, answering=model(server))
        study = rag.run(request, corpus(), ctx(), engine)
        asked = len(server.requests)
        rag.run(request, corpus(), ctx(), engine)
        assert len(server.requests) == asked == 16  # what was answered is kept
    (one,) = study.pipelines
    assert one.reranked is not None
    assert one.first_stage is not None
    assert (one.reranked.recall, one.first_stage.recall) == (1.0, 0.0)
    assert (one.reranked.tempted, one.first_stage.tempted) == (0.0, 1.0)
    assert one.answers is not None
    assert one.first_stage_answers is not None
    assert (one.answers.right, one.first_stage_answers.abstained) == (1.0, 1.0)
    assert one.answers_difference is not None
    assert one.answers_difference.difference == 1.0
    assert (study.answer_model, study.referenced) == ("test-model", 8)


def test_a_grader_reads_what_is_meant_and_sees_no_document(engine: Engine) -> None:
    def mind(question: Question) -> Reply:
        if "You grade" not in question.text:
            shown = any("seven" in text for _, text in question.passages)
            return Reply('{"answer": "7"}' if shown else '{"answer": "not seven"}')
        assert "filler" not in question.text
        assert "<reference>seven</reference>" in question.text
        return Reply('{"correct": true}' if "<answer>7</answer>" in question.text
                     else '{"correct": false}')  # fmt: skip

    with FakeChat(mind) as server:
        request = RagRequest(
            (SHORTEST_FIRST,), documents=3, answering=model(server), grader=model(server)
        )
        estimate = rag.grading_estimate(request, corpus(), engine)
        assert estimate is not None
        assert estimate.calls == 16
        study = rag.run(request, corpus(), ctx(), engine)
        assert len(server.requests) == 32
        rag.run(request, corpus(), ctx(), engine)
        assert len(server.requests) == 32  # grades are kept as well
    (one,) = study.pipelines
    assert one.answers is not None
    assert one.first_stage_answers is not None
    assert (one.answers.right, one.first_stage_answers.right) == (0.0, 1.0)  # word for word
    assert one.grades is not None
    assert one.first_stage_grades is not None
    assert (one.grades.right, one.first_stage_grades.right) == (1.0, 0.0)
    assert (one.grades.queries, one.grades.agreement) == (8, 0.0)
    assert one.grades_difference is not None
    assert one.grades_difference.difference == 1.0
    assert one.grades_difference.p_holm is not None
    assert study.grader == "test-model"
    assert study == RagStudy.from_json(study.to_json())


def test_grades_in_no_form_and_abstentions() -> None:
    said = ModelAnswer("seven")
    answers = {"q1": said, "q2": ModelAnswer(), "q3": ModelAnswer(usable=False), "q4": said}
    grades = {("q1", "seven"): AnswerGrade(True), ("q4", "seven"): None}
    figures = grade_figures(answers, grades, {"q1": 1.0, "q2": 0.0, "q4": 1.0})
    assert figures == GradeFigures(queries=2, right=0.5, ungraded=1, agreement=1.0)
    for text in ('{"correct": "yes"}', '{"correct": true, "why": ""}', "true", '{"correct": 1}'):
        assert read_grade(Completion(text, False)) is None


def test_there_must_be_something_to_grade() -> None:
    with pytest.raises(InvalidInput, match="no answers to grade"):
        rag.designed(RagRequest(("as-given",), grader=JudgeModel("x")), corpus())


def test_answers_in_no_form_are_counted_and_never_scored(engine: Engine) -> None:
    with FakeChat(lambda question: Reply("seven, I would say")) as server:
        request = RagRequest(("as-given",), answering=model(server), answered=3)
        (one,) = rag.run(request, corpus(), ctx(), engine).pipelines
    assert one.answers is not None
    assert (one.answers.queries, one.answers.unusable, one.answers.right) == (0, 3, 0)
    assert one.answers_difference is None


def test_a_spend_limit_holds_and_an_endpoint_out_of_order_stops(engine: Engine) -> None:
    with FakeChat(reads) as server:
        priced = model(server, price_in=1e4, price_out=1e4)
        request = RagRequest((SHORTEST_FIRST,), answering=priced)
        estimate = rag.answer_estimate(request, corpus(), engine)
        assert estimate is not None
        assert estimate.calls == 16
        with pytest.raises(SpendLimit):
            rag.run(request, corpus(), ctx(0.001), engine)
        assert server.requests == []
        server.keys = {"another"}
        with pytest.raises(BackendError):
            rag.run(RagRequest(("as-given",), answering=model(server)), corpus(), ctx(), engine)


def test_a_job_takes_the_rankings_of_the_evaluation_and_keeps_its_study(
    engine: Engine, plugin: list[tuple[str, object]]
) -> None:
    evaluation = run_experiment(
        plan(corpus(), [SHORTEST_FIRST], measures=["P@5"], engine=engine), engine.context(), engine
    )
    plugin.clear()
    session = Session(engine, JobTable())
    request = RagRequest(evaluation.design.pipelines)
    done = rag.start(request, evaluation, corpus(), session).wait(30)
    assert ("by-length", 10) not in plugin  # nothing was reranked again
    assert rag.rag_studies(evaluation.id) == (done,)
    assert len(rag.jobs_of(evaluation.id, session)) == 1
    assert done.pipelines[0].reranked is not None
    assert done.pipelines[0].reranked.recall == 1.0


def test_a_job_asks_with_the_keys_of_its_session_but_not_a_distrusted_host(engine: Engine) -> None:
    evaluation = run_experiment(
        plan(corpus(3), ["as-given"], measures=["P@5"], engine=engine), engine.context(), engine
    )
    secrets = {"OPENAI_API_KEY": KEY}
    with FakeChat(reads) as server:
        request = RagRequest(evaluation.design.pipelines, answering=model(server))
        session = Session(engine, JobTable(), secrets=secrets)
        study = rag.start(request, evaluation, corpus(3), session).wait(30)
        assert (study.answer_model, study.referenced) == ("test-model", 3)
        with_key = len(server.requests)
        wary = Session(
            engine, JobTable(), secrets=secrets, distrusted_hosts=frozenset({host_of(server.url)})
        )
        longer = replace(request, documents=6)
        with pytest.raises(BackendError):
            rag.start(longer, evaluation, corpus(3), wary).wait(30)
        late = server.requests[with_key:]
        assert all("authorization" not in one.headers for one in late)


def test_what_cannot_be_told_is_refused(engine: Engine) -> None:
    unjudged = Corpus("notes", corpus().documents, corpus().queries)
    with pytest.raises(InvalidInput, match="judged"):
        rag.designed(RagRequest(("as-given",)), unjudged)
    silent = Corpus("codes", corpus().documents, (Query("q0", "what"),), {"q0": {"d9": 1}})
    with pytest.raises(InvalidInput, match="reference answer"):
        rag.designed(RagRequest(("as-given",), answering=JudgeModel("m")), silent)


def test_the_command_prints_the_study(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["rag", "helpdesk", "-p", "bm25(k=20)", "bm25(k=20) >> overlap", "--limit", "8"]
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["tokenizer"] == "words and punctuation marks"
    assert found["pipelines"][1]["first_stage"] == found["pipelines"][0]["reranked"]
    assert main([*command, "--budget", "100"]) == 0
    printed = capsys.readouterr().out
    assert "Wrong one above" in printed
    assert "5 documents and 100 tokens" in printed
