"""Corpora: load, import, cut into passages, summarise, store."""

from __future__ import annotations

from rerank_lab.corpora.corpus import Corpus
from rerank_lab.corpora.load import corpus_from_texts, load_corpus
from rerank_lab.corpora.store import CorpusEntry, delete_corpus, list_corpora

__all__ = [
    "Corpus",
    "CorpusEntry",
    "corpus_from_texts",
    "delete_corpus",
    "list_corpora",
    "load_corpus",
]
