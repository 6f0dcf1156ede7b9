"""Training: from judgments to a model that a pipeline uses, validated by query, honest about it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_lab.core.context import CancelToken, Context, Progress
from rerank_lab.core.errors import Cancelled, InvalidInput, LabError
from rerank_lab.core.types import Document, Query, Status
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.evaluation.experiments import evaluate
from rerank_lab.evaluation.experiments import plan as plan_experiment
from rerank_lab.evaluation.folds import query_folds
from rerank_lab.evaluation.statistics import paired
from rerank_lab.fusion.learned.model import LearnedModel
from rerank_lab.fusion.learned.settings import LearnerSettings
from rerank_lab.fusion.learned.store import list_models, load_model
from rerank_lab.learning import MIN_QUERIES, plan, train
from rerank_lab.pipeline.engine import Engine, default_engine
from rerank_lab.pipeline.pipeline import Pipeline
from tests.fusion.learned import made

SPEC = "bm25 >> ltr(bm25,overlap)"
QUICK = LearnerSettings(rounds=40)


@pytest.fixture
def corpus() -> Corpus:
    return made.corpus()


@pytest.fixture(autouse=True)
def engine() -> Iterator[Engine]:
    default_engine.cache_clear()
    yield default_engine()
    default_engine.cache_clear()


def trained(
    corpus: Corpus, spec: str = SPEC, name: str = "mine", **settings: object
) -> LearnedModel:
    return train(plan(corpus, spec, name, settings=LearnerSettings(**({"rounds": 40} | settings))))


def test_a_column_that_decides_is_found_and_beats_the_order_before(corpus: Corpus) -> None:
    model = trained(corpus)
    found = model.validation
    assert model.importances[0].feature == "column year"
    assert found.best == "column year"
    assert found.mean("model") > found.mean("before") + 0.1
    difference = paired(found.values["before"], found.values["model"])
    assert difference.low is not None
    assert difference.low > 0
    assert set(found.values["model"]) == {query.id for query in corpus.queries}
    assert sum(fold.queries for fold in found.folds) == len(corpus.queries)


@pytest.mark.parametrize("learner", ["lightgbm", "xgboost"])
def test_the_model_ranks_in_a_pipeline(corpus: Corpus, learner: str) -> None:
    model = trained(corpus, learner=learner)
    result = Pipeline(model.spec).run(corpus.queries[0], corpus)
    assert result.error is None
    assert result.ranking is not None
    assert result.ranking.scale == "lambdamart"
    grades = corpus.qrels["q0"]
    first = result.ranking.doc_ids[: sum(grades.values())]
    assert all(grades[doc_id] for doc_id in first)
    assert [part.node.name for part in result.stages[-1].parts] == ["bm25", "overlap"]


def test_the_same_plan_gives_the_same_model(corpus: Corpus) -> None:
    first, second = trained(corpus), trained(corpus, name="other")
    assert first.trees == second.trees
    assert first.validation == second.validation
    assert trained(corpus, name="third", seed=1).validation.folds != first.validation.folds


def test_no_query_is_ranked_by_a_model_that_saw_it(corpus: Corpus) -> None:
    """Grades drawn at random: whoever looks at them in training shines, honest folds cannot."""
    import random

    dice = random.Random(0)
    noise = {q: {d: dice.randint(0, 1) for d in grades} for q, grades in corpus.qrels.items()}
    model = train(
        plan(corpus, SPEC, "noise", qrels=noise, settings=LearnerSettings(rounds=200, leaves=31))
    )
    seen = evaluate(corpus, [model.spec], qrels=noise).outcomes[0].measures["nDCG@10"]
    validated = model.validation.mean("model")
    assert seen is not None
    assert seen > validated + 0.1
    assert abs(validated - model.validation.mean("before")) < 0.1


def test_a_query_trained_on_is_told_of_and_another_is_not(corpus: Corpus) -> None:
    model = trained(corpus)
    seen = Pipeline(model.spec).run(Query("x", "Topic0"), corpus)
    assert any("trained on this query" in text for text in seen.trace.warnings)
    assert f"{model.validation.mean('model'):.3f}" in seen.trace.warnings[0]
    assert Pipeline(model.spec).run(Query("x", "topic0 filler"), corpus).trace.warnings == ()


def test_a_model_trained_again_is_not_answered_for_by_kept_results(corpus: Corpus) -> None:
    model = trained(corpus)
    pipeline = Pipeline(model.spec)
    before = pipeline.run(corpus.queries[0], corpus)
    experiment = plan_experiment(corpus, [pipeline]).id
    assert pipeline.run(corpus.queries[0], corpus).stages[-1].reused
    flipped = {q: {d: 1 - g for d, g in grades.items()} for q, grades in corpus.qrels.items()}
    train(plan(corpus, SPEC, "mine", qrels=flipped, settings=QUICK, replace=True))
    after = pipeline.run(corpus.queries[0], corpus)
    assert before.ranking is not None
    assert after.ranking is not None
    assert before.ranking.doc_ids != after.ranking.doc_ids
    assert plan_experiment(corpus, [pipeline]).id != experiment


def test_a_name_that_is_taken_is_refused_before_any_work(corpus: Corpus) -> None:
    trained(corpus)
    with pytest.raises(InvalidInput, match="already"):
        plan(corpus, SPEC, "mine")
    plan(corpus, SPEC, "mine", replace=True)
    plan(corpus, SPEC, "other")


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ('bm25 >> ltr(overlap,model="mine")', "trained with the sources bm25, overlap"),
        ('bm25 >> ltr(overlap,bm25,model="mine")', "trained with the sources bm25, overlap"),
        ('bm25 >> ltr(bm25,overlap,model="mime")', "did you mean mine"),
        ("bm25 >> ltr(bm25,overlap)", "no model yet"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_before_and_while_running(
    corpus: Corpus, spec: str, told: str
) -> None:
    trained(corpus)
    [problem] = Pipeline(spec).check(corpus)
    assert told in problem.message
    result = Pipeline(spec).run("topic1", corpus)
    assert result.status is Status.FAILED
    assert result.error is not None
    assert told in result.error.message
    assert result.error.hint


def test_a_model_behind_another_kind_of_score_is_refused(corpus: Corpus) -> None:
    trained(corpus)
    result = Pipeline('bm25 >> overlap >> ltr(bm25,overlap,model="mine")').run("topic1", corpus)
    assert result.error is not None
    assert "scores by bm25; here the stage before it scores by share" in result.error.message


@pytest.mark.parametrize("spec", ["ltr(bm25)", "rrf(bm25,ltr(bm25,overlap))", "ltr(bm25) >> mmr"])
def test_a_learned_fusion_cannot_be_a_first_stage(spec: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be a first stage"):
        Pipeline(spec)


def test_a_learned_fusion_needs_a_source() -> None:
    with pytest.raises(InvalidInput, match="ltr needs a source"):
        Pipeline("bm25 >> ltr")


def test_a_learned_fusion_can_be_a_source_of_a_fusion(corpus: Corpus) -> None:
    trained(corpus)
    result = Pipeline('bm25 >> rrf(ltr(bm25,overlap,model="mine"),overlap)').run("topic1", corpus)
    assert result.error is None


@pytest.mark.parametrize("spec", ["bm25", "bm25 >> overlap", "bm25 >> rrf(overlap,bm25)"])
def test_what_has_nothing_to_learn_is_not_trained(corpus: Corpus, spec: str) -> None:
    with pytest.raises(InvalidInput, match="learned fusion") as caught:
        plan(corpus, spec, "mine")
    assert "ltr(" in caught.value.hint


def test_too_few_judged_queries_are_refused_with_the_numbers() -> None:
    few = made.corpus(MIN_QUERIES - 1)
    with pytest.raises(InvalidInput, match=f"Only 9 of 9 .* needs {MIN_QUERIES}"):
        plan(few, SPEC, "mine")
    with pytest.raises(InvalidInput, match="30 folds"):
        plan(made.corpus(), SPEC, "mine", folds=30)
    plan(made.corpus(MIN_QUERIES), SPEC, "mine")


def test_too_few_queries_with_a_relevant_candidate_are_refused(corpus: Corpus) -> None:
    elsewhere = {q: {"d0-0": 1} for q in corpus.qrels}
    with pytest.raises(InvalidInput, match="relevant document among their candidates"):
        train(plan(corpus, SPEC, "mine", qrels=elsewhere))
    assert list_models() == []


@pytest.mark.usefixtures("plugin")
def test_a_source_that_fails_stops_training_with_its_reason(corpus: Corpus) -> None:
    with pytest.raises(LabError, match="no such luck"):
        trained(corpus, "bm25 >> ltr(bm25,faulty)")
    assert list_models() == []


def test_a_source_that_cannot_run_here_is_told_before_any_work(corpus: Corpus) -> None:
    with pytest.raises(InvalidInput, match="no run file"):
        plan(corpus, 'bm25 >> ltr(bm25,run(path="nowhere.trec"))', "mine")


def test_training_reports_progress_and_is_cancelled_without_a_trace(corpus: Corpus) -> None:
    told: list[Progress] = []
    token = CancelToken()

    def progress(now: Progress) -> None:
        told.append(now)
        if now.message == "validating":
            token.cancel()

    with pytest.raises(Cancelled):
        train(plan(corpus, SPEC, "mine"), Context(cancel=token, progress=progress))
    assert {one.total for one in told} == {24 + 5 + 1}
    assert [one.done for one in told] == sorted(one.done for one in told)
    assert list_models() == []


def test_passages_are_judged_by_their_documents() -> None:
    whole = made.corpus()
    passages = [
        Document(f"{doc.id}#{part}", doc.text, doc.title, doc.meta, parent=doc.id)
        for doc in whole.documents
        for part in (1, 2)
    ]
    cut = Corpus("cut", tuple(passages), whole.queries, whole.qrels)
    model = trained(cut)
    assert model.origin.relevant > 0
    assert model.validation.mean("model") > model.validation.mean("before") + 0.1


def test_the_record_says_what_it_was_trained_on(corpus: Corpus) -> None:
    trained(corpus)
    origin = load_model("mine").origin
    assert (origin.corpus, origin.corpus_hash) == ("made", corpus.content_hash)
    assert origin.query_ids == tuple(query.id for query in corpus.queries)
    assert (origin.before, origin.scale) == ("bm25", "bm25")
    assert origin.documents == 24 * 8
    assert origin.unjudged == 0
    assert set(origin.versions) == {"rerank-lab", "lightgbm"}


@given(count=st.integers(2, 60), folds=st.integers(2, 10), seed=st.integers(0, 99))
def test_every_query_is_in_one_fold_and_folds_are_even(count: int, folds: int, seed: int) -> None:
    ids = [f"q{place}" for place in range(count)]
    parts = query_folds(ids, min(folds, count), seed)
    assert sorted(one for part in parts for one in part) == sorted(ids)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert parts == query_folds(ids, min(folds, count), seed)
