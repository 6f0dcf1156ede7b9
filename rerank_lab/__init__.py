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

from rerank_lab.core.version import VERSION

if TYPE_CHECKING:
    from rerank_lab.components.base import Component, Info, Param
    from rerank_lab.core.context import CancelToken, Context, Progress
    from rerank_lab.core.errors import BackendError, InvalidInput, LabError, ModelUnavailable
    from rerank_lab.core.judgment_basis import Policy
    from rerank_lab.core.spec import parse
    from rerank_lab.core.types import Document, Hit, Query, Ranking, Run, Status, Trace
    from rerank_lab.core.work import Work
    from rerank_lab.corpora import Corpus, list_corpora, load_corpus
    from rerank_lab.evaluation.experiments import evaluate
    from rerank_lab.evaluation.measures import headroom, measure
    from rerank_lab.fusion.base import Fusion
    from rerank_lab.jobs.keys import JobKey
    from rerank_lab.jobs.table import JobTable
    from rerank_lab.judging.records import Judgment
    from rerank_lab.models.token_budget import TokenBudget
    from rerank_lab.pipeline.builders import bm25, dense, rerank, retrieve, rrf, weighted
    from rerank_lab.pipeline.engine import Engine, default_engine
    from rerank_lab.pipeline.pipeline import Pipeline
    from rerank_lab.pipeline.reranking import Stages, rerank_documents
    from rerank_lab.pipeline.results import Result
    from rerank_lab.rerankers.base import TOP, PointwiseReranker, Reranker
    from rerank_lab.rerankers.comparative import ListwiseReranker, PairwiseReranker, SetwiseReranker
    from rerank_lab.rerankers.joint_scoring import JointScoringReranker
    from rerank_lab.rerankers.long_documents import LONG
    from rerank_lab.retrievers.base import DEPTH, Retriever
    from rerank_lab.services.qrels import JudgmentSource, with_judgments
    from rerank_lab.views.rank_changes import moves
    from rerank_lab.views.response_formats import to_cohere, to_rerankers

__version__ = VERSION

_NAMES = {
    "components.base": (
        "Component",
        "Info",
        "Param",
    ),
    "core.context": (
        "CancelToken",
        "Context",
        "Progress",
    ),
    "core.errors": (
        "BackendError",
        "InvalidInput",
        "LabError",
        "ModelUnavailable",
    ),
    "core.spec": ("parse",),
    "core.work": ("Work",),
    "core.types": (
        "Document",
        "Hit",
        "Query",
        "Ranking",
        "Run",
        "Status",
        "Trace",
    ),
    "corpora": (
        "Corpus",
        "list_corpora",
        "load_corpus",
    ),
    "evaluation.experiments": ("evaluate",),
    "evaluation.measures": (
        "headroom",
        "measure",
    ),
    "fusion.base": ("Fusion",),
    "jobs.keys": ("JobKey",),
    "jobs.table": ("JobTable",),
    "models.token_budget": ("TokenBudget",),
    "pipeline.builders": (
        "bm25",
        "dense",
        "rerank",
        "retrieve",
        "rrf",
        "weighted",
    ),
    "core.judgment_basis": ("Policy",),
    "judging.records": ("Judgment",),
    "pipeline.engine": (
        "Engine",
        "default_engine",
    ),
    "pipeline.pipeline": ("Pipeline",),
    "pipeline.reranking": (
        "Stages",
        "rerank_documents",
    ),
    "pipeline.results": ("Result",),
    "rerankers.base": (
        "TOP",
        "PointwiseReranker",
        "Reranker",
    ),
    "rerankers.comparative": (
        "ListwiseReranker",
        "PairwiseReranker",
        "SetwiseReranker",
    ),
    "rerankers.joint_scoring": ("JointScoringReranker",),
    "rerankers.long_documents": ("LONG",),
    "retrievers.base": (
        "DEPTH",
        "Retriever",
    ),
    "services.qrels": (
        "JudgmentSource",
        "with_judgments",
    ),
    "views.rank_changes": ("moves",),
    "views.response_formats": (
        "to_cohere",
        "to_rerankers",
    ),
}
"""Public names by the module that defines them, for plugins (contracts) and for programs."""
_HOME = {name: module for module, names in _NAMES.items() for name in names}
__all__ = sorted([*_HOME, "__version__"])


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"rerank_lab.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
