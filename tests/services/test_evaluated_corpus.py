from __future__ import annotations

from dataclasses import replace

import pytest

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora import Corpus
from rerank_lab.evaluation.experiments import plan, score
from rerank_lab.services.evaluated_corpus import evaluated_corpus, runnable


def corpus() -> Corpus:
    queries = (Query("a", "one", {"answers": ["1"]}), Query("b", "two"))
    documents = (Document("d", "one"), Document("e", "two"))
    return Corpus("tiny", documents, queries, {"a": {"d": 1}, "b": {"e": 1}})


def test_the_corpus_is_as_it_was_evaluated_and_answers_stay() -> None:
    evaluation = score(plan(corpus(), ["bm25"], queries=corpus().queries[:1]).design, [])
    later = replace(corpus(), qrels={"a": {"e": 1}})
    evaluated = evaluated_corpus(evaluation, later)
    assert evaluated.qrels == {"a": {"d": 1}}
    assert [(query.id, query.meta["answers"]) for query in evaluated.queries] == [("a", ["1"])]
    with pytest.raises(InvalidInput, match="other documents"):
        evaluated_corpus(evaluation, replace(corpus(), documents=corpus().documents[:1]))


def test_runs_of_other_systems_are_not_run() -> None:
    assert [str(spec) for spec in runnable(["their run.trec", "bm25"])] == ["bm25"]
    with pytest.raises(InvalidInput, match="None of these"):
        runnable(["their run.trec"])
