"""A run file as first stage: the candidates of another search engine, by query."""

from __future__ import annotations

from pathlib import Path

import pytest

from rerank_lab.core.context import Context
from rerank_lab.core.errors import BackendError, InvalidInput, LabError
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.retrievers.run_file import RunFile

CTX = Context()
CORPUS = Corpus(
    "small",
    tuple(Document(name, f"text of {name}") for name in "abc"),
    queries=(Query("q1", "Where is  the fox?"), Query("q2", "unanswered")),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "other.trec"
    file.write_text("q1 Q0 b 1 9.5 es\nq1 Q0 gone 2 9.0 es\nq1 Q0 a 3 1.25 es\nq9 Q0 c 1 1 es\n")
    return file


def opened(path: Path, corpus: Corpus = CORPUS) -> RunFile:
    retriever = RunFile(path=str(path))
    retriever.build(corpus, CTX)
    return retriever


def test_gives_the_candidates_of_a_query_with_their_scores(path: Path) -> None:
    ranking = opened(path).search(CORPUS.queries[0], None, CTX).ranking
    assert [(h.doc_id, h.score) for h in ranking] == [("b", 9.5), ("a", 1.25)]
    assert ranking.scale == "run"


def test_documents_that_the_corpus_lacks_are_counted_in_a_warning(path: Path) -> None:
    trace = opened(path).search(CORPUS.queries[0], None, CTX).trace
    assert trace.warnings == ("1 of the run's documents are not in the corpus and were left out",)


def test_a_typed_query_is_found_by_its_text(path: Path) -> None:
    asked = Query.of("where is the FOX?")
    ranking = opened(path).search(asked, None, CTX).ranking
    assert ranking.doc_ids == ("b", "a")
    assert ranking.query_id == asked.id


@pytest.mark.parametrize("query", [Query("q2", "unanswered"), Query.of("never seen")])
def test_a_query_that_the_run_lacks_is_named(path: Path, query: Query) -> None:
    with pytest.raises(BackendError, match=r"other\.trec") as caught:
        opened(path).search(query, None, CTX)
    assert query.id in caught.value.message


def test_a_document_of_the_run_stands_for_its_passages(path: Path) -> None:
    passages = (
        Document("a#1", "first", parent="a"),
        Document("a#2", "second", parent="a"),
        Document("b", "whole"),
    )
    ranking = opened(path, Corpus("cut", passages)).search(Query("q1", "x"), None, CTX).ranking
    assert ranking.doc_ids == ("b", "a#1", "a#2")


def test_a_run_over_another_corpus_is_refused(path: Path) -> None:
    with pytest.raises(InvalidInput, match="None of the 4 documents"):
        opened(path, Corpus("other", (Document("x", "text"),)))


@pytest.mark.parametrize("path_given", ["", "nowhere/run.trec"])
def test_a_missing_file_is_found_before_any_work(path_given: str) -> None:
    retriever = RunFile(path=path_given)
    [problem] = retriever.problems(CORPUS)
    assert isinstance(problem, InvalidInput)
    with pytest.raises(LabError):
        retriever.build(CORPUS, CTX)


def test_a_changed_file_is_another_first_stage(path: Path) -> None:
    before = RunFile(path=str(path)).fingerprint()
    assert RunFile(path=str(path)).fingerprint() == before
    path.write_text(path.read_text().replace("q1 Q0 b", "q1 Q0 c"))
    assert RunFile(path=str(path)).fingerprint() != before
