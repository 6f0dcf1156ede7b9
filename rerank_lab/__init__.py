"""Rerank Lab: explore, compare, judge and choose rerankers on your own corpus.

    import rerank_lab as rl

    corpus = rl.load_corpus("helpdesk")
    pipeline = rl.rrf(rl.bm25(), rl.dense()) >> rl.rerank("ms-marco-minilm-l12", top=50)
    result = rl.Pipeline(pipeline).run("how do I turn off weekly emails?", corpus)

Everything is imported when first used: importing this package brings in nothing heavy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rerank_lab.core.context import CancelToken, Context, Progress
    from rerank_lab.core.errors import LabError
    from rerank_lab.core.spec import parse
    from rerank_lab.core.types import Document, Hit, Judgment, Query, Ranking, Run, Status, Trace
    from rerank_lab.corpora import Corpus, list_corpora, load_corpus
    from rerank_lab.evaluation.experiments import evaluate
    from rerank_lab.evaluation.measures import headroom, measure
    from rerank_lab.jobs.table import JobTable
    from rerank_lab.pipeline.builders import bm25, dense, rerank, retrieve, rrf, weighted
    from rerank_lab.pipeline.engine import Engine, default_engine
    from rerank_lab.pipeline.pipeline import Pipeline
    from rerank_lab.pipeline.reranking import Stages, rerank_documents
    from rerank_lab.pipeline.results import Result
    from rerank_lab.views.rank_changes import moves
    from rerank_lab.views.response_formats import to_cohere, to_rerankers

__version__ = "0.1.0"

_HOME = {
    "bm25": "pipeline.builders",
    "dense": "pipeline.builders",
    "rerank": "pipeline.builders",
    "retrieve": "pipeline.builders",
    "rrf": "pipeline.builders",
    "weighted": "pipeline.builders",
    "CancelToken": "core.context",
    "Context": "core.context",
    "Progress": "core.context",
    "Corpus": "corpora",
    "list_corpora": "corpora",
    "load_corpus": "corpora",
    "Engine": "pipeline.engine",
    "default_engine": "pipeline.engine",
    "LabError": "core.errors",
    "evaluate": "evaluation.experiments",
    "JobTable": "jobs.table",
    "headroom": "evaluation.measures",
    "measure": "evaluation.measures",
    "Pipeline": "pipeline.pipeline",
    "Result": "pipeline.results",
    "parse": "core.spec",
    "Stages": "pipeline.reranking",
    "rerank_documents": "pipeline.reranking",
    "Document": "core.types",
    "Hit": "core.types",
    "Judgment": "core.types",
    "Query": "core.types",
    "Ranking": "core.types",
    "Run": "core.types",
    "Status": "core.types",
    "Trace": "core.types",
    "moves": "views.rank_changes",
    "to_cohere": "views.response_formats",
    "to_rerankers": "views.response_formats",
}
__all__ = sorted([*_HOME, "__version__"])


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"rerank_lab.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
