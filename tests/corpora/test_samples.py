"""The sample corpora and the judged collections load as what they claim to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from rerank_lab.core.problems import Severity
from rerank_lab.corpora import list_corpora, load_corpus, summarise

SAMPLES = ("helpdesk", "multilingual-faq", "science-answers")


@pytest.mark.parametrize("name", SAMPLES)
def test_sample_is_whole_and_judged(name: str) -> None:
    corpus = load_corpus(name)
    assert corpus.meta["problems"] == ()
    assert len(corpus.by_id) == len(corpus.documents) >= 200
    assert len(corpus.queries) >= 40
    unjudged = [query.id for query in corpus.queries if query.id not in corpus.qrels]
    assert unjudged == []
    assert set(corpus.qrels) == {query.id for query in corpus.queries}
    weak = [q for q, judged in corpus.qrels.items() if max(judged.values()) < 2]
    assert weak == []
    assert {g for judged in corpus.qrels.values() for g in judged.values()} <= {0, 1, 2, 3}
    unknown = {d for judged in corpus.qrels.values() for d in judged} - corpus.document_ids
    assert unknown == set()


@pytest.mark.parametrize("name", SAMPLES)
def test_sample_has_no_leak_no_duplicate_and_no_empty_document(name: str) -> None:
    summary = summarise(load_corpus(name))
    assert summary.leaks == ()
    assert summary.duplicate_groups == ()
    assert summary.empty_documents == 0


def test_samples_are_listed_with_their_counts() -> None:
    entries = {entry.name: entry for entry in list_corpora() if entry.kind == "sample"}
    assert set(SAMPLES) <= set(entries)
    for name in SAMPLES:
        corpus = load_corpus(name)
        assert entries[name].documents == len(corpus)
        assert entries[name].queries == len(corpus.queries)
        assert entries[name].judgments == sum(map(len, corpus.qrels.values()))


def test_the_faq_is_multilingual() -> None:
    assert len(summarise(load_corpus("multilingual-faq")).languages) == 8


def test_the_list_tells_the_languages_that_the_samples_are_written_in() -> None:
    for entry in list_corpora():
        found = summarise(load_corpus(entry.name)).languages
        assert set(entry.languages) == set(found), entry.name


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "documents", "queries", "judged"),
    [
        ("scifact", 5183, 300, 339),
        ("cranfield", 1400, 225, 1837),
        ("cisi", 1460, 112, 3114),
        ("dl19", 14581, 43, 9260),
        ("xquad/th", 240, 1190, 1190),
    ],
)
def test_judged_collections(
    data_folder: Path, name: str, documents: int, queries: int, judged: int
) -> None:
    corpus = load_corpus(data_folder / name)
    counts = (len(corpus), len(corpus.queries), sum(map(len, corpus.qrels.values())))
    assert counts == (documents, queries, judged)
    assert all(problem.severity is not Severity.ERROR for problem in corpus.meta["problems"])


@pytest.mark.data
def test_empty_documents_of_cranfield_are_kept_with_a_note(data_folder: Path) -> None:
    corpus = load_corpus(data_folder / "cranfield")
    assert corpus.document("471").content == ""
    notes = [(problem.severity, problem.line) for problem in corpus.meta["problems"]]
    assert notes == [(Severity.INFO, 471), (Severity.INFO, 995)]


@pytest.mark.data
def test_other_splits_by_path(data_folder: Path) -> None:
    folder = data_folder / "scifact"
    corpus = load_corpus(
        folder, queries=folder / "queries.train.jsonl", qrels=folder / "qrels.train.tsv"
    )
    assert len(corpus.queries) == 809
    assert sum(map(len, corpus.qrels.values())) == 919


@pytest.mark.data
def test_languages_of_real_text(data_folder: Path) -> None:
    for code in ("ar", "de", "ru", "th", "zh"):
        languages = summarise(load_corpus(data_folder / "xquad" / code)).languages
        assert next(iter(languages)) == code
        assert languages[code] > 0.9
