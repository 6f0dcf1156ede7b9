"""Indexes of documents on the disk: built in stretches, by several processes, the same scores."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from rerank_lab.core.context import CancelToken, Context, Progress
from rerank_lab.core.errors import BackendError, Cancelled
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora import Corpus, load_corpus
from rerank_lab.corpora.analysis import Analyzer
from rerank_lab.corpora.store import save_corpus
from rerank_lab.corpora.stored_documents import StoredDocuments
from rerank_lab.retrievers import counting, postings
from rerank_lab.retrievers.bm25 import BM25

CTX = Context()
ODD = (
    "", "the of and", "getUserName foo_bar E-2104 C++ node.js 1.2.3 user's don't",
    "日本語の検索エンジンです。これはテスト", "مرحبا بالعالم", "ประเทศไทย abc", "İstanbul ISPARTA",
    "Zwei-drei re-ranking \u00adsoft", "中 a 中文",
)  # fmt: skip


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Corpus:
    monkeypatch.setenv("RERANK_LAB_HOME", str(tmp_path))
    rng = random.Random(1)
    words = [f"word{n}s" for n in range(80)]
    texts = [" ".join(rng.choices(words, k=rng.randint(0, 40))) for _ in range(70)]
    mixed = [text for pair in zip(texts, ODD * 8, strict=False) for text in pair]
    documents = tuple(Document(f"d{n * 7 % 1000}", text) for n, text in enumerate(mixed))
    save_corpus(Corpus("mine", documents), {"name": "mine"}, slug="mine")
    return load_corpus("mine")


def columns(index: postings.Postings) -> dict[str, tuple[list[int], bytes]]:
    """Each term's documents and, bit for bit, what it adds there."""
    ends = {term: slice(*index.start[n : n + 2].tolist()) for term, n in index.terms.items()}
    return {
        term: (index.documents[place].tolist(), index.weights[place].tobytes())
        for term, place in ends.items()
    }


def by_the_formula(
    corpus: Corpus, analyzer: Analyzer, weighting: postings.Weighting
) -> dict[str, tuple[list[int], bytes]]:
    """The same, counted one document after the other."""
    terms = [analyzer.document_terms(document.content) for document in corpus.documents]
    lengths = np.array([len(one) for one in terms], np.int64)
    relative = lengths / max(1e-9, float(lengths.mean()))
    rows: dict[str, list[tuple[int, int]]] = {}
    for number, one in enumerate(terms):
        for term, count in Counter(one).items():
            rows.setdefault(term, []).append((number, count))
    result = {}
    for term, pairs in rows.items():
        numbers, counts = np.array(pairs, np.int32).T
        idf = weighting.idf(np.array([len(pairs)]), len(terms))[0]
        gain = weighting.gain(counts, relative[numbers]) - weighting.absent()
        result[term] = (numbers.tolist(), (idf * gain).astype(np.float32).tobytes())
    return result


