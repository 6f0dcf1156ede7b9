"""SPLADE over an invented encoder: the index on the disk, what is kept, what is never looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rerank_lab import models
from rerank_lab.core.context import CancelToken, Context, Progress
from rerank_lab.core.errors import Cancelled
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.models import Sparse
from rerank_lab.models.runtime.request import Usage
from rerank_lab.retrievers import splade
from rerank_lab.retrievers.splade import Splade

CTX = Context()


@dataclass
class WordWeights:
    """Each word weighs 1 for its own token, and a little for a second one."""

    digest: str = "0" * 64
    encoded: list[str] = field(default_factory=list)

    def encode(
        self, texts: Sequence[str], kind: str, ctx: Context, usage: Usage | None = None
    ) -> list[Sparse]:
        self.encoded += [text for text in texts if kind == "passage"]
        if usage is not None:
            usage.truncated.update(row for row, text in enumerate(texts) if "long" in text)
        return [self._vector(text) for text in texts]

    def _vector(self, text: str) -> Sparse:
        weights: dict[int, float] = {}
        for word in text.split():
            token = sum(word.encode()) * 7 % 3001
            weights[token] = max(weights.get(token, 0.0), 1 + len(word) / 7)
            weights[token // 2] = max(weights.get(token // 2, 0.0), 0.25)
        ids = sorted(weights)
        return Sparse(np.array(ids, np.int32), np.array([weights[i] for i in ids], np.float32))


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> WordWeights:
    words = WordWeights()
    monkeypatch.setattr(splade, "open_sparse_encoder", lambda *_: words)
    monkeypatch.setattr(models, "model_digest", lambda _, vectors: words.digest)
    return words


def corpus_of(n: int) -> Corpus:
    texts = [
        "" if i % 29 == 3 else f"topic{i % 50} word{i % 70} {'long' if i % 31 == 0 else 'short'}"
        for i in range(n)
    ]
    documents = (Document(f"d{i * 7 % n:04}", text) for i, text in enumerate(texts))
    return Corpus("invented", tuple(documents))


def built(corpus: Corpus, indexes: Path | None = None, ctx: Context = CTX) -> Splade:
    retriever = Splade(model="invented")
    retriever.build(corpus, ctx, indexes)
    return retriever


def test_an_index_on_the_disk_answers_as_one_in_memory_and_as_inner_products(
    encoder: WordWeights, tmp_path: Path
) -> None:
    corpus = corpus_of(641)
    memory = built(corpus)
    built(corpus, tmp_path / "indexes")
    stored = built(corpus, tmp_path / "indexes")
    for text in ("topic3 word53 long", "word1", "nothing"):
        query = encoder.encode([text], "query", CTX)[0]
        weights = np.zeros(3001, np.float32)
        weights[query.ids] = query.weights
        expected = {}
        for document in corpus.documents:
            vector = encoder.encode([document.content], "query", CTX)[0]
            score = float(weights[vector.ids] @ vector.weights)
            if score > 0:
                expected[document.id] = score
        for k in (1, 7, 700):
            first, again = (one.search(Query.of(text), k, CTX) for one in (memory, stored))
            assert first.ranking == again.ranking
            assert first.trace.warnings == again.trace.warnings
            assert first.trace.truncated == again.trace.truncated
            assert len(first.ranking) == min(k, len(expected))
            for hit in first.ranking:
                assert hit.score == pytest.approx(expected[hit.doc_id], rel=1e-5)
    assert stored.search(Query.of("long"), 5, CTX).trace.truncated == 5


class Unread(Sequence[Document]):
    """Documents that nobody may look at."""

    def __init__(self, size: int) -> None:
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, number: Any) -> Any:
        raise AssertionError("a document was looked at")


def test_opening_an_index_walks_through_no_documents(encoder: WordWeights, tmp_path: Path) -> None:
    corpus = corpus_of(641)
    first = built(corpus, tmp_path / "indexes").search(Query.of("topic3"), 9, CTX).ranking
    unread = Corpus("unread", Unread(641))
    vars(unread).update(content_hash=corpus.content_hash, ids=corpus.ids)
    again = built(unread, tmp_path / "indexes")
    assert again.search(Query.of("topic3"), 9, CTX).ranking == first


def test_cancel_keeps_what_is_done_and_other_corpora_share_it(
    encoder: WordWeights, tmp_path: Path
) -> None:
    cancel = CancelToken()

    def watch(progress: Progress) -> None:
        if progress.message == "embedding documents" and progress.done >= 256:
            cancel.cancel()

    texts = [f"word{i}" for i in range(1000)]
    corpus = Corpus("c", tuple(Document(f"d{i}", text) for i, text in enumerate(texts)))
    with pytest.raises(Cancelled):
        built(corpus, tmp_path / "indexes", Context(cancel=cancel, progress=watch))
    assert encoder.encoded == texts[:256]
    built(corpus, tmp_path / "indexes")
    assert encoder.encoded == texts
    built(Corpus("d", corpus.documents[100:]), tmp_path / "indexes")
    assert len(encoder.encoded) == 1000
