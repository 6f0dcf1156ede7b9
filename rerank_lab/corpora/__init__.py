"""Corpora: load, import, cut into passages, summarise, store."""

from __future__ import annotations

from rerank_lab.corpora.corpus import Corpus
from rerank_lab.corpora.importing import (
    ImportOptions,
    ImportReport,
    attach_qrels,
    attach_queries,
    import_corpus,
    inspect_upload,
    stored_summary,
)
from rerank_lab.corpora.live import LiveCorpus
from rerank_lab.corpora.load import connect_live, corpus_from_texts, load_corpus
from rerank_lab.corpora.mapping import ColumnMapping
from rerank_lab.corpora.passages import PassageOptions, cut_passages, whole_document
from rerank_lab.corpora.preview import Preview
from rerank_lab.corpora.store import CorpusEntry, delete_corpus, list_corpora
from rerank_lab.corpora.summary import CorpusSummary, summarise

__all__ = [
    "ColumnMapping",
    "Corpus",
    "CorpusEntry",
    "CorpusSummary",
    "ImportOptions",
    "ImportReport",
    "LiveCorpus",
    "PassageOptions",
    "Preview",
    "attach_qrels",
    "attach_queries",
    "connect_live",
    "corpus_from_texts",
    "cut_passages",
    "delete_corpus",
    "import_corpus",
    "inspect_upload",
    "list_corpora",
    "load_corpus",
    "stored_summary",
    "summarise",
    "whole_document",
]