@pytest.mark.parametrize("variant", postings.VARIANTS)
def test_every_way_of_building_gives_the_same_weights_bit_for_bit(
    corpus: Corpus, variant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = corpus.documents
    assert isinstance(documents, StoredDocuments)
    weighting = postings.Weighting(variant, 1.2, 0.75)
    expected = by_the_formula(corpus, Analyzer(), weighting)
    texts = [document.content for document in documents]
    in_memory = postings.build(texts, corpus.ids, Analyzer(), weighting, CTX)
    assert columns(in_memory) == expected
    monkeypatch.setattr(counting, "SEGMENT", 9)
    monkeypatch.setattr(postings, "_PART", 50)
    monkeypatch.setattr(counting, "_LEAST_BLOCK", 3)
    monkeypatch.setattr(counting, "_BLOCK", 900)
    in_segments = tmp_path / "in-segments"
    in_segments.mkdir()
    postings.build_stored(documents, Analyzer(), weighting, in_segments, CTX)
    stored = postings.open_stored("bm25", in_segments, len(corpus))
    assert columns(stored) == expected
    assert list(stored.terms) == list(in_memory.terms)
    assert stored.order.tolist() == in_memory.order.tolist()
    assert stored.absent.tobytes() == in_memory.absent.tobytes()


@pytest.mark.parametrize("language", ["english", "turkish", "none"])
def test_processes_count_what_one_counts(
    corpus: Corpus, language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "_LEAST_SHARE", 20)
    monkeypatch.setattr(counting, "cpu_threads", lambda: 2)
    events: list[Progress] = []
    parallel, alone = BM25(language=language), BM25(language=language)
    parallel.build(corpus, Context(progress=events.append), tmp_path / "parallel")
    alone.build(Corpus("mine", corpus.documents[:]), CTX, tmp_path / "alone")
    assert columns(parallel._postings) == columns(alone._postings)
    assert list(parallel._postings.terms) == list(alone._postings.terms)
    assert (events[-1].done, events[-1].total) == (len(corpus), len(corpus))
    query = Query.of("word1s word2s 検索 E-2104 istanbul")
    both = [one.search(query, 50, CTX).ranking for one in (parallel, alone)]
    assert both[0] == both[1]
    assert len(both[0]) > 10
    files = {path.name for path in parallel.index_folder(corpus, tmp_path / "parallel").iterdir()}
    assert not any(name.startswith("counts-") for name in files)


def test_words_and_their_terms_are_those_of_the_analysis() -> None:
    for language in ("english", "turkish", "none", "french"):
        analyzer = Analyzer(language)
        for text in ODD:
            words = analyzer.document_words(text)
            terms = [term for word in words for term in analyzer.word_terms(word)]
            assert terms == analyzer.document_terms(text)


def test_a_vocabulary_without_end_is_forgotten_and_counted_right(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "_MOST_WORDS", 5)
    monkeypatch.setattr(counting, "SEGMENT", 9)
    weighting = postings.Weighting("lucene", 1.2, 0.75)
    texts = [document.content for document in corpus.documents]
    index = postings.build(texts, corpus.ids, Analyzer(), weighting, CTX)
    assert columns(index) == by_the_formula(corpus, Analyzer(), weighting)


def test_cancelling_ends_the_processes_and_leaves_no_index(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "_LEAST_SHARE", 20)
    monkeypatch.setattr(counting, "cpu_threads", lambda: 2)
    cancel = CancelToken()
    ctx = Context(cancel=cancel, progress=lambda _: cancel.cancel())
    retriever = BM25()
    with pytest.raises(Cancelled):
        retriever.build(corpus, ctx, tmp_path / "indexes")
    assert not [*(tmp_path / "indexes").glob("*/bm25-*")]


def test_a_process_that_fails_is_said_with_its_reason(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "_LEAST_SHARE", 20)
    monkeypatch.setattr(counting, "cpu_threads", lambda: 2)
    documents = corpus.documents
    assert isinstance(documents, StoredDocuments)
    monkeypatch.setattr(documents, "folder", tmp_path / "nowhere")
    with pytest.raises(BackendError, match="counts the words"):
        BM25().build(corpus, CTX, tmp_path / "indexes")


def test_an_index_of_version_0_1_still_opens(corpus: Corpus, tmp_path: Path) -> None:
    retriever = BM25()
    retriever.build(corpus, CTX, tmp_path / "indexes")
    folder = retriever.index_folder(corpus, tmp_path / "indexes")
    terms = list(retriever._postings.terms)
    for file in folder.glob("terms-*"):
        file.unlink()
    (folder / "peaks.npy").unlink()
    (folder / "terms.json").write_text(json.dumps(terms), "utf-8")
    again = BM25()
    again.build(corpus, CTX, tmp_path / "indexes")
    assert again.build_trace.warnings == ()
    assert columns(again._postings) == columns(retriever._postings)
    query = Query.of("word1s word2s word3s")
    first, second = (one.search(query, 5, CTX).ranking for one in (retriever, again))
    assert first == second
