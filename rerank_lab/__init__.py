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
    from rerank_lab.compose import bm25, dense, rerank, retrieve, rrf, weighted
    from rerank_lab.context import CancelToken, Context, Progress
    from rerank_lab.corpora import Corpus, list_corpora, load_corpus
    from rerank_lab.engine import Engine, default_engine
    from rerank_lab.errors import LabError
    from rerank_lab.experiment import evaluate
    from rerank_lab.jobs import JobTable
    from rerank_lab.measures import headroom, measure
    from rerank_lab.pipeline import Pipeline, Result
    from rerank_lab.spec import parse
    from rerank_lab.stages import Stages, rerank_documents
    from rerank_lab.types import Document, Hit, Judgment, Query, Ranking, Run, Status, Trace
    from rerank_lab.views import moves
    from rerank_lab.views.shapes import to_cohere, to_rerankers

__version__ = "0.1.0"

_HOME = {
    "bm25": "compose", "dense": "compose", "rerank": "compose", "retrieve": "compose",
    "rrf": "compose", "weighted": "compose",
    "CancelToken": "context", "Context": "context", "Progress": "context",
    "Corpus": "corpora", "list_corpora": "corpora", "load_corpus": "corpora",
    "Engine": "engine", "default_engine": "engine",
    "LabError": "errors",
    "evaluate": "experiment",
    "JobTable": "jobs",
    "headroom": "measures", "measure": "measures",
    "Pipeline": "pipeline", "Result": "pipeline",
    "parse": "spec",
    "Stages": "stages", "rerank_documents": "stages",
    "Document": "types", "Hit": "types", "Judgment": "types", "Query": "types", "Ranking": "types",
    "Run": "types", "Status": "types", "Trace": "types",
    "moves": "views",
    "to_cohere": "views.shapes", "to_rerankers": "views.shapes",
}  # fmt: skip
__all__ = sorted([*_HOME, "__version__"])


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"rerank_lab.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
