"""Options searched on one half of the queries: only the other half decides what is reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from rerank_lab.components.registry import resolve
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Document, Qrels, Query
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.evaluation.experiments import plan
from rerank_lab.evaluation.experiments import run as run_experiment
from rerank_lab.evaluation.folds import query_folds
from rerank_lab.evaluation.tuning.options import offered_ranges
from rerank_lab.jobs.table import JobTable
from rerank_lab.pipeline.engine import Engine
from rerank_lab.services import tuning
from rerank_lab.services.session import Session
from rerank_lab.views.tuning import search_view

pytestmark = pytest.mark.usefixtures("plugin")
START, BETTER = "as-given >> by-length", "as-given >> by-length(sign=-1)"
SIGNS = [["by-length.sign", "1", "-1"]]
IDS = [f"q{n:02}" for n in range(24)]


def _corpus(short: set[str]) -> Corpus:
    """Ten texts of growing length; the shortest is right for the queries of `short`, else the
    longest."""
    documents = tuple(Document(f"d{n}", "x" * (n + 1)) for n in range(10))
    qrels: Qrels = {one: {"d0" if one in short else "d9": 1} for one in IDS}
    return Corpus("c", documents, tuple(Query(one, f"question {one}") for one in IDS), qrels)


def test_a_setting_that_holds_on_other_queries_is_recommended(tmp_path: Path) -> None:
    engine = Engine(tmp_path)
    request = tuning.request_for(START, SIGNS, "RR@10")
    study = tuning.run(request, _corpus(set(IDS)), engine.context(), engine)
    assert (study.verdict, study.best) == ("better", BETTER)
    assert (study.train_queries, study.held_out_queries) == (12, 12)
    view = search_view(study)
    assert view.pipeline == BETTER
    assert view.answer == (
        "Set by-length.sign=-1: better than before on held-out queries.",
        "On 12 queries that had no part in the choice: RR@10 0.100 before, 1.000 with it, "
        "+0.90 [+0.90, +0.90], p < 0.001.",
    )
    assert [words for words, _ in view.rows] == ["by-length.sign=-1", "as it was"]


def test_what_suits_the_train_queries_alone_is_not(tmp_path: Path) -> None:
    train = set(query_folds(IDS, 2, 0)[0])
    engine = Engine(tmp_path)
    request = tuning.request_for(START, SIGNS, "RR@10")
    study = tuning.run(request, _corpus(train), engine.context(), engine)
    assert (study.best, study.verdict) == (BETTER, "worse")
    assert study.train_gain == pytest.approx(0.9)
    view = search_view(study)
    assert view.pipeline == START
    assert view.answer[0].startswith("Keep the pipeline as it is: by-length.sign=-1 is worse")
    assert "12 held-out queries are few" in view.notes[-1]


def test_a_small_gain_is_not_called_one(tmp_path: Path) -> None:
    train, held_out = query_folds(IDS, 2, 0)
    engine = Engine(tmp_path)
    corpus = _corpus({*train, *held_out[:7]})
    study = tuning.run(tuning.request_for(START, SIGNS, "RR@10"), corpus, engine.context(), engine)
    assert study.verdict == "open"
    assert search_view(study).pipeline == START
    assert "would show a difference of about" in search_view(study).answer[1]


def test_the_start_wins_a_tie_and_a_search_is_kept(tmp_path: Path) -> None:
    engine = Engine(tmp_path)
    corpus = _corpus(set())
    evaluation = run_experiment(plan(corpus, [START], measures=["RR@10"]), engine=engine)
    request = tuning.request_for(START, [["by-length.top", "10", "20"]], "RR@10", seed=3)
    job = tuning.start(request, evaluation, corpus, Session(engine, JobTable(), "me"))
    assert job.finished.wait(20)
    (kept,) = tuning.search_studies(evaluation.id, engine.home)
    assert kept == job.result
    assert (kept.verdict, kept.best, kept.held_out) == ("start", START, None)
    assert search_view(kept).answer[0].startswith("Keep the pipeline as it is: nothing")


def test_many_combinations_are_sampled_by_the_seed(tmp_path: Path) -> None:
    ranges = [["by-length.top", *map(str, range(1, 10))], *SIGNS]
    designs = [
        tuning.designed(tuning.request_for(START, ranges, seed=seed, trials=5), _corpus(set()))
        for seed in (1, 1, 2)
    ]
    first, same, other = (list(design.candidates()) for design in designs)
    assert first == same != other
    assert len(first) <= 6
    assert str(first[0]) == START
    assert designs[0].combinations == 18


def test_options_are_named_by_their_component_and_checked() -> None:
    text = "rrf(as-given,bm25) >> weighted(overlap,by-length) >> overlap(top=5)"
    offered = {one.option: one.values for one in offered_ranges(resolve(text))}
    assert offered["rrf.k"] == (10, 20, 60, 100, 300)
    assert offered["weighted.weights"][0] == "0.1,0.9"
    assert {"overlap.top", "overlap:2.top", "by-length.top"} <= set(offered)
    request = tuning.request_for(text, [["overlap:2.top", "7"], ["rrf.k", "10"]])
    assert str(list(tuning.designed(request, _corpus(set())).candidates())[1]) == (
        "rrf(as-given,bm25,k=10) >> weighted(overlap,by-length) >> overlap(top=7)"
    )
    with pytest.raises(InvalidInput, match=r"no option 'rrf\.kk'; did you mean rrf\.k"):
        tuning.request_for(text, [["rrf.kk", "1"]])
    with pytest.raises(InvalidInput, match="k must be a whole number"):
        tuning.request_for(text, [["rrf.k", "many"]])
    wrong = tuning.request_for(text, [["weighted.weights", "1,2,3"]])
    with pytest.raises(InvalidInput, match="weights"):
        tuning.designed(wrong, _corpus(set()))


def test_a_handful_of_queries_cannot_be_split() -> None:
    corpus = _corpus(set())
    few = Corpus("c", corpus.documents, corpus.queries[:6], corpus.qrels)
    with pytest.raises(InvalidInput, match="Only 6 queries are judged"):
        tuning.designed(tuning.request_for(START, SIGNS), few)
