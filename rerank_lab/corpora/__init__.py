"""Corpora: load, import, cut into passages, summarise, store."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_NAMES = {
    "corpus": ("Corpus",),
    "importing": (
        "ImportOptions",
        "ImportReport",
        "attach_qrels",
        "attach_queries",
        "import_corpus",
        "inspect_upload",
        "stored_summary",
    ),
    "live": ("LiveCorpus",),
    "load": (
        "connect_live",
        "corpus_from_texts",
        "load_corpus",
    ),
    "mapping": ("ColumnMapping",),
    "passages": (
        "PassageOptions",
        "cut_passages",
        "whole_document",
    ),
    "preview": ("Preview",),
    "store": (
        "CorpusEntry",
        "delete_corpus",
        "list_corpora",
    ),
    "summary": (
        "CorpusSummary",
        "summarise",
    ),
}
"""Names by the module of this package that defines them, which is imported when one is used."""
_HOME = {name: module for module, names in _NAMES.items() for name in names}
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


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(f"rerank_lab.corpora.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
