from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import msgspec
import pytest

from rerank_lab.core.context import CancelToken
from rerank_lab.core.errors import Cancelled, InvalidInput
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora import Corpus
from rerank_lab.evaluation.robustness.study import PerturbationEffect, RobustnessStudy
from rerank_lab.jobs.table import JobTable
from rerank_lab.judging.llm_judge.asking import JudgeModel
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.remote.urls import ALLOW_PRIVATE
from rerank_lab.services import robustness
from rerank_lab.services.robustness import RobustnessRequest
from rerank_lab.services.session import Session
from rerank_lab.testing.chat_server import FakeChat, Question, Reply

LONGEST_FIRST = "as-given >> by-length"
SHORTEST_FIRST = "as-given >> by-length(sign=-1)"


def corpus(queries: int = 6) -> Corpus:
    """Fourteen documents, each longer than the one before; twelve become candidates."""
    documents = tuple(Document(f"d{n:02}", "word " * (20 + n)) for n in range(14))
    questions = tuple(Query(f"q{n}", f"where is the word number {n}") for n in range(queries))
    return Corpus("tiny", documents, questions, {q.id: {"d05": 1} for q in questions})


@pytest.fixture
def engine(plugin: list[tuple[str, object]]) -> Iterator[Engine]:
    one = Engine()
    yield one
    one.forget()


def study(engine: Engine, *specs: str, names: tuple[str, ...] = (), **more: int) -> RobustnessStudy:
    of_pipelines = tuple(Pipeline(spec).spec for spec in specs)
    request = RobustnessRequest(of_pipelines, "RR", perturbations=names, candidates=12, **more)
    return robustness.run(request, corpus(), engine.context(), engine)


def effect(found: RobustnessStudy, name: str, place: int = 0) -> PerturbationEffect:
    return [one for _, one in found.effects(name)][place]


def test_a_ranker_by_length_is_caught(engine: Engine) -> None:
    found = study(engine, LONGEST_FIRST, SHORTEST_FIRST, names=("injected", "padded", "shuffled"))
    rises = effect(found, "injected").target
    assert rises is not None
    assert (rises.ranks.mean_a, rises.ranks.mean_b, rises.entered_top_10) == (12, 1, 1)
    # The right document is first of the longest once it has grown, and last of the shortest.
    longest, shortest = effect(found, "padded"), effect(found, "padded", 1)
    assert longest.measure is not None
    assert shortest.measure is not None
    assert longest.measure.mean_b == 1
    assert shortest.measure.mean_b == pytest.approx(1 / 12)
    assert shortest.measure.p_holm is not None
    assert shortest.measure.p is not None
    assert shortest.measure.p_holm > shortest.measure.p
    # Lengths do not change with the order: neither do ranks.
    unmoved = effect(found, "shuffled").movement
    assert unmoved is not None
    assert (unmoved.moved, unmoved.rbo, unmoved.tau, unmoved.top_changed) == (
        0,
        pytest.approx(1),
        1,
        0,
    )


def test_an_order_that_is_taken_over_is_order_bias(engine: Engine) -> None:
    bias = effect(study(engine, "as-given >> identity", names=("shuffled",)), "shuffled").order_bias
    assert bias is not None
    assert bias.difference == 6  # ranks 1 to 6 against 7 to 12


def test_queries_go_through_the_whole_pipeline(
    engine: Engine, plugin: list[tuple[str, object]]
) -> None:
    found = study(engine, "as-given", names=("case", "injected"))
    assert ("search", "WHERE IS THE WORD NUMBER 3") in plugin
    assert effect(found, "case").queries == 6
    assert list(found.effects("injected")) == []
    assert "no reranker" in found.pipelines[0].untried


def test_copies_are_not_counted(engine: Engine) -> None:
    movement = effect(study(engine, LONGEST_FIRST, names=("duplicated",)), "duplicated").movement
    assert movement is not None
    assert movement.moved == 0


def test_a_negated_query_is_not_held_to_the_judgments(engine: Engine) -> None:
    negated = effect(study(engine, "as-given", names=("negation",)), "negation")
    assert negated.queries == 6
    assert negated.measure is None
    assert negated.movement is not None


def test_a_failing_pipeline_fails_alone(engine: Engine) -> None:
    found = study(engine, "as-given >> faulty", LONGEST_FIRST, names=("case", "injected"))
    assert "no such luck" in found.pipelines[0].problem
    assert [one.answered for one in found.pipelines] == [0, 6]
    assert found.pipelines[1].problem == ""
    assert effect(found, "case").failed == 3  # it is given up after three queries
    assert effect(found, "case", 1).queries == 6


def test_the_same_request_gives_the_same_study(engine: Engine) -> None:
    names = ("typos", "shuffled", "literal")
    first = study(engine, LONGEST_FIRST, names=names, queries=4)
    assert first == study(Engine(), LONGEST_FIRST, names=names, queries=4)
    assert len(first.query_ids) == 4
    assert first.query_ids != study(engine, LONGEST_FIRST, names=(), queries=4, seed=5).query_ids
    written = msgspec.json.decode(msgspec.json.encode(first.to_json()))
    assert RobustnessStudy.from_json(written) == first


def test_a_job_keeps_its_study_with_the_experiment(engine: Engine) -> None:
    session = Session(engine, JobTable())
    request = RobustnessRequest((Pipeline(LONGEST_FIRST).spec,), "RR", perturbations=("injected",))
    job = robustness.start(request, "an-experiment", corpus(), session)
    done = job.wait(30)
    assert robustness.robustness_studies("an-experiment") == (done,)
    assert robustness.jobs_of("an-experiment", session) == [job]
    assert robustness.robustness_studies("another") == ()


def test_a_language_model_says_the_queries_in_other_words(
    engine: Engine, plugin: list[tuple[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ALLOW_PRIVATE, "1")

    def writer(question: Question) -> Reply:
        other = f'{{"query": "in other words {question.query[-1]}"}}'
        return Reply("I would rather not" if question.query.endswith("0") else other)

    with FakeChat(writer, keys=()) as server:
        request = RobustnessRequest(
            (Pipeline("as-given").spec,),
            "RR",
            perturbations=("paraphrase",),
            rewriting=JudgeModel("test-model", base_url=server.url),
        )
        estimate = robustness.rewriting_estimate(request, corpus(), engine)
        found = robustness.run(request, corpus(), engine.context(), engine)
    assert estimate is not None
    assert estimate.calls == 6
    assert found.rewriter == "test-model"
    rewritten = effect(found, "paraphrase")
    assert (rewritten.queries, rewritten.unchanged) == (5, 1)
    assert ("search", "in other words 3") in plugin


def test_it_can_be_cancelled(engine: Engine) -> None:
    token = CancelToken()
    token.cancel()
    request = RobustnessRequest((Pipeline("as-given").spec,), "RR")
    with pytest.raises(Cancelled):
        robustness.run(request, corpus(), replace(engine.context(), cancel=token), engine)


def test_what_cannot_be_tried_is_refused(engine: Engine) -> None:
    request = RobustnessRequest((Pipeline("as-given").spec,), "nonsense")
    with pytest.raises(InvalidInput):
        robustness.designed(request, corpus())
    with pytest.raises(InvalidInput, match="no query"):
        robustness.designed(replace(request, measure="RR"), corpus(0))
    with pytest.raises(InvalidInput, match="change places"):
        robustness.designed(replace(request, measure="RR", candidates=1), corpus())
