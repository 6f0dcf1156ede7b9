"""Queries that are documents of their own corpus find everything but themselves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rerank_lab.core.context import Context
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora import load_corpus
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.corpora.exclusions import are_own_documents, with_exclusions
from rerank_lab.evaluation.experiments import Design, evaluate, plan
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.pipeline.stages import EXCLUDED

ARGUMENTS = {
    "pro01a": "Being vegetarian lowers the risk of food poisoning because meat carries bacteria.",
    "pro01b": "Food poisoning comes from poor hygiene, and raw vegetables carry bacteria as meat.",
    "con02a": "Zoos protect endangered animals and educate children about nature every day.",
    "con02b": "Captivity harms animals, and children learn little about nature in zoos.",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two arguments of ArguAna's kind, each both a query and a document."""
    place = tmp_path / "arguments"
    (place / "qrels").mkdir(parents=True)
    rows = [{"_id": i, "title": "", "text": text} for i, text in ARGUMENTS.items()]
    (place / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = [row for row in rows if str(row["_id"]).endswith("a")]
    (place / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    lines = ["query-id\tcorpus-id\tscore", "pro01a\tpro01b\t1", "con02a\tcon02b\t1"]
    (place / "qrels" / "test.tsv").write_text("\n".join(lines) + "\n")
    return place


def test_a_query_that_is_a_document_is_left_out_by_default(folder: Path) -> None:
    evaluation = evaluate(load_corpus(folder), ["bm25"], measures=["nDCG@10", "RR@10"])
    outcome = evaluation.outcomes[0]
    assert outcome.measures == {"nDCG@10": 1.0, "RR@10": 1.0}
    assert outcome.warnings == {EXCLUDED: 2}
    assert evaluation.to_json()["excluding"] == 2


def test_it_can_be_kept_and_is_then_another_experiment(folder: Path) -> None:
    own, kept = load_corpus(folder), load_corpus(folder, exclude_identical=False)
    evaluation = evaluate(kept, ["bm25"], measures=["RR@10"])
    assert evaluation.outcomes[0].measures == {"RR@10": 0.5}
    assert plan(own, ["bm25"]).id != plan(kept, ["bm25"]).id
    design = plan(own, ["bm25"]).design
    assert Design.from_json(json.loads(json.dumps(design.to_json()))).queries == design.queries


def test_the_depth_stays_what_it_was(folder: Path) -> None:
    corpus = load_corpus(folder)
    result = Pipeline("bm25(k=1)").run(corpus.queries[0], corpus, Context())
    assert result.ranking is not None
    assert result.ranking.doc_ids == ("pro01b",)


def test_all_passages_of_an_excluded_document_are_left_out() -> None:
    passages = [Document(f"a#{n}", "moon light", parent="a") for n in range(3)]
    documents = (*passages, Document("b#0", "moon", parent="b"))
    corpus = Corpus("c", documents, (Query("a", "moon light"),), {"a": {"b": 1}})
    corpus = with_exclusions(corpus)
    result = Pipeline("bm25(k=1)").run(corpus.queries[0], corpus, Context())
    assert result.ranking is not None
    assert result.ranking.doc_ids == ("b",)


def test_numbers_that_coincide_by_accident_exclude_nothing() -> None:
    documents = tuple(Document(str(n), f"report number {n} on wings") for n in range(1, 4))
    queries = (Query("1", "which laws must be obeyed"), Query("2", "who found the effect"))
    corpus = Corpus("c", documents, queries, {"1": {"2": 1}})
    assert not are_own_documents(corpus)
    assert with_exclusions(corpus) is corpus
    assert with_exclusions(corpus, identical=True).queries[0].excluded == {"1"}


def test_a_document_that_its_own_query_seeks_stays() -> None:
    documents = (Document("1", "green tea steeps"), Document("2", "bread rises"))
    corpus = Corpus("c", documents, (Query("1", "green tea"),), {"1": {"1": 1}})
    assert not are_own_documents(corpus)


def test_documents_that_a_query_excludes_by_name_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl").write_text(
        '{"_id": "d1", "text": "moon"}\n{"_id": "d2", "text": "moon rocks"}\n'
    )
    (tmp_path / "queries.jsonl").write_text(
        '{"_id": "q1", "text": "moon", "excluded_ids": ["d1"]}\n'
        '{"_id": "q2", "text": "moon", "excluded_ids": ["N/A"]}\n'
    )
    corpus = load_corpus(tmp_path)
    assert [query.excluded for query in corpus.queries] == [{"d1"}, frozenset()]
    rankings = [Pipeline("bm25").run(q, corpus, Context()).ranking for q in corpus.queries]
    assert [r.doc_ids for r in rankings if r is not None] == [("d2",), ("d1", "d2")]
